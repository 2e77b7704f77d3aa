"""Langevin sampling of an energy, unadjusted and Metropolis-corrected, many chains at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.energy.base import Energy

OPTIMAL_ACCEPTANCE = 0.574
"""Of MALA in many dimensions: Roberts and Rosenthal, JRSS B 60 (1998)."""

_ADAPTATION_GAIN = 2.0


@dataclass(frozen=True)
class Chains:
    """K chains where they stand.

    Attributes:
        x: Points (K, d).
        energy: Their energies (K,).
        score: Their scores (K, d).
        acceptance: Mean acceptance of the counted steps; NaN where there were none.
        step_size: The step size of the counted steps.
        steps: Counted steps done: fewer than asked for where `stop` ended the run.
    """

    x: Tensor
    energy: Tensor
    score: Tensor
    acceptance: float
    step_size: float
    steps: int


def never() -> bool:
    """Return False: the run has no deadline."""
    return False


@torch.no_grad()
def ula(
    energy: Energy,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    generator: Generator,
    stop: Callable[[], bool] = never,
) -> Chains:
    """Run the unadjusted Langevin algorithm x ← x + (ε/2) s(x) + √ε z from `x` (K, d).

    It samples the density only as ε → 0: of N(0, 1/λ) the variance is 1 / (λ (1 - ελ/4)).

    Args:
        energy: The energy to sample.
        x: Where the chains start, (K, d).
        step_size: ε.
        steps: How many steps.
        generator: The source of the noise, on the device of `x`.
        stop: Asked before each step; the chains are returned as they stand once it says so.

    Raises:
        ValueError: `step_size` is not positive or `steps` is negative.
    """
    _check(step_size, steps, 0)
    value, score = energy.energy_and_score(x)
    done = 0
    for _ in range(steps):
        if stop():
            break
        x = _noise(x, generator).mul_(math.sqrt(step_size)).add_(x).add_(score, alpha=step_size / 2)
        value, score = energy.energy_and_score(x)
        done += 1
    return Chains(x, value, score, 1.0 if done else math.nan, step_size, done)


@torch.no_grad()
def mala(
    energy: Energy,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    generator: Generator,
    adapt: int = 0,
    stop: Callable[[], bool] = never,
) -> Chains:
    """Run the Metropolis-adjusted Langevin algorithm from `x` (K, d).

    A step proposes x' ~ q(x' | x) = N(x + (ε/2) s(x), ε I) and accepts it with probability
    min(1, exp(E(x) - E(x')) q(x | x') / q(x' | x)): exact for every ε. A proposal of non-finite
    energy is rejected, so E = ∞ outside a set keeps the chains inside it exactly.

    Args:
        energy: The energy to sample.
        x: Where the chains start, (K, d).
        step_size: ε, or its first guess.
        steps: How many counted steps.
        generator: The source of the noise, on the device of `x`.
        adapt: Steps before the counted ones, in which ε is led to an acceptance of 0.574 by
            stochastic approximation of log ε; then it stays.
        stop: Asked before each step; the chains are returned as they stand once it says so.

    Raises:
        ValueError: `step_size` is not positive, or `steps` or `adapt` is negative.
    """
    _check(step_size, steps, adapt)
    value, score = energy.energy_and_score(x)
    accepted = torch.zeros((), dtype=x.dtype, device=x.device)
    done = 0
    for i in range(-adapt, steps):
        if stop():
            break
        noise = _noise(x, generator)
        root = math.sqrt(step_size)
        proposal = torch.add(x, score, alpha=step_size / 2).add_(noise, alpha=root)
        new_value, new_score = energy.energy_and_score(proposal)
        # The noise that would lead back from the proposal is -(z + (√ε/2)(s + s')).
        back = torch.add(score, new_score).mul_(root / 2).add_(noise)
        forth = noise.square_().sum(-1)
        log_ratio = value - new_value + 0.5 * (forth - back.square_().sum(-1))
        log_ratio.masked_fill_(~new_value.isfinite(), -math.inf)
        accept = _uniform(value, generator).log_() < log_ratio  # a NaN compares as false
        x = torch.where(accept[:, None], proposal, x)
        score = torch.where(accept[:, None], new_score, score)
        value = torch.where(accept, new_value, value)
        if i < 0:
            probability = float(log_ratio.nan_to_num_(nan=-math.inf).clamp_(max=0).exp_().mean())
            gain = _ADAPTATION_GAIN / math.sqrt(i + adapt + 1)
            step_size *= math.exp(gain * (probability - OPTIMAL_ACCEPTANCE))
        else:
            accepted += accept.sum()
            done += 1
    acceptance = float(accepted) / (done * x.shape[0]) if done else math.nan
    return Chains(x, value, score, acceptance, step_size, done)


def _noise(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _uniform(x: Tensor, generator: Generator) -> Tensor:
    return torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)


def _check(step_size: float, steps: int, adapt: int) -> None:
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size is {step_size}, allowed are positive numbers")
    if steps < 0:
        raise ValueError(f"steps is {steps}, allowed is 0 or more")
    if adapt < 0:
        raise ValueError(f"adapt is {adapt}, allowed is 0 or more")
