"""A body moving freely in space: robot_localization's fifteen states."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.models.rotation import Column, Columns

_P, _Q, _V, _R, _A = slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 13), slice(13, 16)
_ATTITUDE = (3, 4, 5)
# Where A differs from the identity: dp/dθ but its diagonal, dp/dv, dp/dω, dp/da, dθ/dω, dv/da.
_SKEW = ((0, 4), (0, 5), (1, 3), (1, 5), (2, 3), (2, 4))
_ENTRIES = (
    *_SKEW,
    *((i, 6 + j) for i in range(3) for j in range(3)),
    *((i, 9 + j) for i in range(3) for j in range(3)),
    *((i, 12 + j) for i in range(3) for j in range(3)),
    *((3 + i, 9 + j) for i in range(3) for j in range(3)),
    *((6 + i, 12 + i) for i in range(3)),
)
_FLAT = np.array([15 * i + j for i, j in _ENTRIES])
_EYE = np.eye(15)


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

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:  # noqa: ARG002
        """Return the next state (…, 16); `u` is (…, 0)."""
        c = rotation.columns(x)
        half_turn, middle = _middle(c, dt)
        moved = rotation.times(rotation.matrix_columns(middle), _path(c, dt))
        following = rotation.stacked(x, _moved(c, middle, half_turn, moved, dt))
        return following if w is None else self.plus(following, w)

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A (…, 15, 15), B (…, 15, 0) and W (…, 15, 15), the identity."""
        return self.linearize(x, u, dt)[1]

    def linearize(self, x: Array, u: Array, dt: Any) -> tuple[Array, Jacobians]:  # noqa: ARG002
        """Return f(x, u, 0) and its Jacobians."""
        c = rotation.columns(x)
        half_turn, middle = _middle(c, dt)
        half_dt = 0.5 * dt
        half_dt2 = half_dt * dt
        M = rotation.matrix_columns(middle)
        R = rotation.matrix_columns(c[_Q])
        moved = px, py, pz = rotation.times(M, _path(c, dt))
        wx, wy, wz = c[_R]
        half = rotation.left_jacobian_columns((wx * half_dt, wy * half_dt, wz * half_dt))
        a, b, d, e, f, g, h, k, m = _product(R, half)
        whole = rotation.left_jacobian_columns((wx * dt, wy * dt, wz * dt))
        entries = [
            *(pz, -py, -pz, px, py, -px),
            *_scaled(M, dt),
            *_scaled(
                (
                    *(pz * e - py * h, pz * f - py * k, pz * g - py * m),
                    *(px * h - pz * a, px * k - pz * b, px * m - pz * d),
                    *(py * a - px * e, py * b - px * f, py * d - px * g),
                ),
                half_dt,
            ),
            *_scaled(M, half_dt2),
            *_scaled(_product(R, whole), dt),
            *(dt, dt, dt),
        ]
        if isinstance(px, float):
            A = _EYE.copy()
            A.reshape(-1)[_FLAT] = entries
            following = np.array(_moved(c, middle, half_turn, moved, dt))
            return following, Jacobians(A, np.empty((15, 0)), _EYE)
        A = zeros(x, 15, 15)
        for i in range(15):
            A[..., i, i] = 1.0
        for (i, j), entry in zip(_ENTRIES, entries, strict=True):
            A[..., i, j] = entry
        following = rotation.stacked(x, _moved(c, middle, half_turn, moved, dt))
        return following, Jacobians(A, zeros(x, 15, 0), broadcast_eye(x, 15))

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
        difference = values - x[_places(tuple(rows))]
        attitude = [i for i, row in enumerate(rows) if row in _ATTITUDE]
        if attitude:
            q = x[_Q].tolist()
            rpy = list(rotation.rpy_columns(q))
            for i in attitude:
                rpy[rows[i] - 3] = float(values[i])
            x_, y_, z_, w_ = q
            turn = rotation.product(rotation.from_rpy_columns(*rpy), (-x_, -y_, -z_, w_))
            error = _turned(rotation.log_columns(turn), rotation.heading_column(q))
            for i in attitude:
                difference[i] = error[rows[i] - 3]
        return difference

    def residual_jacobian(self, x: Array, rows: Sequence[int]) -> Array:
        """Return the rows (…, k, 15) of H: ones, and the heading's cosine and sine."""
        if not isinstance(x, np.ndarray) or x.ndim > 1:
            return super().residual_jacobian(x, rows)
        H = _selection(tuple(rows))
        if any(row in (3, 4) for row in rows):
            yaw = rotation.heading_column(x[_Q].tolist())
            f = rotation.functions(yaw)
            cos, sin = f.cos(yaw), f.sin(yaw)
            H = H.copy()
            for i, row in enumerate(rows):
                if row == 3:
                    H[i, 3], H[i, 4] = cos, sin
                elif row == 4:
                    H[i, 3], H[i, 4] = -sin, cos
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


def _middle(c: Columns, dt: Any) -> tuple[Columns, Columns]:
    """Return the turn of half a step and the attitude after it."""
    half = 0.5 * dt
    turn = rotation.exp_columns((c[10] * half, c[11] * half, c[12] * half))
    return turn, rotation.product(c[_Q], turn)


def _path(c: Columns, dt: Any) -> tuple[Column, ...]:
    """Return the distance covered in `dt`, in the body's axes."""
    half = 0.5 * dt * dt
    return c[7] * dt + c[13] * half, c[8] * dt + c[14] * half, c[9] * dt + c[15] * half


def _moved(c: Columns, middle: Columns, half_turn: Columns, path: Columns, dt: Any) -> list[Column]:
    """Return the next state's columns, `path` being in world axes."""
    qx, qy, qz, qw = rotation.unit(rotation.product(middle, half_turn))
    return [
        *(c[0] + path[0], c[1] + path[1], c[2] + path[2]),
        *(qx, qy, qz, qw),
        *(c[7] + c[13] * dt, c[8] + c[14] * dt, c[9] + c[15] * dt),
        *c[10:],
    ]


def _product(M: Columns, N: Columns) -> tuple[Column, ...]:
    """Return the nine entries of M N."""
    a, b, c, d, e, f, g, h, i = M
    p, q, r, s, t, u, v, w, x = N
    return (
        *(a * p + b * s + c * v, a * q + b * t + c * w, a * r + b * u + c * x),
        *(d * p + e * s + f * v, d * q + e * t + f * w, d * r + e * u + f * x),
        *(g * p + h * s + i * v, g * q + h * t + i * w, g * r + h * u + i * x),
    )


def _scaled(M: Columns, factor: Any) -> tuple[Column, ...]:
    """Return the nine entries of M times a factor."""
    a, b, c, d, e, f, g, h, i = M
    return (
        *(a * factor, b * factor, c * factor),
        *(d * factor, e * factor, f * factor),
        *(g * factor, h * factor, i * factor),
    )


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


@lru_cache(maxsize=256)
def _places(rows: tuple[int, ...]) -> NDArray[np.intp]:
    """Return where the outputs `rows` lie in a state; an attitude's is not used."""
    return np.array([row if row < 3 else row + 1 for row in rows], dtype=np.intp)


@lru_cache(maxsize=256)
def _selection(rows: tuple[int, ...]) -> NDArray[np.float64]:
    return _EYE[list(rows)]
