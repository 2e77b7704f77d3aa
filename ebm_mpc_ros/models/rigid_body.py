"""A body moving freely in space: robot_localization's fifteen states."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.models.base import (
    CANONICAL_STATES,
    Array,
    Jacobians,
    Model,
    array_namespace,
    broadcast_eye,
    zeros,
)
from ebm_mpc_ros.models.rigid_body_step import ENTRIES, step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.models.rotation import Column, Columns

_P, _Q, _V, _R, _A = slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 13), slice(13, 16)
_ATTITUDE = (3, 4, 5)
_FLAT = np.array([15 * i + j for i, j in ENTRIES])
_EYE = np.eye(15)
# Beyond a pitch of 84 degrees a yaw by itself says less and less of anything.
_STEEPEST = 10.0
_NO_INPUT = np.empty((15, 0))


class RigidBody(Model):
    """State (position, quaternion xyzw, velocity, angular velocity, acceleration), 16 numbers.

    Pose in the world, the rest in the body. Motion is robot_localization's, constant body
    acceleration and angular velocity without input, but moves along the attitude half-way: in
    a bend the other is off by half a step's turn. The attitude's error is a rotation vector in
    world axes, true = exp(δ) ⊗ estimate, which is what the covariance of nav_msgs/Odometry
    means. Attitude is measured about the axes of the heading frame (the world turned by yaw),
    where the masks' roll and pitch are what they say at any heading.
    """

    state_names = CANONICAL_STATES
    input_names = ()
    noise_names = CANONICAL_STATES
    state_size = 16
    additive_noise = True

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, 16); `u` is (…, 0)."""
        following = self.linearize(x, u, dt)[0]
        return following if w is None else self.plus(following, w)

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A (…, 15, 15), B (…, 15, 0) and W (…, 15, 15), the identity."""
        return self.linearize(x, u, dt)[1]

    def linearize(self, x: Array, u: Array, dt: Any) -> tuple[Array, Jacobians]:  # noqa: ARG002
        """Return f(x, u, 0) and its Jacobians."""
        following, entries = step(rotation.columns(x), dt)
        if isinstance(entries[0], float):
            A = _EYE.copy()
            A.reshape(-1)[_FLAT] = entries
            return np.array(following), Jacobians(A, _NO_INPUT, _EYE)
        A = zeros(x, 15, 15)
        for i in range(15):
            A[..., i, i] = 1.0
        for (i, j), entry in zip(ENTRIES, entries, strict=True):
            A[..., i, j] = entry
        B = zeros(x, 15, 0)
        return rotation.stacked(x, following), Jacobians(A, B, broadcast_eye(x, 15))

    def plus(self, x: Array, delta: Array) -> Array:
        """Return the state δ away: attitude exp(δ) ⊗ q, the rest added."""
        c, d = rotation.columns(x), rotation.columns(delta)
        turned = rotation.unit(rotation.product(rotation.exp_columns(d[3:6]), c[_Q]))
        rest = [a + b for a, b in zip(c[7:], d[6:], strict=True)]
        return rotation.stacked(x, [c[0] + d[0], c[1] + d[1], c[2] + d[2], *turned, *rest])

    def minus(self, a: Array, b: Array) -> Array:
        """Return δ with plus(b, δ) = a."""
        xp = array_namespace(a)
        turn = rotation.multiply(a[..., _Q], rotation.conjugate(b[..., _Q]))
        return xp.concat(
            [a[..., _P] - b[..., _P], rotation.log(turn), a[..., 7:] - b[..., 7:]], axis=-1
        )

    def h(self, x: Array, v: Array | None = None) -> Array:
        """Return the fifteen canonical values (…, 15)."""
        if v is not None:
            x = self.plus(x, _in_heading_frame(x, v, back=True))
        c = rotation.columns(x)
        return rotation.stacked(x, [*c[_P], *rotation.rpy_columns(c[_Q]), *c[7:]])

    def H(self, x: Array) -> Array:
        """Return the identity with the attitude's rows turned into the heading frame."""
        xp = array_namespace(x)
        yaw = rotation.heading(x[..., _Q])
        cos, sin = xp.cos(yaw), xp.sin(yaw)
        H = zeros(x, 15, 15)
        for i in range(15):
            H[..., i, i] = 1.0
        H[..., 3, 3] = H[..., 4, 4] = cos
        H[..., 3, 4] = sin
        H[..., 4, 3] = -sin
        return H

    def innovation(self, z: Array, x: Array) -> Array:
        """Return z ⊟ h(x) (…, 15), attitude about the axes of the heading frame of `x`."""
        return _in_heading_frame(x, self.minus(self.state(z), x), back=False)

    def residual(self, x: Array, rows: Sequence[int], values: Array) -> Array:
        """Return the innovation (…, k); without the attitude it is a difference of numbers."""
        if not isinstance(x, np.ndarray) or x.ndim > 1:
            return super().residual(x, rows, values)
        places, attitude, _, _ = _plan(tuple(rows))
        difference = values - x[places]
        if attitude:
            qx, qy, qz, qw = q = x[_Q].tolist()
            rpy = list(rotation.rpy_columns(q))
            for i, axis in attitude:
                rpy[axis] = float(values[i])
            turn = rotation.product(rotation.from_rpy_columns(*rpy), (-qx, -qy, -qz, qw))
            error = _turned(rotation.log_columns(turn), rotation.heading_column(q))
            for i, axis in attitude:
                difference[i] = error[axis]
        return difference

    def residual_jacobian(self, x: Array, rows: Sequence[int]) -> Array:
        """Return ∂ residual/∂δ (…, k, 15): ones, and the attitude's in the heading frame.

        Where yaw is measured and roll is not, a tilt changes the yaw by tan(pitch) of it.
        """
        if not isinstance(x, np.ndarray) or x.ndim > 1:
            return super().residual_jacobian(x, rows)
        _, attitude, yaw_alone, H = _plan(tuple(rows))
        if attitude:
            q = x[_Q].tolist()
            yaw = rotation.heading_column(q)
            cos, sin = math.cos(yaw), math.sin(yaw)
            H = H.copy()
            for i, axis in attitude:
                if axis == 0:
                    H[i, 3:5] = cos, sin
                elif axis == 1:
                    H[i, 3:5] = -sin, cos
                elif yaw_alone:
                    slope = math.tan(rotation.rpy_columns(q)[1])
                    slope = min(max(slope, -_STEEPEST), _STEEPEST)
                    H[i, 3:5] = slope * cos, slope * sin
        return H

    def state(self, outputs: Array) -> Array:
        """Return the state (…, 16) of fifteen canonical values."""
        c = rotation.columns(outputs)
        return rotation.stacked(outputs, [*c[:3], *rotation.from_rpy_columns(*c[3:6]), *c[6:]])

    def spread(self, x: Array, covariance: Array) -> Array:  # noqa: ARG002
        """Return the covariance itself: δ is the outputs' error, attitude in world axes."""
        return covariance

    def origin(self) -> tuple[float, ...]:
        """Return the state at rest, level, in the origin."""
        return (0.0,) * 6 + (1.0,) + (0.0,) * 9


def _turned(vector: Columns, yaw: Column) -> tuple[Column, ...]:
    """Return a vector of the world in the axes of the frame that is turned by `yaw`."""
    a, b, c = vector
    f = rotation.functions(yaw)
    cos, sin = f.cos(yaw), f.sin(yaw)
    return cos * a + sin * b, cos * b - sin * a, c


def _in_heading_frame(x: Array, delta: Array, *, back: bool) -> Array:
    c = rotation.columns(delta)
    yaw = rotation.heading(x[..., _Q])
    return rotation.stacked(delta, [*c[:3], *_turned(c[3:6], -yaw if back else yaw), *c[6:]])


class _Plan(NamedTuple):
    """How the outputs `rows` are measured.

    Attributes:
        places: Where they lie in a state; an attitude's is not used.
        attitude: (k, axis) of the attitude's rows.
        yaw_alone: Whether yaw is among them and roll is not.
        selection: H, the attitude being measured in world axes.
    """

    places: NDArray[np.intp]
    attitude: tuple[tuple[int, int], ...]
    yaw_alone: bool
    selection: NDArray[np.float64]


@lru_cache(maxsize=256)
def _plan(rows: tuple[int, ...]) -> _Plan:
    return _Plan(
        np.array([row if row < 3 else row + 1 for row in rows], dtype=np.intp),
        tuple((i, row - 3) for i, row in enumerate(rows) if row in _ATTITUDE),
        5 in rows and 3 not in rows,
        _EYE[list(rows)],
    )
