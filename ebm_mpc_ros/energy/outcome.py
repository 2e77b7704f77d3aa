"""A plan and how the call ended that made it, or why there is none. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Ended(Enum):
    """How a call of a planner ended."""

    COMPLETE = "complete"
    DEADLINE = "deadline"
    REFUSED = "refused"


@dataclass(frozen=True)
class Plan:
    """A plan and the samples it was chosen from.

    Attributes:
        inputs: Inputs (N, m), within their bounds.
        states: States (N + 1, n) that they lead through.
        energy: The plan's energy: J, or what a learned policy compares by.
        sample_states: States (S, N + 1, n) of chains spread over the ranks of their energies.
        sample_energies: These (S,), the lowest first.
        acceptance: Mean acceptance of the chains' counted steps; NaN where there were none.
        step_size: Their step size in the coordinates that they run in.
        clearance: Least clearance of the states from an obstacle, in m; inf without obstacles.
        switched: Whether a chain has replaced the last plan.
        ended: How the call ended.
        usable: Whether the plan may be driven.
        reason: Why it is not, or what cut it short; empty where all went well.
    """

    inputs: Floats
    states: Floats
    energy: float
    sample_states: Floats
    sample_energies: Floats
    acceptance: float
    step_size: float
    clearance: float
    switched: bool
    ended: Ended
    usable: bool
    reason: str


def refused(
    horizon: int, states: int, inputs: int, reason: str, *, step_size: float = math.nan
) -> Plan:
    """Return a plan of so many steps, states and inputs that may not be driven."""
    return Plan(
        inputs=np.zeros((horizon, inputs)),
        states=np.full((horizon + 1, states), math.nan),
        energy=math.nan,
        sample_states=np.zeros((0, horizon + 1, states)),
        sample_energies=np.zeros(0),
        acceptance=math.nan,
        step_size=step_size,
        clearance=math.nan,
        switched=False,
        ended=Ended.REFUSED,
        usable=False,
        reason=reason,
    )


def check_shapes(
    state: Floats, reference: Floats, obstacles: Floats, *, size: int, rows: int | None = None
) -> None:
    """Check the shapes of what a planner is given.

    Args:
        state: (size,).
        reference: (rows, size); of any number of rows from 1 up where none is given.
        obstacles: (M, 3).
        size: The model's state size.
        rows: How many rows the reference must have.

    Raises:
        ValueError: An array has another shape.
    """
    if state.shape != (size,):
        raise ValueError(f"state is {state.shape}, allowed is ({size},)")
    if rows is not None and reference.shape != (rows, size):
        raise ValueError(f"reference is {reference.shape}, allowed is {(rows, size)}")
    if reference.ndim != 2 or reference.shape[1] != size or not len(reference):
        raise ValueError(f"reference is {reference.shape}, allowed is (k, {size}), k at least 1")
    if obstacles.ndim != 2 or obstacles.shape[1] != 3:
        raise ValueError(f"obstacles are {obstacles.shape}, allowed is (M, 3)")


def refusal(state: Floats, reference: Floats, obstacles: Floats, elapsed_s: float) -> str:
    """Return what is wrong with the values that a planner is given, empty where nothing is."""
    for name, values in (("state", state), ("reference", reference), ("obstacles", obstacles)):
        if not np.isfinite(values).all():
            return f"{name} is not finite"
    if (obstacles[:, 2] < 0).any():
        return "an obstacle's radius is negative"
    if not 0 <= elapsed_s < math.inf:
        return f"elapsed_s is {elapsed_s}, allowed are numbers from 0 up"
    return ""
