"""Langevin sampling down a sequence of noise levels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from ebm_mpc_ros.energy.langevin import Chains, mala, never, ula, unadjusted_walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor

    from ebm_mpc_ros.energy.base import Energy
    from ebm_mpc_ros.energy.bounds import Bounds


NOISE_FREE = 2.0
"""ε/σ² whose step without noise, y + σ² s, leads to the mean of what the score points to."""


@dataclass(frozen=True)
class Level:
    """An energy and the step size ε it is sampled with."""

    energy: Energy
    step_size: float


def geometric(largest: float, smallest: float, count: int) -> tuple[float, ...]:
    """Return `count` noise levels in a geometric sequence, the largest first.

    Raises:
        ValueError: The levels are not positive and in order, or `count` is below 2.
    """
    if not 0 < smallest < largest:
        raise ValueError(f"smallest is {smallest}, allowed is above 0 and below {largest}")
    if count < 2:
        raise ValueError(f"count is {count}, allowed is 2 or more")
    ratio = smallest / largest
    return tuple(largest * ratio ** (i / (count - 1)) for i in range(count))


def placed_levels(energies: Sequence[Energy], sigmas: Sequence[float], ratio: float) -> list[Level]:
    """Return a level for each energy with ε = ratio · σ² of its σ (Song and Ermon, NeurIPS 2019).

    Args:
        energies: One for each σ, in the order they are visited.
        sigmas: Noise levels.
        ratio: ε/σ²: below 4, since the curvature of data under noise is at most 1/σ².
    """
    return [
        Level(energy, ratio * sigma * sigma) for energy, sigma in zip(energies, sigmas, strict=True)
    ]


@torch.no_grad()
def anneal(
    levels: Sequence[Level],
    x: Tensor,
    *,
    steps: int,
    generator: Generator,
    bounds: Bounds | None = None,
    corrected: bool = False,
    adapt: int = 0,
    temperature: float = 1.0,
    trace: bool = False,
    stop: Callable[[], bool] = never,
) -> Chains:
    """Run each level in turn from where the last one left the chains `x` (K, d).

    Args:
        levels: Energies and step sizes, the smoothest first.
        x: Where the chains start, (K, d).
        steps: Counted steps a level.
        generator: The source of the noise, on the device of `x`.
        bounds: The box to stay in.
        corrected: Whether by `mala` in place of `ula`.
        adapt: Adapting steps a level, of `mala`.
        temperature: Of the noise, of `ula`: 0 descends without any.
        trace: Whether to keep the energies of the last level reached.
        stop: Asked before each step; no further step is made once it says so.

    Returns:
        The chains; energy and score are those of the last level even where `stop` came before it,
        so that chains compare; acceptance, step size and trace are those of the last level
        reached; steps are of all levels.

    Raises:
        ValueError: There is no level, or a setting is out of its range.
    """
    if not levels:
        raise ValueError("levels are none, allowed is 1 or more")
    total = 0
    if not corrected and not trace:
        # Only where a level leads counts: no energy is taken but the last level's.
        for level in levels:
            x, done = unadjusted_walk(
                level.energy,
                x,
                step_size=level.step_size,
                steps=steps,
                generator=generator,
                bounds=bounds,
                temperature=temperature,
                stop=stop,
            )
            total += done
            if done < steps:
                break
        value, score = levels[-1].energy.energy_and_score(x)
        acceptance, none = 1.0 if done else math.nan, x.new_empty(0, len(x))
        return Chains(x, value, score, acceptance, level.step_size, total, none)
    run = (
        partial(mala, adapt=adapt, trace=trace)
        if corrected
        else partial(ula, temperature=temperature, trace=trace)
    )
    for level in levels:
        chains = run(
            level.energy,
            x,
            step_size=level.step_size,
            steps=steps,
            generator=generator,
            bounds=bounds,
            stop=stop,
        )
        x, total = chains.x, total + chains.steps
        if chains.steps < steps:
            break
    if level is not levels[-1]:
        value, score = levels[-1].energy.energy_and_score(x)
        chains = replace(chains, energy=value, score=score)
    return replace(chains, steps=total)
