"""What an energy is: p(x) ∝ exp(-E(x)), given by its value and its score."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


class Energy(Protocol):
    """An energy E over R^d, evaluated for many points at once."""

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score s = -∇E (K, d) at the points `x` (K, d)."""


@runtime_checkable
class HasScore(Energy, Protocol):
    """An energy whose score alone costs less than both."""

    def score(self, x: Tensor) -> Tensor:
        """Return the score (K, d) at `x` (K, d)."""


@runtime_checkable
class HasLaplacian(Energy, Protocol):
    """An energy that knows the trace of its Hessian."""

    def laplacian(self, x: Tensor) -> Tensor:
        """Return ΔE (K,) at `x` (K, d)."""


class LinearChange:
    """The energy of y = (x - origin) F, rows, where x has the energy E(x) / temperature.

    A constant linear map changes a density by a constant, so sampling y samples x. With F Fᵀ the
    Hessian of E / temperature, y has unit curvature.
    """

    def __init__(
        self, energy: Energy, origin: Tensor, factor: Tensor, temperature: float = 1.0
    ) -> None:
        """Take the energy of x, the origin (d,), a lower triangular F (d, d), the temperature."""
        self._energy = energy
        self._origin = origin
        self._factor = factor
        eye = torch.eye(len(origin), dtype=origin.dtype, device=origin.device)
        self._inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
        self._back = self._inverse.mT / temperature
        self._scale = 1.0 / temperature

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E / temperature (K,) and its score (K, d) in y, here given as `x` (K, d)."""
        energy, score = self._energy.energy_and_score(self.to_original(x))
        return energy * self._scale, score @ self._back

    def to_original(self, y: Tensor) -> Tensor:
        """Return x = origin + y F⁻¹ (K, d)."""
        return torch.addmm(self._origin, y, self._inverse)

    def from_original(self, x: Tensor) -> Tensor:
        """Return y = (x - origin) F (K, d)."""
        return (x - self._origin) @ self._factor
