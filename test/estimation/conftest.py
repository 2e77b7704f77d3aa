"""A linear model, whose extended Kalman filter is the Kalman filter."""

import numpy as np
import pytest

from ebm_mpc_ros.models import Jacobians
from ebm_mpc_ros.models.base import Model


class Linear(Model):
    """Position and speed on two axes; x' = A(dt) x + B(dt) u + w."""

    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = ("x", "y", "vx", "vy")
    state_size = 4

    @staticmethod
    def matrices(dt):
        A, B = np.eye(4), np.zeros((4, 2))
        A[0, 2] = A[1, 3] = dt
        B[0, 0] = B[1, 1] = 0.5 * dt * dt
        B[2, 0] = B[3, 1] = dt
        return A, B

    def f(self, x, u, dt, w=None):
        A, B = self.matrices(dt)
        moved = A @ x + B @ u
        return moved if w is None else moved + w

    def jacobians(self, x, u, dt):
        A, B = self.matrices(dt)
        return Jacobians(A, B, np.eye(4))


@pytest.fixture
def linear():
    return Linear()
