"""A robot on wheels or tracks that slip sideways: in a bend it drifts outwards."""

from ebm_mpc_ros.models.base import Jacobians, Model, array_namespace, broadcast_eye, zeros

SLIP = 0.02  # m/s sideways, per m/s ahead and rad/s


class Slipping(Model):
    """x' = vx cos(yaw) - side sin(yaw), y' = vx sin(yaw) + side cos(yaw), side = -SLIP vx vyaw."""

    state_names = noise_names = ("x", "y", "yaw", "vx", "vyaw")
    input_names = ("ax", "alpha")
    state_size = 5

    def f(self, x, u, dt, w=None):
        _, _, along_x, along_y = motion(x)
        rates = (along_x, along_y, x[..., 4], u[..., 0], u[..., 1])
        columns = [x[..., i] + rate * dt for i, rate in enumerate(rates)]
        following = array_namespace(x).stack(columns, axis=-1)
        return following if w is None else following + w

    def jacobians(self, x, u, dt):
        A, B = zeros(x, 5, 5) + broadcast_eye(x, 5), zeros(x, 5, 2)
        cos, sin, along_x, along_y = motion(x)
        drift = -SLIP * dt
        A[..., 0, 2], A[..., 1, 2] = -along_y * dt, along_x * dt
        A[..., 0, 3] = cos * dt - drift * x[..., 4] * sin
        A[..., 1, 3] = sin * dt + drift * x[..., 4] * cos
        A[..., 0, 4], A[..., 1, 4] = -drift * x[..., 3] * sin, drift * x[..., 3] * cos
        A[..., 2, 4] = B[..., 3, 0] = B[..., 4, 1] = dt
        return Jacobians(A, B, broadcast_eye(x, 5))


def motion(x):
    """Return the heading's cosine and sine, and the velocity along the axes of odom."""
    xp = array_namespace(x)
    cos, sin, side = xp.cos(x[..., 2]), xp.sin(x[..., 2]), -SLIP * x[..., 3] * x[..., 4]
    return cos, sin, x[..., 3] * cos - side * sin, x[..., 3] * sin + side * cos
