"""The energy of a Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class Quadratic:
    """E = ½ (x - mean)ᵀ precision (x - mean), with s = -precision (x - mean)."""

    def __init__(self, mean: Tensor, precision: Tensor) -> None:
        """Take the mean (d,) and a symmetric precision (d, d).

        Raises:
            ValueError: The precision is not symmetric or its size is not the mean's.
        """
        size = mean.shape[0]
        if precision.shape != (size, size):
            raise ValueError(f"precision is {tuple(precision.shape)}, allowed is {(size, size)}")
        if not precision.allclose(precision.mT):
            raise ValueError("precision is not symmetric")
        self._mean = mean
        self._precision = precision

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score (K, d) at `x` (K, d)."""
        offset = x - self._mean
        score = -(offset @ self._precision)
        return -0.5 * (offset * score).sum(-1), score

    def laplacian(self, x: Tensor) -> Tensor:
        """Return ΔE = trace(precision) (K,) at `x` (K, d)."""
        return self._precision.trace().expand(len(x))
