"""One call of a sampler on a robot: warm and fresh chains, bounds, a deadline, a report."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal, get_args

import torch

from ebm_mpc_ros.energy.annealed import Level, anneal
from ebm_mpc_ros.energy.bounds import Squashed
from ebm_mpc_ros.energy.checks import check_least, check_not_negative, check_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Generator, Tensor

    from ebm_mpc_ros.energy.base import Energy
    from ebm_mpc_ros.energy.bounds import Bounds
    from ebm_mpc_ros.energy.langevin import Chains

Method = Literal["ula", "mala", "mala_tanh"]


@dataclass(frozen=True)
class SamplerSettings:
    """Settings of `sample`.

    Attributes:
        chains: Number of chains K.
        steps: Counted steps a level.
        adapt_steps: Steps a level in which MALA adapts its step size, before the counted ones.
        method: `ula`, reflected at the bounds; `mala`, rejecting beyond them; `mala_tanh`, MALA in
            z of x = tanh z, scaled to the bounds.
        temperature: Of ULA's noise: 1 samples, 0 descends without any.
        fresh_share: Share of the chains that a call replaces by uniform draws, oldest first.
        warm_levels: How many of the last levels the warm chains run; the fresh run all.
        time_limit: Seconds after which a call returns the best so far.
        diagnose: Whether to trace the energies for the effective sample size; of ULA's time it
            takes a tenth.

    Raises:
        ValueError: A field is out of its range.
    """

    chains: int = 256
    steps: int = 20
    adapt_steps: int = 0
    method: Method = "ula"
    temperature: float = 1.0
    fresh_share: float = 0.1
    warm_levels: int = 1
    time_limit: float = math.inf
    diagnose: bool = True

    def __post_init__(self) -> None:
        """Check every field."""
        check_least(self, chains=1, steps=0, adapt_steps=0, warm_levels=1)
        if self.method not in get_args(Method):
            raise ValueError(f"method is {self.method}, allowed are {', '.join(get_args(Method))}")
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}, allowed are numbers from 0 up")
        if self.method != "ula" and self.temperature != 1:
            raise ValueError(f"temperature is {self.temperature}, allowed is 1 with {self.method}")
        check_share(self, "fresh_share")
        check_not_negative(self, "time_limit")


class Ended(Enum):
    """How a call of `sample` ended."""

    COMPLETE = "complete"
    DEADLINE = "deadline"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Samples:
    """The chains of a call, youngest first, and how they fared.

    Attributes:
        x: Points (K, d), within the bounds.
        energy: Their energies (K,) under the judge; not finite where a chain has diverged.
        best: The point of lowest energy (d,).
        best_energy: Its energy.
        acceptance: Mean acceptance in the last level reached; NaN where no step was counted.
        step_size: ε of the last level reached, adapted.
        effective_sample_size: Of the energies of the last level reached; NaN where it
            is not traced, or over fewer than 4 steps.
        steps: Counted steps done by all chains together.
        ended: How the call ended: diverged where no energy is finite.
    """

    x: Tensor
    energy: Tensor
    best: Tensor
    best_energy: float
    acceptance: float
    step_size: float
    effective_sample_size: float
    steps: int
    ended: Ended


@torch.no_grad()
def sample(
    levels: Sequence[Level],
    bounds: Bounds,
    settings: SamplerSettings,
    generator: Generator,
    *,
    warm: Tensor | None = None,
    judge: Energy | None = None,
) -> Samples:
    """Sample a sequence of levels within bounds and return the chains and the best of them.

    Args:
        levels: Energies and step sizes, the smoothest first; one alone is plain Langevin.
        bounds: The box of the variables.
        settings: How.
        generator: The source of the noise, on the device of the bounds.
        warm: Where to start (K, d): the last call's chains, shifted by whoever knows what they
            mean. Points outside the bounds are clipped, those not finite replaced by fresh ones.
            Without it all chains are fresh.
        judge: The energy that compares the chains, that of the last level by default.

    Raises:
        ValueError: `warm` has another shape, or there is no level.
    """
    deadline = time.monotonic() + settings.time_limit

    def stop() -> bool:
        return time.monotonic() > deadline

    shape = (settings.chains, len(bounds.lower))
    if warm is not None and warm.shape != shape:
        raise ValueError(f"warm is {tuple(warm.shape)}, allowed is {shape}")
    share = 1.0 if warm is None else settings.fresh_share
    x = bounds.uniform(math.ceil(share * settings.chains), generator)
    first, last = levels[: -settings.warm_levels], levels[-settings.warm_levels :]
    if first and len(x):
        x = _run(first, x, bounds, settings, generator, stop).x
    if warm is not None:
        lost = ~warm.isfinite().all(-1, keepdim=True)
        kept = torch.where(lost, bounds.uniform(len(warm), generator), warm)
        x = torch.cat([x, kept[: len(warm) - len(x)].clamp(bounds.lower, bounds.upper)])
    chains = _run(last, x, bounds, settings, generator, stop)
    energy = chains.energy if judge is None else judge.energy_and_score(chains.x)[0]
    best = int(energy.nan_to_num(nan=math.inf, neginf=math.inf).argmin())
    complete = Ended.COMPLETE if chains.steps == settings.steps * len(last) else Ended.DEADLINE
    return Samples(
        x=chains.x,
        energy=energy,
        best=chains.x[best],
        best_energy=float(energy[best]),
        acceptance=chains.acceptance,
        step_size=chains.step_size,
        effective_sample_size=chains.effective_sample_size,
        steps=chains.steps,
        ended=complete if math.isfinite(energy[best]) else Ended.DIVERGED,
    )


def _run(
    levels: Sequence[Level],
    x: Tensor,
    bounds: Bounds,
    settings: SamplerSettings,
    generator: Generator,
    stop: Callable[[], bool],
) -> Chains:
    """Anneal, through tanh where it is asked for; the energies are those of x all the same."""
    if settings.method != "mala_tanh":
        return _anneal(levels, x, bounds, settings, generator, stop)
    squashed = [Level(Squashed(level.energy, bounds), level.step_size) for level in levels]
    change = Squashed(levels[-1].energy, bounds)
    chains = _anneal(squashed, change.from_original(x), None, settings, generator, stop)
    x = change.to_original(chains.x)
    energy, score = levels[-1].energy.energy_and_score(x)
    return replace(chains, x=x, energy=energy, score=score)


def _anneal(
    levels: Sequence[Level],
    x: Tensor,
    bounds: Bounds | None,
    settings: SamplerSettings,
    generator: Generator,
    stop: Callable[[], bool],
) -> Chains:
    return anneal(
        levels,
        x,
        steps=settings.steps,
        generator=generator,
        bounds=bounds,
        corrected=settings.method != "ula",
        adapt=settings.adapt_steps,
        temperature=settings.temperature,
        trace=settings.diagnose,
        stop=stop,
    )
