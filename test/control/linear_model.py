"""A linear robot x' = A x + B u with vector states, for closed forms."""

import numpy as np

from ebm_mpc_ros.models import Jacobians, Model


class Linear(Model):
    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = state_names
    state_size = 4

    def __init__(self, A, B):
        self.A, self.B = A, B

    def f(self, x, u, dt, w=None):  # noqa: ARG002
        return x @ self.A.T + u @ self.B.T + (0 if w is None else w)

    def jacobians(self, x, u, dt):  # noqa: ARG002
        batch = x.shape[:-1]
        A, B = (np.broadcast_to(M, (*batch, *M.shape)) for M in (self.A, self.B))
        return Jacobians(A, B, np.broadcast_to(np.eye(4), (*batch, 4, 4)))

    def plus(self, x, delta):
        return x + delta

    def minus(self, a, b):
        return a - b

    def h(self, x, v=None):
        return x if v is None else x + v

    def H(self, x):  # noqa: ARG002
        return np.eye(4)

    def innovation(self, z, x):
        return z - x

    def origin(self):
        return (0.0,) * 4
