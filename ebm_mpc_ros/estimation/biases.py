"""A model with slowly wandering sensor biases as further states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models import Jacobians, Model

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class WithBiases(Model):
    """`base` and biases b: x = (x_base, b), b' = b + w_b; the biases are outputs like the others.

    NumPy only, single states.
    """

    def __init__(self, base: Model, names: Sequence[str]) -> None:
        """Add a bias of each name to `base`."""
        self.base = base
        self.names = tuple(names)
        self.state_names = (*base.state_names, *self.names)
        self.input_names = base.input_names
        self.noise_names = (*base.noise_names, *self.names)
        self.state_size = base.state_size + len(self.names)
        self.additive_noise = base.additive_noise
        self.step = base.step
        self._n = len(base.state_names)
        self._p = len(base.output_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the base's outputs and of the biases."""
        return (*self.base.output_names, *self.names)

    def f(self, x: Vector, u: Vector, dt: float, w: Vector | None = None) -> Vector:
        """Return the next state; biases stay, but for their noise."""
        q = len(self.base.noise_names)
        moved, biases = self.base.f(self._own(x), u, dt, None if w is None else w[:q]), self._of(x)
        return np.concatenate((moved, biases if w is None else biases + w[q:]))

    def jacobians(self, x: Vector, u: Vector, dt: float) -> Jacobians:
        """Return A, B and W, block by block."""
        return self.linearize(x, u, dt)[1]

    def linearize(self, x: Vector, u: Vector, dt: float) -> tuple[Vector, Jacobians]:
        """Return f(x, u, 0) and its Jacobians."""
        following, (A, B, W) = self.base.linearize(self._own(x), u, dt)
        below = np.zeros((len(self.names), B.shape[1]))
        return np.concatenate((following, self._of(x))), Jacobians(
            self._blocks(A), np.concatenate((B, below)), self._blocks(W)
        )

    def plus(self, x: Vector, delta: Vector) -> Vector:
        """Return the base's sum, and the biases' beside it."""
        own = self.base.plus(self._own(x), delta[: self._n])
        return np.concatenate((own, self._of(x) + delta[self._n :]))

    def minus(self, a: Vector, b: Vector) -> Vector:
        """Return the base's difference, and the biases' beside it."""
        own = self.base.minus(self._own(a), self._own(b))
        return np.concatenate((own, self._of(a) - self._of(b)))

    def h(self, x: Vector, v: Vector | None = None) -> Vector:
        """Return the base's outputs and the biases."""
        own = self.base.h(self._own(x), None if v is None else v[: self._p])
        return np.concatenate((own, self._of(x) if v is None else self._of(x) + v[self._p :]))

    def H(self, x: Vector) -> Matrix:
        """Return the base's H and ones for the biases."""
        return self._blocks(self.base.H(self._own(x)))

    def innovation(self, z: Vector, x: Vector) -> Vector:
        """Return the base's innovation, and the biases' difference."""
        own = self.base.innovation(z[: self._p], self._own(x))
        return np.concatenate((own, z[self._p :] - self._of(x)))

    def residual(self, x: Vector, rows: Sequence[int], values: Any) -> Vector:
        """Return the innovation (k,) of measuring the base's outputs `rows`."""
        return np.asarray(self.base.residual(self._own(x), rows, values))

    def residual_jacobian(self, x: Vector, rows: Sequence[int]) -> Matrix:
        """Return the rows (k, n) of H; those of the base are zero for the biases."""
        H = np.zeros((len(rows), len(self.state_names)))
        own = [i for i, row in enumerate(rows) if row < self._p]
        if own:
            H[own, : self._n] = self.base.residual_jacobian(self._own(x), [rows[i] for i in own])
        for i, row in enumerate(rows):
            if row >= self._p:
                H[i, self._n + row - self._p] = 1.0
        return H

    def state(self, outputs: Vector) -> Vector:
        """Return the state of outputs and biases."""
        return np.concatenate((self.base.state(outputs[: self._p]), outputs[self._p :]))

    def spread(self, x: Vector, covariance: Matrix) -> Matrix:
        """Return the covariance of the base's outputs alone."""
        n = self._n
        return np.asarray(self.base.spread(self._own(x), covariance[:n, :n]))

    def origin(self) -> tuple[float, ...]:
        """Return the base's origin without bias."""
        return (*self.base.origin(), *(0.0 for _ in self.names))

    def _own(self, x: Vector) -> Vector:
        return x[: self.base.state_size]

    def _of(self, x: Vector) -> Vector:
        return x[self.base.state_size :]

    def _blocks(self, matrix: Matrix) -> Matrix:
        rows, columns = matrix.shape
        extra = len(self.names)
        out = np.zeros((rows + extra, columns + extra))
        out[:rows, :columns] = matrix
        out[range(rows, rows + extra), range(columns, columns + extra)] = 1.0
        return out
