"""What bench/control.py holds ours to: the real-time iteration solved exactly, linear systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import piqp
import scipy.sparse as sp

from ebm_mpc_ros.models import Jacobians, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.control import ControlProblem

    Vector = NDArray[np.float64]

_COLD = 5


class ExactRTI:
    """The real-time iteration with its QP, our own but unscaled, solved by PIQP to 1e-10.

    Args:
        problem: What to solve, its states being vectors.
    """

    def __init__(self, problem: ControlProblem) -> None:
        self._problem = problem
        N = problem.horizon
        n, m = len(problem.model.state_names), len(problem.model.input_names)
        lower, upper = np.asarray(problem.state_lower), np.asarray(problem.state_upper)
        self._soft = np.flatnonzero(np.isfinite(lower) | np.isfinite(upper))
        self._bounds = lower[self._soft], upper[self._soft]
        self._weights = [
            np.diag(np.asarray(weights, dtype=float))
            for weights in (problem.state_weights, problem.terminal_weights, problem.input_weights)
        ]
        Q, Q_N, R = self._weights
        slacks = N * self._soft.size
        self._P = sp.block_diag(
            [*[Q] * N, Q_N, *[R] * N, problem.slack_weight * np.eye(slacks)], format="csc"
        )
        x, u = np.arange((N + 1) * n).reshape(N + 1, n), (N + 1) * n + np.arange(N * m)
        rows = np.broadcast_to(x[1:, :, None], (N, n, n + m))
        stage = np.concatenate([x[:-1], u.reshape(N, m)], axis=1)
        columns = np.broadcast_to(stage[:, None, :], rows.shape)
        self._places = np.r_[x.ravel(), rows.ravel()], np.r_[x.ravel(), columns.ravel()]
        selected = sp.eye(x.size, format="csr")[x[1:, self._soft].ravel()]
        self._G = sp.hstack([selected, sp.csr_matrix((slacks, N * m)), sp.eye(slacks)], "csc")
        self._sizes = x.size, u.size, slacks
        self._solver = piqp.SparseSolver()
        settings = self._solver.settings
        settings.eps_abs = settings.eps_rel = 1e-10
        settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = 1e-10
        self._ready = False
        self._plan: tuple[Vector, Vector] | None = None

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input (m,) for a reference (N+1, n) and a state (n,)."""
        if self._plan:
            about = shifted(self._problem.model, *self._plan, self._problem.dt)
            self._plan = self.solve(*about, reference, state)
        else:
            self._plan = reference, np.zeros((self._problem.horizon, self._weights[2].shape[0]))
            for _ in range(_COLD):
                self._plan = self.solve(*self._plan, reference, state)
        return self._plan[1][0]

    def solve(
        self, states: Vector, inputs: Vector, reference: Vector, state: Vector
    ) -> tuple[Vector, Vector]:
        """Return states (N+1, n) and inputs (N, m) of the QP about a trajectory.

        Raises:
            RuntimeError: PIQP did not solve it.
        """
        problem, model = self._problem, self._problem.model
        Q, Q_N, R = self._weights
        following, jacobians = model.linearize(states[:-1], inputs, problem.dt)
        values = -np.concatenate([jacobians.A, jacobians.B], axis=-1).ravel()
        x_size, u_size, slacks = self._sizes
        values = np.concatenate([np.ones(x_size), values])
        A = sp.csc_matrix((values, self._places), shape=(x_size, sum(self._sizes)))
        first = model.minus(state, states[0])
        b = np.concatenate([first, model.minus(following, states[1:]).ravel()])
        errors = model.minus(states, reference)
        gradient = [errors[:-1] @ Q, errors[-1:] @ Q_N, inputs @ R, np.zeros(slacks)]
        heights = model.minus(states[1:], np.array(model.origin()))[:, self._soft]
        free = np.full(x_size, np.inf), np.full(slacks, np.inf)
        data = {
            "c": np.concatenate([part.ravel() for part in gradient]),
            "A": A,
            "b": b,
            "h_l": (self._bounds[0] - heights).ravel(),
            "h_u": (self._bounds[1] - heights).ravel(),
            "x_l": np.concatenate([-free[0], (problem.input_lower - inputs).ravel(), -free[1]]),
            "x_u": np.concatenate([free[0], (problem.input_upper - inputs).ravel(), free[1]]),
        }
        if self._ready:
            self._solver.update(**data)
        else:
            self._solver.setup(P=self._P, G=self._G, **data)
            self._ready = True
        status = self._solver.solve()
        if status != piqp.PIQP_SOLVED:
            raise RuntimeError(f"PIQP: {status}")
        step = self._solver.result.x
        dx, du = step[:x_size], step[x_size : x_size + u_size]
        return model.plus(states, dx.reshape(states.shape)), inputs + du.reshape(inputs.shape)


def shifted(model: Model, states: Vector, inputs: Vector, dt: float) -> tuple[Vector, Vector]:
    """Return a plan one step later, the last input repeated."""
    last = model.f(states[-1:], inputs[-1:], dt)
    return np.concatenate([states[1:], last]), np.concatenate([inputs[1:], inputs[-1:]])


class Linear(Model):
    """x' = A x + B u on vectors (4,), for closed forms."""

    state_names = noise_names = ("a", "b", "c", "d")
    input_names = ("u", "v")
    state_size = 4

    def __init__(self, A: Vector, B: Vector) -> None:
        self.A, self.B = A, B

    def f(self, x: Vector, u: Vector, dt: float, w: Vector | None = None) -> Vector:  # noqa: ARG002
        """Return the next states (…, 4)."""
        return x @ self.A.T + u @ self.B.T + (0.0 if w is None else w)

    def jacobians(self, x: Vector, u: Vector, dt: float) -> Jacobians:  # noqa: ARG002
        """Return A, B and W of each."""
        A, B, W = (
            np.broadcast_to(M, (*x.shape[:-1], *M.shape)) for M in (self.A, self.B, np.eye(4))
        )
        return Jacobians(A, B, W)
