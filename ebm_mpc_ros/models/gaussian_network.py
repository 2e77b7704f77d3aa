"""A Gaussian of y whose centre and width a network tells, as an energy. NumPy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class GaussianNetwork(NamedTuple):
    """f(y, c) = ½ ‖(y - m(c)) / s(c)‖² - ½ ‖y‖², so that ½ ‖y‖² + f is a Gaussian's energy.

    (m, log s) = outer SiLU(weight SiLU(given c + offset) + bias) + skip c + middle, H units a
    layer, d coordinates.

    Attributes:
        given: Of the condition c (H, C).
        offset: (H,).
        weight: (H, H).
        bias: (H,).
        outer: (2d, H).
        skip: (2d, C).
        middle: (2d,).
    """

    given: Floats
    offset: Floats
    weight: Floats
    bias: Floats
    outer: Floats
    skip: Floats
    middle: Floats

    @property
    def variables(self) -> int:
        """Size d of y."""
        return len(self.middle) // 2

    @property
    def conditions(self) -> int:
        """Size C of c."""
        return int(self.given.shape[1])

    def at(self, c: Floats) -> PlacedGaussianNetwork:
        """Return f(·, c) at conditions (…, C)."""
        return PlacedGaussianNetwork(self, c)


class PlacedGaussianNetwork:
    """f(·, c) at given c."""

    def __init__(self, network: GaussianNetwork, c: Floats) -> None:
        """Take a network and conditions (…, C)."""
        self._network = network
        first, self._first_slope = _silu(c @ network.given.T + network.offset)
        second, self._second_slope = _silu(first @ network.weight.T + network.bias)
        told = second @ network.outer.T + c @ network.skip.T + network.middle
        d = network.variables
        self._centre = told[..., :d]
        self._precision = np.exp(-2.0 * told[..., d:])

    def value(self, y: Floats) -> Floats:
        """Return f (…,) at y (…, d)."""
        away = y - self._centre
        return np.asarray(0.5 * (self._precision * away * away - y * y).sum(-1))

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂f/∂y (…, d) and ∂²f/∂y² (…, d, d)."""
        precision = self._precision
        return precision * (y - self._centre) - y, (precision - 1.0)[..., None] * np.eye(
            y.shape[-1]
        )

    def mixed(self, y: Floats) -> Floats:
        """Return ∂²f/∂y∂c (…, d, C)."""
        network, d = self._network, self._network.variables
        back = (network.outer * self._second_slope[..., None, :]) @ network.weight
        by_c = (back * self._first_slope[..., None, :]) @ network.given + network.skip
        moved = by_c[..., :d, :] + 2.0 * (y - self._centre)[..., None] * by_c[..., d:, :]
        return np.asarray(-self._precision[..., None] * moved)


def _silu(z: Floats) -> tuple[Floats, Floats]:
    """Return SiLU(z) = z σ(z) and its slope, σ as tanh, which never overflows."""
    gate = 0.5 * (1.0 + np.tanh(0.5 * z))
    return z * gate, gate * (1.0 + z * (1.0 - gate))
