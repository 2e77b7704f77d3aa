"""A plan and how the call ended that made it, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_mpc_ros.energy.langevin import Chains
    from ebm_mpc_ros.energy.plan import PlanEnergy
    from ebm_mpc_ros.energy.sampler import Samples

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


def made(
    energy: PlanEnergy,
    plan: Tensor,
    value: float,
    samples: Tensor,
    sample_energies: Tensor,
    chains: Chains | Samples,
    *,
    shown: int,
    switched: bool,
    complete: bool,
    time_limit: float,
) -> Plan:
    """Return a plan that was chosen.

    Args:
        energy: What rolls inputs out.
        plan: Its inputs (N m,).
        value: Its energy.
        samples: Inputs of the chains (K, N m).
        sample_energies: Their energies (K,).
        chains: How they fared.
        shown: Of how many chains the plan tells the states, at most.
        switched: Whether a chain has replaced the last plan.
        complete: Whether every step was made.
        time_limit: Seconds after which none is.
    """
    ranks = torch.linspace(0, len(samples) - 1, min(shown, len(samples)), device=samples.device)
    chosen = sample_energies.argsort()[ranks.long()]
    states = energy.rollout(torch.cat([plan[None], samples[chosen]]))
    usable = math.isfinite(value)
    reason = "" if complete else f"the time limit of {time_limit} s has passed"
    return Plan(
        inputs=floats(plan.view(energy.horizon, -1)),
        states=floats(states[0]),
        energy=value,
        sample_states=floats(states[1:]),
        sample_energies=floats(sample_energies[chosen]),
        acceptance=chains.acceptance,
        step_size=chains.step_size,
        clearance=float(energy.clearance(states[0])),
        switched=switched,
        ended=Ended.COMPLETE if complete else Ended.DEADLINE,
        usable=usable,
        reason=reason if usable else "the plan's energy is not finite",
    )


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


def floats(tensor: Tensor) -> Floats:
    """Return a tensor's values in NumPy's double precision."""
    return tensor.cpu().numpy().astype(np.float64)
