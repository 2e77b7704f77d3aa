"""The state-space model that the estimator, the controller and the policy share."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import array_api_compat
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Array = Any

CANONICAL_STATES = (
    *("x", "y", "z", "roll", "pitch", "yaw"),
    *("vx", "vy", "vz", "vroll", "vpitch", "vyaw"),
    *("ax", "ay", "az"),
)
"""robot_localization's fifteen states: pose in the world, twist and acceleration in the body."""
_ANGLES = ("roll", "pitch", "yaw")
# Arrays, for NumPy takes as long to convert a float as to wrap a horizon's headings.
_HALF_TURN, _TURN = np.array(math.pi), np.array(2.0 * math.pi)
_MOTION = {"f", "jacobians", "linearize"}


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

    A robot on a plane needs names, `f` and `jacobians`: the rest is right as it is where every
    state is a number or a heading and is measured as such.

    States are arrays (…, `state_size`); differences of states are error vectors δ
    (…, n = len(`state_names`)), taken by `minus` and applied by `plus`. Covariances, Jacobians
    and gains live in δ. Every function takes any leading batch dimensions and any array library
    that follows the array API standard. Units are SI: m, rad, s.
    """

    state_names: tuple[str, ...]
    """Names of the n error coordinates."""
    input_names: tuple[str, ...]
    """Names of the m inputs: accelerations, and rates of what steers."""
    noise_names: tuple[str, ...]
    """Names of the coordinates of w."""
    state_size: int
    """Length of a state array."""
    additive_noise: bool = False
    """Whether W is the identity."""
    step: float | None = None
    """Step in s that others are made of; None where they all are alike."""
    noise_density: Array | None = None
    """Its Q_w per second (q, q); None where that is its user's to say."""
    option_names: ClassVar[tuple[str, ...]] = ()
    """Names of the numbers that the constructor takes by keyword."""

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the p coordinates that `h` measures, a subset of `CANONICAL_STATES`."""
        return self.state_names

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

    def linearize(self, x: Array, u: Array, dt: Any) -> tuple[Array, Jacobians]:
        """Return f(x, u, 0) and its Jacobians; a model may share work between them."""
        return self.f(x, u, dt), self.jacobians(x, u, dt)

    def linearizer(
        self, dt: float, following: NDArray[np.float64], stages: NDArray[np.float64]
    ) -> Callable[[NDArray[np.float64], NDArray[np.float64]], None]:
        """Return a function of NumPy's (x, u) that writes what a controller needs at every tick.

        A model may override it to be fast: what is constant can be written once. A subclass that
        changes the motion gets this one, made of `linearize`, again.

        Args:
            dt: Step in seconds.
            following: Where f(x, u, 0) goes (N, state_size).
            stages: Where [A B] goes (N, n, n + m), zeros now, each entry's N numbers in one piece.
        """
        n = len(self.state_names)

        def write(x: NDArray[np.float64], u: NDArray[np.float64]) -> None:
            following[...], jacobians = self.linearize(x, u, dt)
            stages[..., :n], stages[..., n:] = jacobians.A, jacobians.B

        return write

    def __init_subclass__(cls) -> None:
        """Drop an inherited `linearizer` where what it stands for is overridden."""
        super().__init_subclass__()
        if "linearizer" not in vars(cls) and not _MOTION.isdisjoint(vars(cls)):
            cls.linearizer = Model.linearizer  # type: ignore[method-assign]

    def plus(self, x: Array, delta: Array) -> Array:
        """Return the state that lies δ (…, n) away from `x`; here x + δ with headings wrapped."""
        return self._wrapped(x + delta)

    def minus(self, a: Array, b: Array) -> Array:
        """Return the δ (…, n) for which plus(b, δ) is `a`; here a - b with headings wrapped."""
        return self._wrapped(a - b)

    def h(self, x: Array, v: Array | None = None) -> Array:
        """Return z (…, p), the values of `output_names`, attitude as roll, pitch, yaw.

        Args:
            x: States (…, state_size).
            v: Noise (…, p) in the innovation's coordinates; zero where omitted.
        """
        return x if v is None else self.plus(x, v)

    def H(self, x: Array) -> Array:
        """Return ∂ innovation(h(x), ·)/∂δ (…, p, n); here identities."""
        return broadcast_eye(x, len(self.state_names))

    def V(self, x: Array) -> Array:
        """Return ∂h/∂v (…, p, p): noise is given in the coordinates of the innovation."""
        return broadcast_eye(x, len(self.output_names))

    def innovation(self, z: Array, x: Array) -> Array:
        """Return z ⊟ h(x) (…, p), a coordinate for each of `output_names`."""
        return self.minus(z, x)

    def state(self, outputs: Array) -> Array:
        """Return the state (…, state_size) whose h is `outputs` (…, p)."""
        return outputs

    def residual(self, x: Array, rows: Sequence[int], values: Array) -> Array:
        """Return the innovation (…, k) of measuring `values` (…, k) of the outputs `rows`."""
        rows = list(rows)
        z = array_namespace(x).asarray(self.h(x), copy=True)
        z[..., rows] = values
        return self.innovation(z, x)[..., rows]

    def residual_jacobian(self, x: Array, rows: Sequence[int]) -> Array:
        """Return the rows (…, k, n) of H that go with `residual`."""
        return self.H(x)[..., list(rows), :]

    def spread(self, x: Array, covariance: Array) -> Array:
        """Return the covariance (…, p, p) of the outputs for that of δ (…, n, n).

        Attitude is a rotation vector in world axes, as in nav_msgs/Odometry.
        """
        H = self.H(x)
        return H @ covariance @ array_namespace(x).matrix_transpose(H)

    def origin(self) -> tuple[float, ...]:
        """Return the state at rest in the origin, `state_size` numbers."""
        return (0.0,) * self.state_size

    @cached_property
    def _angles(self) -> tuple[int, ...]:
        return tuple(i for i, name in enumerate(self.state_names) if name in _ANGLES)

    def _wrapped(self, x: Array) -> Array:
        """Return `x`, a new array, with its angles wrapped in place."""
        for i in self._angles:
            if not isinstance(x, np.ndarray):
                x[..., i] = wrap_angle(x[..., i])
            elif x.ndim == 1:
                x[i] = wrap_angle(x.item(i))
            else:
                angle = x[..., i]
                turned = angle + _HALF_TURN
                turned %= _TURN
                np.subtract(turned, _HALF_TURN, out=angle)
        return x


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


def slip_axes(x: Array) -> Array:
    """Return W (…, n, n) of states (…, n) that begin with x, y, yaw.

    Noise adds to the state; that of the position is given in the robot's own axes.
    """
    xp = array_namespace(x)
    size = x.shape[-1]
    W = zeros(x, size, size)
    cos, sin = xp.cos(x[..., 2]), xp.sin(x[..., 2])
    W[..., 0, 0] = W[..., 1, 1] = cos
    W[..., 1, 0] = sin
    W[..., 0, 1] = -sin
    for i in range(2, size):
        W[..., i, i] = 1.0
    return W


def wrap_angle(angle: Array) -> Array:
    """Return `angle` (rad), a float or an array, in [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi
