"""A body moving freely in space: robot_localization's fifteen states."""

from __future__ import annotations

from typing import Any

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

_P, _Q, _V, _R, _A = slice(0, 3), slice(3, 7), slice(7, 10), slice(10, 13), slice(13, 16)
_DP, _DQ, _DV, _DR, _DA = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 12), slice(12, 15)


class RigidBody(Model):
    """State (position, quaternion xyzw, velocity, angular velocity, acceleration), 16 numbers.

    Pose in the world, the rest in the body. Motion is robot_localization's: constant body
    acceleration and angular velocity; no input. The attitude's error is a rotation vector in
    world axes, true = exp(δ) ⊗ estimate, which is what the covariance of nav_msgs/Odometry
    means. Attitude is measured about the axes of the heading frame (the world turned by yaw),
    where the masks' roll and pitch are what they say at any heading.
    """

    state_names = CANONICAL_STATES
    input_names = ()
    noise_names = CANONICAL_STATES
    state_size = 16

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:  # noqa: ARG002
        """Return the next state (…, 16); `u` is (…, 0)."""
        xp = array_namespace(x)
        path = _path(x, dt)
        moved = (rotation.matrix(x[..., _Q]) @ path[..., None])[..., 0]
        turned = rotation.multiply(x[..., _Q], rotation.exp(x[..., _R] * dt))
        following = xp.concat(
            [
                x[..., _P] + moved,
                rotation.normalize(turned),
                x[..., _V] + x[..., _A] * dt,
                x[..., _R],
                x[..., _A],
            ],
            axis=-1,
        )
        return following if w is None else self.plus(following, w)

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:  # noqa: ARG002
        """Return A (…, 15, 15), B (…, 15, 0) and W (…, 15, 15), the identity."""
        R = rotation.matrix(x[..., _Q])
        moved = (R @ _path(x, dt)[..., None])[..., 0]
        A = zeros(x, 15, 15)
        for i in range(15):
            A[..., i, i] = 1.0
        A[..., _DP, _DQ] = -rotation.skew(moved)
        A[..., _DP, _DV] = R * dt
        A[..., _DP, _DA] = R * (0.5 * dt * dt)
        A[..., _DQ, _DR] = (R @ rotation.left_jacobian(x[..., _R] * dt)) * dt
        for i in range(3):
            A[..., 6 + i, 12 + i] = dt
        return Jacobians(A, zeros(x, 15, 0), broadcast_eye(x, 15))

    def plus(self, x: Array, delta: Array) -> Array:
        """Return the state δ away: attitude exp(δ) ⊗ q, the rest added."""
        xp = array_namespace(x)
        turned = rotation.multiply(rotation.exp(delta[..., _DQ]), x[..., _Q])
        return xp.concat(
            [
                x[..., _P] + delta[..., _DP],
                rotation.normalize(turned),
                x[..., 7:] + delta[..., 6:],
            ],
            axis=-1,
        )

    def minus(self, a: Array, b: Array) -> Array:
        """Return δ with plus(b, δ) = a."""
        xp = array_namespace(a)
        turn = rotation.multiply(a[..., _Q], rotation.conjugate(b[..., _Q]))
        return xp.concat(
            [a[..., _P] - b[..., _P], rotation.log(turn), a[..., 7:] - b[..., 7:]], axis=-1
        )

    def h(self, x: Array, v: Array | None = None) -> Array:
        """Return the state itself, disturbed by `v` (attitude in the heading frame)."""
        if v is None:
            return x
        return self.plus(x, self._in_heading_frame(x, v, back=True))

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
        """Return z ⊟ x (…, 15), attitude about the axes of the heading frame of `x`."""
        return self._in_heading_frame(x, self.minus(z, x), back=False)

    def coordinates(self, x: Array) -> Array:
        """Return the fifteen canonical values (…, 15)."""
        xp = array_namespace(x)
        rpy = xp.stack(rotation.to_rpy(x[..., _Q]), axis=-1)
        return xp.concat([x[..., _P], rpy, x[..., 7:]], axis=-1)

    def observed(self, x: Array, rows: Array, values: Array) -> Array:
        """Return `x` with its `coordinates` in `rows` (k,) replaced by `values` (…, k)."""
        xp = array_namespace(x)
        z = super().observed(self.coordinates(x), rows, values)
        attitude = rotation.from_rpy(z[..., 3], z[..., 4], z[..., 5])
        return xp.concat([z[..., :3], attitude, z[..., 6:]], axis=-1)

    def residual(self, x: Array, rows: Array, values: Array) -> Array:
        """Return the innovation (…, k); without the attitude it is a difference of numbers."""
        if all(row < 3 or row > 5 for row in rows):
            position_and_rest = [row if row < 3 else row + 1 for row in rows]
            return values - x[..., position_and_rest]
        return super().residual(x, rows, values)

    def origin(self) -> tuple[float, ...]:
        """Return the state at rest, level, in the origin."""
        return (0.0,) * 6 + (1.0,) + (0.0,) * 9

    @staticmethod
    def _in_heading_frame(x: Array, delta: Array, *, back: bool) -> Array:
        xp = array_namespace(x)
        yaw = rotation.heading(x[..., _Q])
        cos, sin = xp.cos(yaw), xp.sin(yaw)
        if back:
            sin = -sin
        a, b = delta[..., 3], delta[..., 4]
        turned = xp.stack([cos * a + sin * b, -sin * a + cos * b], axis=-1)
        return xp.concat([delta[..., :3], turned, delta[..., 5:]], axis=-1)


def _path(x: Array, dt: Any) -> Array:
    """Return the distance covered in `dt`, in the body's axes at its start (…, 3)."""
    return x[..., _V] * dt + x[..., _A] * (0.5 * dt * dt)
