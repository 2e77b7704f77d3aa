"""A network of two hidden layers of SiLU units and its derivatives, written out. NumPy only."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]

# Arrays, for NumPy takes long to convert a float.
_HALF, _ONE, _TWO = np.array(0.5), np.array(1.0), np.array(2.0)


class SiluNetwork(NamedTuple):
    """f(y, c) = outer · SiLU(weight SiLU(inner y + given c + offset) + bias), H units a layer.

    Attributes:
        inner: Of the variable y (H, d).
        given: Of the condition c (H, C).
        offset: (H,).
        weight: (H, H).
        bias: (H,).
        outer: (H,).
    """

    inner: Floats
    given: Floats
    offset: Floats
    weight: Floats
    bias: Floats
    outer: Floats

    @property
    def variables(self) -> int:
        """Size d of y."""
        return int(self.inner.shape[1])

    @property
    def conditions(self) -> int:
        """Size C of c."""
        return int(self.given.shape[1])

    def at(self, c: Floats) -> PlacedNetwork:
        """Return f(·, c) at conditions (…, C)."""
        return PlacedNetwork(self, c @ self.given.T + self.offset)


class PlacedNetwork:
    """f(·, c) at given c.

    What was computed is kept for the next question about the very same array y, which must not
    have been written to, and for as long as there is that array: it is far more than the rest.
    """

    def __init__(self, network: SiluNetwork, offset: Floats) -> None:
        """Take a network, and given c + offset (…, H)."""
        self._network, self._offset = network, offset
        self._asked: weakref.ref[Floats] | None = None
        # What enters the units of both layers (2, …, H), and its logistic function.
        self._layers: tuple[Floats, Floats] | None = None
        self._jet: _Jet | None = None

    def value(self, y: Floats) -> Floats:
        """Return f (…,) at y (…, d)."""
        entering, gates = self._at(y)
        return np.asarray((entering[1] * gates[1]) @ self._network.outer)

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂f/∂y (…, d) and ∂²f/∂y² (…, d, d)."""
        jet = self._jet_at(y)
        return jet.slope, jet.curvature

    def mixed(self, y: Floats) -> Floats:
        """Return ∂²f/∂y∂c (…, d, C)."""
        network, jet = self._network, self._jet_at(y)
        by_c = _through(network, jet.first_slope, network.given)
        return jet.first @ network.given + jet.second @ np.swapaxes(by_c, -1, -2)

    def _at(self, y: Floats) -> tuple[Floats, Floats]:
        layers = self._layers
        if layers is None or self._asked is None or self._asked() is not y:
            network = self._network
            entering = np.empty((2, *self._offset.shape))
            gates = np.empty_like(entering)
            np.matmul(y, network.inner.T, out=entering[0])
            entering[0] += self._offset
            _gate(entering[0], gates[0])
            np.matmul(entering[0] * gates[0], network.weight.T, out=entering[1])
            entering[1] += network.bias
            _gate(entering[1], gates[1])
            self._asked = weakref.ref(y, _forgetting(self))
            self._layers = layers = entering, gates
            self._jet = None
        return layers

    def forget(self) -> None:
        """Let go of what was computed."""
        self._asked = self._layers = self._jet = None

    def _jet_at(self, y: Floats) -> _Jet:
        z, gate = self._at(y)
        if self._jet is None:
            self._jet = _jet(self._network, z, gate)
        return self._jet


def _forgetting(network: PlacedNetwork) -> Callable[[object], None]:
    """Return what makes a network forget, which does not keep it alive itself."""
    asked = weakref.ref(network)

    def forget(_: object) -> None:
        network = asked()
        if network is not None:
            network.forget()

    return forget


class _Jet(NamedTuple):
    """Derivatives in y, and what those in c have in common with them.

    Attributes:
        slope: ∂f/∂y (…, d).
        curvature: ∂²f/∂y² (…, d, d).
        first_slope: SiLU' in the first layer (…, H).
        first: What enters its units by y, times SiLU'' and ∂f/∂ of the unit (…, d, H).
        second: The same of the second layer.
    """

    slope: Floats
    curvature: Floats
    first_slope: Floats
    first: Floats
    second: Floats


def _jet(network: SiluNetwork, z: Floats, gate: Floats) -> _Jet:
    """Return the derivatives where `z` (2, …, H) enters both layers, with SiLU(z) = z σ(z).

    SiLU' = σ + z σ (1 - σ) and SiLU'' = σ (1 - σ) (2 + z (1 - 2σ)).
    """
    rest = _ONE - gate
    product = gate * rest
    slopes = z * product
    slopes += gate
    rest -= gate
    rest *= z
    rest += _TWO
    rest *= product
    back = (network.outer * slopes[1]) @ network.weight
    slope = (back * slopes[0]) @ network.inner
    first = (back * rest[0])[..., None, :] * network.inner.T
    entering = _through(network, slopes[0], network.inner)
    second = entering * (network.outer * rest[1])[..., None, :]
    curvature = first @ network.inner
    curvature += second @ np.swapaxes(entering, -1, -2)
    return _Jet(slope, curvature, slopes[0], first, second)


def _through(network: SiluNetwork, slope: Floats, factor: Floats) -> Floats:
    """Return the derivatives (…, k, H) of what enters the second layer, by `factor` (H, k)."""
    moved = slope[..., None, :] * factor.T
    # One product of matrices in place of one for each of the batch.
    flat = moved.reshape(-1, moved.shape[-1]) @ network.weight.T
    return np.asarray(flat.reshape(moved.shape))


def _gate(z: Floats, out: Floats) -> None:
    """Write the logistic function, which as tanh never overflows."""
    np.multiply(z, _HALF, out=out)
    np.tanh(out, out=out)
    out += _ONE
    out *= _HALF
