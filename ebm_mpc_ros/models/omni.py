"""A holonomic robot on a plane."""

from __future__ import annotations

from typing import Any, NamedTuple

from ebm_mpc_ros.models.base import Array, Jacobians, Model, array_namespace, slip_axes, zeros


class Omni(Model):
    """State (x, y, yaw, vx, vy, vyaw), input (ax, ay, alpha): holonomic base, midpoint rule.

    With d = v dt + a dt²/2 in the body and D = vyaw dt + alpha dt²/2 the robot moves d turned by
    the heading yaw + D/2. Noise w adds to the state; that of the position is given in the robot's
    own axes, so that slip ahead and aside can differ.
    """

    state_names = ("x", "y", "yaw", "vx", "vy", "vyaw")
    input_names = ("ax", "ay", "alpha")
    noise_names = ("x", "y", "yaw", "vx", "vy", "vyaw")
    state_size = 6

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next state (…, 6); the heading stays continuous, it is not wrapped."""
        following = _moved(x, u, dt, _path(x, u, dt))
        return following if w is None else following + (slip_axes(x) @ w[..., None])[..., 0]

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A (…, 6, 6), B (…, 6, 3) and W (…, 6, 6)."""
        return _jacobians(x, dt, _path(x, u, dt))

    def linearize(self, x: Array, u: Array, dt: Any) -> tuple[Array, Jacobians]:
        """Return f(x, u, 0) and its Jacobians."""
        path = _path(x, u, dt)
        return _moved(x, u, dt, path), _jacobians(x, dt, path)


class _Path(NamedTuple):
    """What a step moves along x and y (m), what it turns, and the heading half-way (rad)."""

    along_x: Array
    along_y: Array
    turn: Array
    cos: Array
    sin: Array


def _path(x: Array, u: Array, dt: Any) -> _Path:
    xp = array_namespace(x)
    half = 0.5 * dt
    ahead = (x[..., 3] + half * u[..., 0]) * dt
    aside = (x[..., 4] + half * u[..., 1]) * dt
    turn = (x[..., 5] + half * u[..., 2]) * dt
    middle = x[..., 2] + 0.5 * turn
    cos, sin = xp.cos(middle), xp.sin(middle)
    return _Path(ahead * cos - aside * sin, ahead * sin + aside * cos, turn, cos, sin)


def _moved(x: Array, u: Array, dt: Any, path: _Path) -> Array:
    columns = [
        *(x[..., 0] + path.along_x, x[..., 1] + path.along_y, x[..., 2] + path.turn),
        *(x[..., 3 + i] + u[..., i] * dt for i in range(3)),
    ]
    return array_namespace(x).stack(columns, axis=-1)


def _jacobians(x: Array, dt: Any, path: _Path) -> Jacobians:
    A, B = zeros(x, 6, 6), zeros(x, 6, 3)
    for i in range(6):
        A[..., i, i] = 1.0
    A[..., 0, 2], A[..., 1, 2] = -path.along_y, path.along_x
    half = 0.5 * dt
    forward, sideways = dt * path.cos, dt * path.sin
    velocity = (
        (forward, sideways),
        (-sideways, forward),
        (-half * path.along_y, half * path.along_x),
    )
    for i, (along_x, along_y) in enumerate(velocity):
        A[..., 0, 3 + i], A[..., 1, 3 + i] = along_x, along_y
        B[..., 0, i], B[..., 1, i] = half * along_x, half * along_y
        B[..., 3 + i, i] = dt
    A[..., 2, 5] = dt
    B[..., 2, 2] = half * dt
    return Jacobians(A, B, slip_axes(x))
