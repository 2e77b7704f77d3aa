"""A differential-drive robot on a plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.models.base import (
    Array,
    Jacobians,
    Model,
    array_namespace,
    slip_axes,
    zeros,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class DiffDrive(Model):
    """State (x, y, yaw, vx, vyaw), input (ax, alpha): second-order unicycle, midpoint rule.

    With d = vx dt + ax dt²/2 and D = vyaw dt + alpha dt²/2 the robot moves d along the heading
    yaw + D/2. Noise w adds to the state; that of the position is given in the robot's own axes,
    so that slip along the wheels and across them can differ.
    """

    state_names = ("x", "y", "yaw", "vx", "vyaw")
    input_names = ("ax", "alpha")
    noise_names = ("x", "y", "yaw", "vx", "vyaw")
    state_size = 5

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, 5); the heading stays continuous, it is not wrapped."""
        xp = array_namespace(x)
        yaw, speed, rate = x[..., 2], x[..., 3], x[..., 4]
        step, turn, middle = _arc(x, u, dt)
        columns = [
            x[..., 0] + step * xp.cos(middle),
            x[..., 1] + step * xp.sin(middle),
            yaw + turn,
            speed + u[..., 0] * dt,
            rate + u[..., 1] * dt,
        ]
        following = xp.stack(columns, axis=-1)
        return following if w is None else following + (slip_axes(x) @ w[..., None])[..., 0]

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A (…, 5, 5), B (…, 5, 2) and W (…, 5, 5)."""
        xp = array_namespace(x)
        step, _, middle = _arc(x, u, dt)
        cos, sin = xp.cos(middle), xp.sin(middle)
        half = 0.5 * dt
        A, B = zeros(x, 5, 5), zeros(x, 5, 2)
        for i in range(5):
            A[..., i, i] = 1.0
        A[..., 0, 2] = -step * sin
        A[..., 1, 2] = step * cos
        A[..., 0, 3] = dt * cos
        A[..., 1, 3] = dt * sin
        A[..., 0, 4] = -half * step * sin
        A[..., 1, 4] = half * step * cos
        A[..., 2, 4] = dt
        B[..., 0, 0] = half * dt * cos
        B[..., 1, 0] = half * dt * sin
        B[..., 0, 1] = -half * half * step * sin
        B[..., 1, 1] = half * half * step * cos
        B[..., 2, 1] = half * dt
        B[..., 3, 0] = dt
        B[..., 4, 1] = dt
        return Jacobians(A, B, slip_axes(x))

    def linearizer(self, dt: float, following: Vector, stages: Vector) -> Callable[..., None]:
        """Return a function of (x, u) that writes f(x, u, 0) and [A B].

        d and D are means of the speeds before and after, times dt. As NumPy's calls take longer
        than its sums, what is constant is made here: numbers as arrays, and views of the places.
        """
        for i in range(5):
            stages[:, i, i] = 1.0
        stages[:, 2, 4] = stages[:, 3, 5] = stages[:, 4, 6] = dt
        stages[:, 2, 6] = 0.5 * dt * dt
        whole, half, quarter = np.array(dt), np.array(0.5 * dt), np.array(0.25 * dt)
        next_x, next_y, next_yaw, next_speed, next_rate = following.T
        # Derivatives (2, N) of the position.
        by_yaw, by_speed, by_rate, by_ax, by_alpha = stages.T[2:, :2]
        x_by_yaw, along = by_yaw
        direction = np.zeros((2, len(following)))
        cos, sin = direction

        def write(state: Vector, u: Vector) -> None:
            x, y, yaw, speed, rate = state.T
            speed_gain, rate_gain = (u * whole).T
            np.add(speed, speed_gain, out=next_speed)
            np.add(rate, rate_gain, out=next_rate)
            step = speed + next_speed
            step *= half
            half_turn = rate + next_rate
            half_turn *= quarter
            middle = yaw + half_turn
            np.add(middle, half_turn, out=next_yaw)
            np.cos(middle, out=cos)
            np.sin(middle, out=sin)
            np.multiply(step, cos, out=along)
            across = step * sin
            np.negative(across, out=x_by_yaw)
            np.add(x, along, out=next_x)
            np.add(y, across, out=next_y)
            np.multiply(direction, whole, out=by_speed)
            np.multiply(by_speed, half, out=by_ax)
            np.multiply(by_yaw, half, out=by_rate)
            np.multiply(by_rate, half, out=by_alpha)

        return write


def _arc(x: Array, u: Array, dt: Any) -> tuple[Array, Array, Array]:
    """Return the path length, the turn and the heading half-way (m, rad, rad)."""
    step = (x[..., 3] + 0.5 * dt * u[..., 0]) * dt
    turn = (x[..., 4] + 0.5 * dt * u[..., 1]) * dt
    return step, turn, x[..., 2] + 0.5 * turn
