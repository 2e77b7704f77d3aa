"""Chunks of inputs from learned wells: by descent, by one Langevin chain, by the best of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ebm_mpc_ros.energy.annealed import NOISE_FREE, anneal, geometric, placed_levels
from ebm_mpc_ros.energy.checks import check_least

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ebm_mpc_ros.energy.wells import Wells


@dataclass(frozen=True)
class ChunkSettings:
    """Settings of `ChunkSampler`.

    Attributes:
        levels: How many σ, in a geometric sequence from the largest that was trained to the least.
        steps: Langevin steps a level.
        ratio: ε/σ² of those, below 4.
        chains: Chains of which the lowest is taken.
        judge: The σ at which they compare, in units of y: so large that it is the weights of the
            wells that tell, not how well a chain lies in its own.

    Raises:
        ValueError: A field is out of its range.
    """

    levels: int = 20
    steps: int = 10
    ratio: float = 0.5
    chains: int = 16
    judge: float = 3.0

    def __post_init__(self) -> None:
        """Check every field."""
        check_least(self, levels=2, steps=1, chains=1)
        if not 0 < self.ratio < 4:
            raise ValueError(f"ratio is {self.ratio}, allowed is above 0 and below 4")
        if not self.judge > 0:
            raise ValueError(f"judge is {self.judge}, allowed are positive numbers")


class ChunkSampler:
    """Chunks y (E, d) for conditions c (E, C), all at once, from an energy of learned wells."""

    def __init__(self, wells: Wells, settings: ChunkSettings, generator: Generator) -> None:
        """Take the energy, settings, and the source of noise, on the energy's device."""
        self._wells = wells
        self._settings = settings
        self._generator = generator
        least, largest = wells.sigma_range
        self._sigmas = geometric(largest, least, settings.levels)

    def descend(self, c: Tensor) -> Tensor:
        """Return where y ← y + σ² s = Σ r_k μ_k leads from y = 0, one step a level, no noise."""
        return self._anneal(c, c.new_zeros(len(c), self._wells.variables), 1, NOISE_FREE, 0.0)

    def sample(self, c: Tensor) -> Tensor:
        """Return the end of one Langevin chain each, annealed from the largest σ to the least."""
        return self._chains(c, 1)

    def lowest(self, c: Tensor) -> Tensor:
        """Return of many such chains the one of lowest energy at the judging σ."""
        y = self._chains(c, self._settings.chains)
        energy = self._wells.at(c, self._settings.judge).energy_and_score(y)[0]
        best = energy.view(len(c), -1).argmin(-1)
        return y.view(len(c), -1, y.shape[-1])[torch.arange(len(c), device=c.device), best]

    def _chains(self, c: Tensor, each: int) -> Tensor:
        start = torch.randn(
            (each * len(c), self._wells.variables),
            generator=self._generator,
            dtype=c.dtype,
            device=c.device,
        ).mul_(self._sigmas[0])
        return self._anneal(c, start, self._settings.steps, self._settings.ratio, 1.0)

    def _anneal(
        self, c: Tensor, start: Tensor, steps: int, ratio: float, temperature: float
    ) -> Tensor:
        energies = self._wells.levels(c, self._sigmas)
        levels = placed_levels(energies, self._sigmas, ratio)
        return anneal(
            levels, start, steps=steps, generator=self._generator, temperature=temperature
        ).x
