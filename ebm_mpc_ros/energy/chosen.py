"""The plan that was chosen from chains, as arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from ebm_mpc_ros.energy.outcome import Ended, Floats, Plan

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_mpc_ros.energy.langevin import Chains
    from ebm_mpc_ros.energy.plan import PlanEnergy
    from ebm_mpc_ros.energy.sampler import Samples


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


def floats(tensor: Tensor) -> Floats:
    """Return a tensor's values in NumPy's double precision."""
    return tensor.cpu().numpy().astype(np.float64)
