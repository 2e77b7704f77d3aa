"""Langevin sampling of an energy, unadjusted and Metropolis-corrected, many chains at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from ebm_mpc_ros.energy.effective import effective_sample_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.energy.base import Energy
    from ebm_mpc_ros.energy.bounds import Bounds

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
        trace: Energies after each counted step (S, K), none where they were not kept.
    """

    x: Tensor
    energy: Tensor
    score: Tensor
    acceptance: float
    step_size: float
    steps: int
    trace: Tensor

    @property
    def effective_sample_size(self) -> float:
        """What the trace's draws are worth in independent ones, NaN where there is no trace."""
        return effective_sample_size(self.trace)


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
    bounds: Bounds | None = None,
    temperature: float = 1.0,
    trace: bool = False,
    stop: Callable[[], bool] = never,
) -> Chains:
    """Run the unadjusted Langevin algorithm x ← x + (ε/2) s(x) + √ε z from `x` (K, d).

    It samples the density only as ε → 0: of N(0, 1/λ) the variance is 1 / (λ (1 - ελ/4)).

    Args:
        energy: The energy to sample; its `score` alone is used where it has one.
        x: Where the chains start, (K, d).
        step_size: ε.
        steps: How many steps.
        generator: The source of the noise, on the device of `x`.
        bounds: A box at whose sides the chains are reflected.
        temperature: T of √(T ε) z: 1 samples, 0 descends without noise.
        trace: Whether to keep the energies of all steps.
        stop: Asked before each step; the chains are returned as they stand once it says so.

    Raises:
        ValueError: `step_size` is not positive, or `steps` or `temperature` is negative.
    """
    energies = x.new_empty(steps if trace else 0, len(x))
    x, done = unadjusted_walk(
        energy,
        x,
        step_size=step_size,
        steps=steps,
        generator=generator,
        bounds=bounds,
        temperature=temperature,
        trace=energies if trace else None,
        stop=stop,
    )
    value, score = energy.energy_and_score(x)
    if trace and done:
        energies[done - 1] = value
    acceptance = 1.0 if done else math.nan
    return Chains(x, value, score, acceptance, step_size, done, energies[:done])


@torch.no_grad()
def unadjusted_walk(
    energy: Energy,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    generator: Generator,
    bounds: Bounds | None = None,
    temperature: float = 1.0,
    trace: Tensor | None = None,
    stop: Callable[[], bool] = never,
) -> tuple[Tensor, int]:
    """Return where `ula` leads and its steps, with no energy taken of where it ends.

    Arguments are those of `ula`, but for `trace` (steps, K): what to leave the energies in after
    each step except the last.

    Raises:
        ValueError: As `ula`.
    """
    _check(step_size, steps, 0)
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, allowed are numbers from 0 up")
    root, drift = math.sqrt(temperature * step_size), step_size / 2
    # `isinstance` of a protocol costs as much as a step of few chains.
    lean = getattr(energy, "score", None) if trace is None else None
    done = 0
    while done < steps and not stop():
        if lean is not None:
            score = lean(x)
        else:
            value, score = energy.energy_and_score(x)
            if trace is not None and done:
                trace[done - 1] = value
        if root:
            noise = torch.empty_like(x).normal_(0.0, root, generator=generator)
            x = noise.add_(x).add_(score, alpha=drift)
        else:
            x = torch.add(x, score, alpha=drift)
        if bounds is not None:
            x = bounds.reflect(x)
        done += 1
    return x, done


@torch.no_grad()
def mala(
    energy: Energy,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    generator: Generator,
    adapt: int = 0,
    bounds: Bounds | None = None,
    trace: bool = False,
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
        bounds: A box to start in, beyond which every proposal is rejected, which is exact.
        trace: Whether to keep the energies of all counted steps.
        stop: Asked before each step; the chains are returned as they stand once it says so.

    Raises:
        ValueError: `step_size` is not positive, or `steps` or `adapt` is negative.
    """
    _check(step_size, steps, adapt)
    value, score = energy.energy_and_score(x)
    accepted = torch.zeros((), dtype=x.dtype, device=x.device)
    energies = x.new_empty(steps if trace else 0, len(x))
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
        allowed = new_value.isfinite()
        if bounds is not None:
            allowed &= bounds.inside(proposal)
        log_ratio.masked_fill_(~allowed, -math.inf)
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
            if trace:
                energies[done] = value
            done += 1
    acceptance = float(accepted) / (done * x.shape[0]) if done else math.nan
    return Chains(x, value, score, acceptance, step_size, done, energies[:done])


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
