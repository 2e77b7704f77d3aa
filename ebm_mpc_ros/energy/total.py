"""Energies added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_mpc_ros.energy.base import Energy


class Total:
    """E = Σ E_i: the densities multiplied, but for their norm."""

    def __init__(self, first: Energy, *others: Energy) -> None:
        """Take the energies, all of the same variable."""
        self._first, self._others = first, others

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score s = -∇E (K, d) at `x` (K, d)."""
        energy, score = self._first.energy_and_score(x)
        for other in self._others:
            value, slope = other.energy_and_score(x)
            energy, score = energy + value, score + slope
        return energy, score
