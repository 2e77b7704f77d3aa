"""The optimal control problem of a linear model, solved exactly and apart from the package."""

import numpy as np
from scipy.optimize import nnls

from ebm_mpc_ros.control import ControlProblem, SolverSettings
from ebm_mpc_ros.models import Jacobians, Model

TIGHT = SolverSettings(
    eps_abs=1e-9,
    eps_rel=1e-9,
    max_iterations=20_000,
    cold_start_iterations=20_000,
    sqp_iterations=2,
)
NONE = np.full(4, np.inf)


class Linear(Model):
    # x' = A x + B u with vector states, for closed forms.
    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = state_names
    state_size = 4

    def __init__(self, A, B):
        self.A, self.B = A, B

    def f(self, x, u, dt, w=None):
        return x @ self.A.T + u @ self.B.T + (0 if w is None else w)

    def jacobians(self, x, u, dt):
        batch = x.shape[:-1]
        A, B = (np.broadcast_to(M, (*batch, *M.shape)) for M in (self.A, self.B))
        return Jacobians(A, B, np.broadcast_to(np.eye(4), (*batch, 4, 4)))


def double_integrator(dt=0.1):
    A, B = np.eye(4), np.zeros((4, 2))
    A[0, 2] = A[1, 3] = dt
    B[0, 0] = B[1, 1] = 0.5 * dt * dt
    B[2, 0] = B[3, 1] = dt
    return Linear(A, B)


def unbounded(model, **changes):
    fields = {
        "model": model,
        "dt": 0.1,
        "horizon": 10,
        "state_weights": np.ones(4),
        "input_weights": np.ones(2),
        "terminal_weights": np.ones(4),
        "input_lower": -NONE[:2],
        "input_upper": NONE[:2],
        "state_lower": -NONE,
        "state_upper": NONE,
    }
    return ControlProblem(**(fields | changes))


def random_problem(rng, *, bounded, horizon=10, **changes):
    model = Linear(np.eye(4) + 0.2 * rng.normal(size=(4, 4)), rng.normal(size=(4, 2)))
    fields = {
        "horizon": horizon,
        "state_weights": rng.uniform(0.5, 5, 4),
        "input_weights": rng.uniform(0.1, 1, 2),
        "terminal_weights": rng.uniform(1, 10, 4),
        "slack_weight": 100.0,
    }
    if bounded:
        fields |= {
            "input_lower": -rng.uniform(0.1, 0.5, 2),
            "input_upper": rng.uniform(0.1, 0.5, 2),
            "state_lower": np.array([-np.inf, -0.5, -np.inf, -np.inf]),
            "state_upper": np.array([np.inf, 0.5, 0.7, np.inf]),
        }
    return unbounded(model, **(fields | changes))


def random_matrix(rng, size):
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


class Rows:
    """Rows C z <= d of a QP in inputs and slacks."""

    def __init__(self, inputs, slacks):
        self._inputs, self._slacks = inputs, slacks
        self.C, self.d = [], []

    def at_most(self, of_inputs, value, slack=None):
        if np.isfinite(value):
            row = np.concatenate([of_inputs, np.zeros(self._slacks)])
            if slack is not None:
                row[self._inputs + slack] = -1.0
            self.C.append(row)
            self.d.append(value)


def exact_inputs(problem, x0, reference, *, sent=None, half_planes=None):
    """Return the optimal inputs (N, 2), states eliminated, from the dual by an active set.

    Variables are the inputs, a slack for each finite bound of a state, and one for each stage.
    """
    N, n, m = problem.horizon, 4, 2
    free, G = _rolled(problem, x0)
    Q = np.kron(np.eye(N), problem.Q)
    Q[-n:, -n:] = problem.Q_N
    change = (np.eye(N * m) - np.eye(N * m, k=-m)) / problem.dt
    S = np.kron(np.eye(N), problem.S)
    first = np.zeros(N * m)
    if sent is not None:
        first[:m] = np.asarray(sent) / problem.dt
    H = G.T @ Q @ G + np.kron(np.eye(N), problem.R) + change.T @ S @ change
    g = G.T @ Q @ (free - reference[1:].ravel()) - change.T @ S @ first

    bounds = [
        (n * i + k, sign, sign * side[k])
        for i in range(N)
        for k in range(n)
        for sign, side in ((-1.0, problem.state_lower), (1.0, problem.state_upper))
        if np.isfinite(side[k])
    ]
    counts = [len(bounds), 0 if half_planes is None else N]
    slacks = sum(counts)
    weights = np.repeat([problem.slack_weight, problem.half_plane_weight], counts)
    linear = np.repeat([problem.slack_weight_l1, problem.half_plane_weight_l1], counts)
    corner = np.zeros((N * m, slacks))
    P = np.block([[H, corner], [corner.T, np.diag(weights)]])

    rows = Rows(N * m, slacks)
    limits = problem.input_rate_limits
    limits = np.full(m, np.inf) if limits is None else limits
    for j, unit in enumerate(np.eye(N * m)):
        rows.at_most(unit, problem.input_upper[j % m])
        rows.at_most(-unit, -problem.input_lower[j % m])
        rows.at_most(change[j], limits[j % m] + first[j])
        rows.at_most(-change[j], limits[j % m] - first[j])
    for slack, (row, sign, bound) in enumerate(bounds):
        rows.at_most(sign * G[row], bound - sign * free[row], slack)
    for i in range(counts[1]):
        position = slice(n * i, n * i + 2)
        for normal, offset in zip(half_planes.normals[i], half_planes.offsets[i], strict=True):
            rows.at_most(-normal @ G[position], normal @ free[position] - offset, counts[0] + i)
    for slack in range(slacks):
        rows.at_most(np.zeros(N * m), 0.0, slack)
    z = _optimum(P, np.concatenate([g, linear]), np.array(rows.C), np.array(rows.d))
    return z[: N * m].reshape(N, m)


def _rolled(problem, x0):
    """Return the states 1 … N without inputs (4N,), and their derivative in the inputs (4N, 2N)."""
    A, B, N = problem.model.A, problem.model.B, problem.horizon
    powers = [np.linalg.matrix_power(A, k) for k in range(N + 1)]
    G = np.zeros((4 * N, 2 * N))
    for i in range(N):
        for j in range(i + 1):
            G[4 * i : 4 * i + 4, 2 * j : 2 * j + 2] = powers[i - j] @ B
    return np.concatenate([power @ x0 for power in powers[1:]]), G


def _optimum(P, q, C, d):
    """Return the z that minimises zᵀPz/2 + qᵀz with C z <= d.

    The active set is that of Lawson and Hanson's least distance, mended where rounding spoilt it.
    """
    L = np.linalg.cholesky(P)
    # y = Lᵀ z + L⁻¹ q is as short as it can be where E y >= f.
    E = -np.linalg.solve(L, C.T).T
    f = -d + E @ np.linalg.solve(L, q)
    length = np.linalg.norm(E, axis=1)
    M = np.vstack([E.T / length, f / length / max(1.0, np.max(f / length))])
    active = nnls(M, np.append(np.zeros(len(q)), 1.0), maxiter=100 * len(f))[0] > 0.0
    for _ in range(50):
        size = np.count_nonzero(active)
        kkt = np.block([[P, C[active].T], [C[active], np.zeros((size, size))]])
        found = np.linalg.lstsq(kkt, np.concatenate([-q, d[active]]), rcond=None)[0]
        z, duals = found[: len(q)], np.zeros(len(d))
        duals[active] = found[len(q) :]
        violated, pulling = C @ z - d > 1e-9, duals < -1e-9
        # These are the conditions of the optimum: nothing rests on how the set was found.
        if not np.any(violated | pulling):
            return z
        active = (active | violated) & ~pulling
    raise AssertionError("no active set was found")


def tick(controller, reference, state, **given):
    controller.prepare(reference, **given)
    return controller.feedback(state)
