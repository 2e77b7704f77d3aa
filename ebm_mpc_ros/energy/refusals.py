"""What can't be planned for, and the plan that says so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.energy.planner import Ended, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


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


def refused(horizon: int, states: int, inputs: int, reason: str) -> Plan:
    """Return a plan of so many steps, states and inputs that may not be driven."""
    return Plan(
        inputs=np.zeros((horizon, inputs)),
        states=np.full((horizon + 1, states), math.nan),
        energy=math.nan,
        sample_states=np.zeros((0, horizon + 1, states)),
        sample_energies=np.zeros(0),
        acceptance=math.nan,
        step_size=math.nan,
        clearance=math.nan,
        switched=False,
        ended=Ended.REFUSED,
        usable=False,
        reason=reason,
    )
