"""The state-space model that the estimator, the controller and the policy share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import array_api_compat
import numpy as np

Array = Any

CANONICAL_STATES = (
    *("x", "y", "z", "roll", "pitch", "yaw"),
    *("vx", "vy", "vz", "vroll", "vpitch", "vyaw"),
    *("ax", "ay", "az"),
)
"""robot_localization's fifteen states: pose in the world, twist and acceleration in the body."""


# NumPy 2 is an array-API library by itself; NumPy 1 needs the wrapper.
_NUMPY: Any = np if hasattr(np, "concat") else array_api_compat.array_namespace(np.zeros(1))


def array_namespace(array: Array) -> Any:
    """Return the array-API namespace of `array`, fast where it is NumPy's."""
    if isinstance(array, np.ndarray | np.generic):
        return _NUMPY
    return array_api_compat.array_namespace(array)


class Jacobians(NamedTuple):
    """A = ∂f/∂x (…, n, n), B = ∂f/∂u (…, n, m), W = ∂f/∂w (…, n, q), rows in error coordinates."""

    A: Array
    B: Array
    W: Array


class Model(ABC):
    """A robot x' = f(x, u, w), z = h(x, v), with w ~ N(0, Q_w), v ~ N(0, Q_v).

    States are arrays (…, `state_size`); differences of states are error vectors δ
    (…, n = len(`state_names`)), taken by `minus` and applied by `plus`. Covariances, Jacobians
    and gains live in δ. Every function takes any leading batch dimensions and any array library
    that follows the array API standard. Units are SI: m, rad, s.
    """

    state_names: ClassVar[tuple[str, ...]]
    """Names of the error coordinates, a subset of `CANONICAL_STATES`."""
    input_names: ClassVar[tuple[str, ...]]
    """Names of the inputs: accelerations."""
    noise_names: ClassVar[tuple[str, ...]]
    """Names of the coordinates of w."""
    state_size: ClassVar[int]
    """Length of a state array."""

    @abstractmethod
    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, state_size) after `dt` seconds.

        Args:
            x: States (…, state_size).
            u: Inputs (…, m).
            dt: Step in seconds, broadcast over the batch.
            w: Noise (…, q); zero where omitted.
        """

    @abstractmethod
    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A, B and W of `f` at (x, u, w = 0)."""

    @abstractmethod
    def plus(self, x: Array, delta: Array) -> Array:
        """Return the state that lies δ (…, n) away from `x`."""

    @abstractmethod
    def minus(self, a: Array, b: Array) -> Array:
        """Return the δ (…, n) for which plus(b, δ) is `a`."""

    @abstractmethod
    def h(self, x: Array, v: Array | None = None) -> Array:
        """Return the measured state z (…, state_size): `x`, disturbed by noise `v` (…, n)."""

    @abstractmethod
    def H(self, x: Array) -> Array:
        """Return ∂ innovation(h(x), ·)/∂δ (…, n, n); a sensor's mask selects its rows."""

    def V(self, x: Array) -> Array:
        """Return ∂h/∂v (…, n, n): noise is given in the coordinates of the innovation."""
        return broadcast_eye(x, len(self.state_names))

    @abstractmethod
    def innovation(self, z: Array, x: Array) -> Array:
        """Return z ⊟ h(x) (…, n), a coordinate for each of `state_names`."""

    def coordinates(self, x: Array) -> Array:
        """Return the values (…, n) of `state_names`, attitude as roll, pitch, yaw."""
        return x

    def observed(self, x: Array, rows: Array, values: Array) -> Array:
        """Return `x` with its `coordinates` in `rows` (k,) replaced by `values` (…, k)."""
        xp = array_namespace(x)
        z = xp.asarray(x, copy=True)
        z[..., rows] = values
        return z

    def residual(self, x: Array, rows: Array, values: Array) -> Array:
        """Return the innovation (…, k) of measuring `values` in the coordinates `rows`."""
        return self.innovation(self.observed(x, rows, values), x)[..., rows]

    @abstractmethod
    def origin(self) -> tuple[float, ...]:
        """Return the state at rest in the origin, `state_size` numbers."""


def broadcast_eye(x: Array, size: int) -> Array:
    """Return identity matrices (…, size, size) of the batch, library, type and device of `x`."""
    if isinstance(x, np.ndarray):
        return np.broadcast_to(np.eye(size, dtype=x.dtype), (*x.shape[:-1], size, size))
    xp = array_namespace(x)
    eye = xp.eye(size, dtype=x.dtype, device=array_api_compat.device(x))
    return xp.broadcast_to(eye, (*x.shape[:-1], size, size))


def zeros(x: Array, *shape: int) -> Array:
    """Return zeros (…, *shape) of the batch, library, type and device of `x`."""
    if isinstance(x, np.ndarray):
        return np.zeros((*x.shape[:-1], *shape), dtype=x.dtype)
    xp = array_namespace(x)
    return xp.zeros((*x.shape[:-1], *shape), dtype=x.dtype, device=array_api_compat.device(x))


def wrap_angle(angle: Array) -> Array:
    """Return `angle` (rad) in [-pi, pi)."""
    xp = array_namespace(angle)
    turn = 2.0 * xp.pi
    return (angle + xp.pi) % turn - xp.pi
