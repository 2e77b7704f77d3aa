"""Boxes to sample in: reflection, rejection, and tanh."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.base import Energy

_EDGE = 1e-6


@dataclass(frozen=True)
class Bounds:
    """A box of d finite intervals.

    Attributes:
        lower: Lower bounds (d,).
        upper: Upper bounds (d,).

    Raises:
        ValueError: The bounds are not finite, not of one length, or not in order.
    """

    lower: Tensor
    upper: Tensor

    def __post_init__(self) -> None:
        """Check both."""
        if self.lower.ndim != 1 or self.lower.shape != self.upper.shape:
            shapes = f"{tuple(self.lower.shape)} and {tuple(self.upper.shape)}"
            raise ValueError(f"lower and upper are {shapes}, allowed is (d,) for both")
        widths = self.upper - self.lower
        if not bool((widths.isfinite() & (widths > 0)).all()):
            raise ValueError(
                f"upper is {self.upper.tolist()}, allowed is finite and above lower "
                f"{self.lower.tolist()}"
            )

    def inside(self, x: Tensor) -> Tensor:
        """Return whether the points (K, d) lie in the box, (K,)."""
        return ((x >= self.lower) & (x <= self.upper)).all(-1)

    def reflect(self, x: Tensor) -> Tensor:
        """Return the points (K, d) folded into the box by mirrors at its sides."""
        width = self.upper - self.lower
        folded = width - torch.remainder(x - self.lower, 2 * width).sub_(width).abs_()
        # Rounding may leave a folded point an ulp outside.
        return folded.add_(self.lower).clamp_(self.lower, self.upper)

    def uniform(self, count: int, generator: Generator) -> Tensor:
        """Return uniform draws (count, d)."""
        shape = (count, len(self.lower))
        draws = torch.rand(
            shape, generator=generator, dtype=self.lower.dtype, device=self.lower.device
        )
        return draws.mul_(self.upper - self.lower).add_(self.lower)


class Squashed:
    """The energy of z, unbounded, where x = middle + half-width · tanh(z) in a box has E(x).

    Its log-Jacobian included: sampling z samples x under exp(-E) within the bounds, exactly.
    """

    def __init__(self, energy: Energy, bounds: Bounds) -> None:
        """Take the energy of x and its box."""
        self._energy = energy
        self._middle = (bounds.upper + bounds.lower) / 2
        self._half = (bounds.upper - bounds.lower) / 2
        self._log_half = self._half.log().sum()

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E - log |∂x/∂z| (K,) and its score (K, d) in z, here given as `x` (K, d)."""
        energy, score = self._energy.energy_and_score(self.to_original(x))
        squashed = torch.tanh(x)
        # log(1 - tanh²) without the cancellation far out.
        log_slope = 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))
        slope = self._half * (1.0 - squashed.square())
        return energy - log_slope.sum(-1) - self._log_half, score * slope - 2.0 * squashed

    def to_original(self, z: Tensor) -> Tensor:
        """Return x (K, d), in the box."""
        return torch.addcmul(self._middle, self._half, torch.tanh(z))

    def from_original(self, x: Tensor) -> Tensor:
        """Return z (K, d); a point on a side of the box is moved just inside."""
        return torch.atanh(((x - self._middle) / self._half).clamp(_EDGE - 1.0, 1.0 - _EDGE))
