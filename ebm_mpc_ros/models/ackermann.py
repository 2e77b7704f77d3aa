"""A car-like robot on a plane."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ebm_mpc_ros.models.base import Array, Jacobians, Model, array_namespace, slip_axes, zeros

_STANDING = 0.01
"""Speed (m/s) up to which a turn tells nothing of the steering."""


class Ackermann(Model):
    """State (x, y, yaw, vx, steering), input (ax, steering_rate): kinematic bicycle.

    The position is that of the rear axle's middle, and yaw' = vx tan(steering)/L. Midpoint rule:
    with d = vx dt + ax dt²/2, the steering s half-way and D = d tan(s)/L the robot moves d along
    the heading yaw + D/2. The steering angle is measured as the turn rate that it makes. Noise w
    adds to the state; that of the position is given in the robot's own axes.
    """

    state_names = ("x", "y", "yaw", "vx", "steering")
    input_names = ("ax", "steering_rate")
    noise_names = ("x", "y", "yaw", "vx", "steering")
    state_size = 5
    option_names = ("wheelbase",)

    def __init__(self, *, wheelbase: float = 0.5) -> None:
        """Make a robot whose axles are `wheelbase` (m) apart.

        Raises:
            ValueError: `wheelbase` is not finite and positive.
        """
        if not 0.0 < wheelbase < math.inf:
            raise ValueError(f"wheelbase is {wheelbase}: it must be finite and positive")
        self.wheelbase = wheelbase

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs: the turn rate in place of the steering angle."""
        return ("x", "y", "yaw", "vx", "vyaw")

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, 5); the heading stays continuous, it is not wrapped."""
        following = _moved(x, u, dt, self._path(x, u, dt))
        return following if w is None else following + (slip_axes(x) @ w[..., None])[..., 0]

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A (…, 5, 5), B (…, 5, 2) and W (…, 5, 5)."""
        return self._jacobians(x, dt, self._path(x, u, dt))

    def linearize(self, x: Array, u: Array, dt: Any) -> tuple[Array, Jacobians]:
        """Return f(x, u, 0) and its Jacobians."""
        path = self._path(x, u, dt)
        return _moved(x, u, dt, path), self._jacobians(x, dt, path)

    def h(self, x: Array, v: Array | None = None) -> Array:
        """Return z (…, 5), vyaw being vx tan(steering)/L."""
        xp = array_namespace(x)
        z = xp.asarray(x, copy=True)
        z[..., 4] = x[..., 3] * xp.tan(x[..., 4]) / self.wheelbase
        # Yaw has the same place among states and outputs, so `plus` wraps it in either.
        return z if v is None else self.plus(z, v)

    def H(self, x: Array) -> Array:
        """Return the identity (…, 5, 5) but for the turn rate's row."""
        tan = array_namespace(x).tan(x[..., 4])
        H = zeros(x, 5, 5)
        for i in range(4):
            H[..., i, i] = 1.0
        H[..., 4, 3] = tan / self.wheelbase
        H[..., 4, 4] = x[..., 3] * (1.0 + tan * tan) / self.wheelbase
        return H

    def innovation(self, z: Array, x: Array) -> Array:
        """Return z ⊟ h(x) (…, 5), the heading's difference wrapped."""
        return self.minus(z, self.h(x))

    def state(self, outputs: Array) -> Array:
        """Return the state (…, 5) of such outputs; the wheels of a standing robot are straight."""
        xp = array_namespace(outputs)
        x = xp.asarray(outputs, copy=True)
        speed = x[..., 3]
        moving = abs(speed) > _STANDING
        steering = xp.atan(self.wheelbase * x[..., 4] / xp.where(moving, speed, 1.0))
        x[..., 4] = xp.where(moving, steering, 0.0)
        return x

    def _path(self, x: Array, u: Array, dt: Any) -> _Path:
        xp = array_namespace(x)
        half = 0.5 * dt
        length = (x[..., 3] + half * u[..., 0]) * dt
        curvature = xp.tan(x[..., 4] + half * u[..., 1]) / self.wheelbase
        turn = length * curvature
        middle = x[..., 2] + 0.5 * turn
        return _Path(length, curvature, turn, xp.cos(middle), xp.sin(middle))

    def _jacobians(self, x: Array, dt: Any, path: _Path) -> Jacobians:
        length, curvature, _, cos, sin = path
        A, B = zeros(x, 5, 5), zeros(x, 5, 2)
        for i in range(5):
            A[..., i, i] = 1.0
        along_x, along_y = -length * sin, length * cos
        A[..., 0, 2], A[..., 1, 2] = along_x, along_y
        half = 0.5 * dt
        # The turn's derivatives in speed and in steering angle, with those of the length.
        by_speed = dt * curvature
        by_steering = length * (1.0 / self.wheelbase + self.wheelbase * curvature * curvature)
        columns = (
            (dt * cos + 0.5 * by_speed * along_x, dt * sin + 0.5 * by_speed * along_y, by_speed),
            (0.5 * by_steering * along_x, 0.5 * by_steering * along_y, by_steering),
        )
        for j, column in enumerate(columns):
            for i, entry in enumerate(column):
                A[..., i, 3 + j] = entry
                B[..., i, j] = half * entry
            B[..., 3 + j, j] = dt
        return Jacobians(A, B, slip_axes(x))


class _Path(NamedTuple):
    """A step's length (m), curvature (1/m), turn (rad), and the heading half-way."""

    length: Array
    curvature: Array
    turn: Array
    cos: Array
    sin: Array


def _moved(x: Array, u: Array, dt: Any, path: _Path) -> Array:
    columns = [
        x[..., 0] + path.length * path.cos,
        x[..., 1] + path.length * path.sin,
        x[..., 2] + path.turn,
        x[..., 3] + u[..., 0] * dt,
        x[..., 4] + u[..., 1] * dt,
    ]
    return array_namespace(x).stack(columns, axis=-1)
