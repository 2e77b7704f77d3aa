"""A robot of the test's own, as somebody who has another one writes it."""

import numpy as np

from ebm_mpc_ros.models import Jacobians, Model

LAG = 0.1
STEP = 1e-6


class Lagging(Model):
    """A unicycle whose acceleration ahead follows the one that is asked for with a lag."""

    state_names = ("x", "y", "yaw", "vx", "vyaw", "ax")
    input_names = ("ax", "alpha")
    noise_names = state_names
    state_size = 6

    def f(self, x, u, dt, w=None):
        left = np.exp(-dt / LAG)
        lacking = x[..., 5] - u[..., 0]
        gain = u[..., 0] * dt + lacking * LAG * (1.0 - left)
        length = (x[..., 3] + 0.5 * gain) * dt
        turn = (x[..., 4] + 0.5 * dt * u[..., 1]) * dt
        middle = x[..., 2] + 0.5 * turn
        change = [
            *(length * np.cos(middle), length * np.sin(middle), turn),
            *(gain, u[..., 1] * dt, lacking * (left - 1.0)),
        ]
        following = x + np.stack(change, axis=-1)
        return following if w is None else following + w

    def jacobians(self, x, u, dt):
        def slopes(steps, by_state):
            columns = []
            for step in steps:
                ends = [
                    self.f(x + s * step, u, dt) if by_state else self.f(x, u + s * step, dt)
                    for s in (STEP, -STEP)
                ]
                columns.append((ends[0] - ends[1]) / (2.0 * STEP))
            return np.stack(columns, axis=-1)

        unit = np.broadcast_to(np.eye(6), (*x.shape[:-1], 6, 6))
        return Jacobians(slopes(np.eye(6), True), slopes(np.eye(2), False), unit)
