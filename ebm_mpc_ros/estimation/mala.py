"""Metropolis-adjusted Langevin steps of many chains at once, in NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]


class Walk(NamedTuple):
    """Where K chains stand (K, d), and their mean acceptance; NaN where no step was made."""

    x: Floats
    acceptance: float


def mala(
    energy_and_slope: Callable[[Floats], tuple[Floats, Floats]],
    x: Floats,
    *,
    step_size: float,
    steps: int,
    rng: np.random.Generator,
) -> Walk:
    """Run chains from `x` (K, d), which leaves the density e^{-E} of each as it is.

    A step proposes x' ~ q(x' | x) = N(x - (ε/2) ∇E(x), ε I) and accepts it with probability
    min(1, exp(E(x) - E(x')) q(x | x') / q(x' | x)): exact for every ε, and for a slope that is
    only near ∇E. A proposal where E or the slope is not finite is rejected.

    Args:
        energy_and_slope: E (K,) and ∇E (K, d) of points (K, d); each chain may have its own E.
        x: Where the chains start, E finite.
        step_size: ε.
        steps: How many steps.
        rng: The source of the noise.
    """
    if not steps:
        return Walk(x, math.nan)
    root, half = math.sqrt(step_size), 0.5 * step_size
    accepted = 0
    # Where a proposal's energy overflows it is rejected.
    with np.errstate(all="ignore"):
        value, slope = energy_and_slope(x)
        for _ in range(steps):
            noise = rng.standard_normal(x.shape)
            proposal = x - half * slope + root * noise
            new_value, new_slope = energy_and_slope(proposal)
            # Its negative is the noise that would lead back from the proposal.
            back = noise - 0.5 * root * (slope + new_slope)
            log_ratio = value - new_value + 0.5 * ((noise * noise).sum(-1) - (back * back).sum(-1))
            # The negative of an exponential variate is the logarithm of a uniform one.
            accept = -rng.standard_exponential(len(x)) < log_ratio  # a NaN compares as false
            accept &= np.isfinite(new_value)
            x = np.where(accept[:, None], proposal, x)
            slope = np.where(accept[:, None], new_slope, slope)
            value = np.where(accept, new_value, value)
            accepted += int(accept.sum())
    return Walk(x, accepted / (steps * len(x)))
