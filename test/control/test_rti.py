"""The real-time iteration against closed forms, an independent QP and a closed loop."""

import numpy as np
import osqp
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration, SolverSettings, Status
from ebm_mpc_ros.control.rti import Outcome
from ebm_mpc_ros.models import Jacobians, Model, load_model

DT = 0.05
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

    def plus(self, x, delta):
        return x + delta

    def minus(self, a, b):
        return a - b

    def h(self, x, v=None):
        return x if v is None else x + v

    def H(self, x):
        return np.eye(4)

    def innovation(self, z, x):
        return z - x

    def origin(self):
        return (0.0,) * 4


def random_problem(rng, *, bounded, horizon=10):
    A = np.eye(4) + 0.2 * rng.normal(size=(4, 4))
    B = rng.normal(size=(4, 2))
    return ControlProblem(
        model=Linear(A, B),
        dt=0.1,
        horizon=horizon,
        state_weights=rng.uniform(0.5, 5, 4),
        input_weights=rng.uniform(0.1, 1, 2),
        terminal_weights=rng.uniform(1, 10, 4),
        input_lower=-rng.uniform(0.1, 0.5, 2) if bounded else -NONE[:2],
        input_upper=rng.uniform(0.1, 0.5, 2) if bounded else NONE[:2],
        state_lower=np.array([-np.inf, -0.5, -np.inf, -np.inf]) if bounded else -NONE,
        state_upper=np.array([np.inf, 0.5, 0.7, np.inf]) if bounded else NONE,
        slack_weight=100.0,
    )


def solve_apart(problem, x0, reference):
    """Return the optimal inputs by a dense QP in absolute coordinates, states eliminated."""
    A, B, N = problem.model.A, problem.model.B, problem.horizon
    powers = [np.linalg.matrix_power(A, k) for k in range(N + 1)]
    free = np.concatenate([power @ x0 for power in powers])
    G = np.zeros((4 * (N + 1), 2 * N))
    for i in range(1, N + 1):
        for j in range(i):
            G[4 * i : 4 * i + 4, 2 * j : 2 * j + 2] = powers[i - 1 - j] @ B
    Q = np.diag(np.concatenate([np.tile(problem.state_weights, N), problem.terminal_weights]))
    R = np.diag(np.tile(problem.input_weights, N))
    rows = [
        4 * i + k
        for i in range(1, N + 1)
        for k in range(4)
        if np.isfinite(problem.state_lower[k]) or np.isfinite(problem.state_upper[k])
    ]
    lower = np.array([problem.state_lower[r % 4] for r in rows]) - free[rows]
    upper = np.array([problem.state_upper[r % 4] for r in rows]) - free[rows]
    slack = len(rows)
    P = np.block(
        [
            [G.T @ Q @ G + R, np.zeros((2 * N, slack))],
            [np.zeros((slack, 2 * N)), problem.slack_weight * np.eye(slack)],
        ]
    )
    q = np.concatenate([G.T @ Q @ (free - reference.ravel()), np.zeros(slack)])
    C = np.block([[np.eye(2 * N), np.zeros((2 * N, slack))], [G[rows], np.eye(slack)]])
    solver = osqp.OSQP()
    solver.setup(
        sp.csc_matrix(P),
        q,
        sp.csc_matrix(C),
        np.concatenate([np.tile(problem.input_lower, N), lower]),
        np.concatenate([np.tile(problem.input_upper, N), upper]),
        eps_abs=1e-9,
        eps_rel=1e-9,
        max_iter=200_000,
        check_dualgap=False,
        verbose=False,
    )
    result = solver.solve(raise_error=False)
    assert result.info.status_val == 1
    return result.x[: 2 * N].reshape(N, 2)


def tick(controller, reference, state):
    controller.prepare(reference)
    return controller.feedback(state)


def drive(controller, reference, state, ticks, horizon=20):
    """Return the distances from the reference of a closed loop on a finely integrated plant."""
    model, distances = load_model("diff_drive"), []
    for k in range(ticks):
        solution = tick(controller, reference[k : k + horizon + 1], state)
        assert solution.usable, solution.reason
        for _ in range(20):
            state = model.f(state, solution.inputs[0], DT / 20)
        distances.append(np.hypot(*(state - reference[k + 1])[:2]))
    return np.array(distances)


def test_without_bounds_the_first_gain_is_that_of_the_riccati_recursion():
    rng = np.random.default_rng(0)
    for _ in range(5):
        problem = random_problem(rng, bounded=False)
        A, B = problem.model.A, problem.model.B
        Q, R = np.diag(problem.state_weights), np.diag(problem.input_weights)
        P = np.diag(problem.terminal_weights)
        for _ in range(problem.horizon):
            K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
            P = Q + A.T @ P @ (A - B @ K)
        controller = RealTimeIteration(problem, TIGHT)
        gain = []
        for column in np.eye(4):
            controller.reset()
            gain.append(-tick(controller, np.zeros((11, 4)), column).inputs[0])
        np.testing.assert_allclose(np.array(gain).T, K, atol=1e-6)


def test_with_bounds_the_plan_is_that_of_an_independent_solver():
    rng = np.random.default_rng(1)
    at_bound = violating = 0
    for _ in range(100):
        problem = random_problem(rng, bounded=True, horizon=6)
        x0, reference = rng.normal(size=4), rng.normal(size=(7, 4))
        expected = solve_apart(problem, x0, reference)
        solution = tick(RealTimeIteration(problem, TIGHT), reference, x0)
        assert solution.usable, solution.reason
        np.testing.assert_allclose(solution.inputs, expected, atol=1e-4)
        at_bound += np.any(np.isclose(expected, problem.input_upper))
        violating += np.any(solution.states[1:, 2] > 0.7)
    assert at_bound > 30
    assert violating > 10


def test_a_warm_tick_gives_the_plan_of_a_cold_one():
    rng = np.random.default_rng(2)
    problem = random_problem(rng, bounded=True)
    warm = RealTimeIteration(problem, TIGHT)
    for _ in range(5):
        x0, reference = rng.normal(size=4), rng.normal(size=(11, 4))
        ours = tick(warm, reference, x0)
        fresh = tick(RealTimeIteration(problem, TIGHT), reference, x0)
        np.testing.assert_allclose(ours.inputs, fresh.inputs, atol=1e-5)


def test_the_figure_eight_is_tracked(make_problem, figure_eight):
    start = np.array([0.3, -0.3, 0.2, 0, 0])
    distances = drive(RealTimeIteration(make_problem()), figure_eight(421), start, 400)
    assert np.sqrt(np.mean(distances[100:] ** 2)) < 0.0135


def test_the_closed_loop_is_the_same_far_from_the_origin(make_problem, figure_eight):
    start = np.array([0.3, -0.3, 0.2, 0, 0])
    away = np.array([3e5, -4e5, 0, 0, 0])
    here = drive(RealTimeIteration(make_problem()), figure_eight(221), start, 200)
    there = drive(RealTimeIteration(make_problem()), figure_eight(221) + away, start + away, 200)
    rms = [np.sqrt(np.mean(d[100:] ** 2)) for d in (here, there)]
    np.testing.assert_allclose(*rms, rtol=0.01)


def test_the_heading_is_tracked_across_the_cut(make_problem):
    reference = np.zeros((21, 5))
    reference[:, 2] = np.pi
    solution = tick(RealTimeIteration(make_problem()), reference, [0, 0, -np.pi + 0.1, 0, 0])
    assert -0.2 < np.sum(solution.inputs[:, 1]) * DT < 0.0


def test_on_a_trackable_reference_nothing_is_done(make_problem):
    reference = np.zeros((41, 5))
    reference[:, 0] = 0.5 * DT * np.arange(41)
    reference[:, 3] = 0.5
    controller = RealTimeIteration(make_problem())
    for k in range(20):
        solution = tick(controller, reference[k : k + 21], reference[k])
        np.testing.assert_allclose(solution.inputs, 0.0, atol=1e-9)
        difference = solution.states - reference[k : k + 21]
        np.testing.assert_allclose(difference, 0.0, atol=1e-9)


@pytest.mark.parametrize("speed", [1.3, 2.0, 3.0])
def test_a_speed_beyond_its_bound_is_brought_back(make_problem, figure_eight, speed):
    model = load_model("diff_drive")
    controller, state = RealTimeIteration(make_problem()), np.array([0, 0, 0.78, speed, 0])
    reference = figure_eight(121)
    for k in range(60):
        solution = tick(controller, reference[k : k + 21], state)
        if k == 0:
            assert solution.inputs[0, 0] < -0.9
        if solution.usable:
            state = model.f(state, solution.inputs[0], DT)
    assert state[3] < 1.16


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ([np.nan, 0, 0, 0, 0], "not finite"),
        ([0, 0, np.inf, 0, 0], "not finite"),
        ([0, 0, 0, 0], "shape"),
        ([1e200, 0, 0, 0, 0], "far"),
    ],
)
def test_a_bad_state_is_refused_and_a_good_one_may_follow(make_problem, state, word):
    controller = RealTimeIteration(make_problem())
    controller.prepare(np.zeros((21, 5)))
    refused = controller.feedback(state)
    assert refused.status is Status.BAD_INPUT
    assert not refused.usable
    assert word in refused.reason
    assert np.isnan(refused.inputs).all()
    assert controller.feedback(np.zeros(5)).usable


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_bad_reference_is_refused_and_a_good_one_may_follow(make_problem, warm, bad):
    controller = RealTimeIteration(make_problem())
    if warm:
        tick(controller, np.zeros((21, 5)), np.zeros(5))
    reference = np.zeros((21, 5))
    reference[3, 1] = bad
    refused = tick(controller, reference, np.zeros(5))
    assert refused.status is Status.BAD_INPUT
    assert refused.reason
    assert tick(controller, np.zeros((21, 5)), np.full(5, 0.1)).usable


def test_a_reference_of_a_wrong_length_is_refused(make_problem):
    controller = RealTimeIteration(make_problem())
    assert "shape" in tick(controller, np.zeros((20, 5)), np.zeros(5)).reason


def test_feedback_needs_a_prepare(make_problem):
    controller = RealTimeIteration(make_problem())
    tick(controller, np.zeros((21, 5)), np.zeros(5))
    with pytest.raises(RuntimeError, match="prepare"):
        controller.feedback(np.zeros(5))


def test_an_unfinished_solve_is_not_usable_and_the_next_tick_recovers(make_problem):
    few = SolverSettings(max_iterations=1, check_interval=1, jump=100.0)
    controller = RealTimeIteration(make_problem(), few)
    reference = np.zeros((21, 5))
    assert tick(controller, reference, np.zeros(5)).usable
    unfinished = tick(controller, reference, [0.5, 0.5, 1, 1, 1])
    assert unfinished.status is Status.ITERATION_LIMIT
    assert "residual" in unfinished.reason
    assert not unfinished.usable
    assert tick(controller, reference, [0.5, 0.5, 1, 1, 1]).usable


@pytest.mark.parametrize("status", [Status.INFEASIBLE, Status.FAILED])
def test_values_of_a_failed_solve_never_escape(make_problem, monkeypatch, status):
    controller = RealTimeIteration(make_problem())
    reference = np.zeros((21, 5))
    tick(controller, reference, np.zeros(5))
    controller.prepare(reference)
    with monkeypatch.context() as patch:
        garbage = np.full(controller._qp.q.size, 2143289344.0)
        outcome = Outcome(status, 5, 0.0, garbage, np.full(controller._qp.lower.size, garbage[0]))
        patch.setattr(controller._solver, "solve", lambda *_: outcome)
        failed = controller.feedback(np.zeros(5))
    assert failed.status is status
    assert not failed.usable
    assert np.isnan(failed.inputs).all()
    assert np.isnan(failed.states).all()
    assert tick(controller, reference, np.full(5, 0.1)).usable


def test_a_jump_of_the_reference_is_given_more_iterations(make_problem):
    settings_ = SolverSettings(max_iterations=5)
    controller, reference = RealTimeIteration(make_problem(), settings_), np.zeros((21, 5))
    for _ in range(3):
        assert tick(controller, reference, np.zeros(5)).iterations <= 5
    reference[:, 0] = 1.0
    solution = tick(controller, reference, np.zeros(5))
    assert solution.iterations > 5
    assert solution.usable


def test_a_plan_cannot_be_altered_under_the_controller(make_problem):
    solution = tick(RealTimeIteration(make_problem()), np.zeros((21, 5)), np.full(5, 0.1))
    for plan in (solution.states, solution.inputs):
        with pytest.raises(ValueError, match="read-only"):
            plan[0] = np.nan


def test_plans_are_reproducible(make_problem, figure_eight):
    start, reference = np.array([0.3, -0.3, 0.2, 0, 0]), figure_eight(61)
    first, second = (drive(RealTimeIteration(make_problem()), reference, start, 40) for _ in "ab")
    np.testing.assert_array_equal(first, second)


numbers = st.floats(width=64) | st.floats(-10, 10)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    ticks=st.lists(
        st.tuples(
            st.lists(numbers, min_size=5, max_size=5), st.lists(numbers, min_size=5, max_size=5)
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_input_makes_a_usable_plan_that_is_not_finite_or_out_of_bounds(ticks):
    problem = ControlProblem(
        model=load_model("diff_drive"),
        dt=DT,
        horizon=5,
        state_weights=[20.0, 20.0, 2.0, 0.5, 0.1],
        input_weights=[0.1, 0.05],
        terminal_weights=[100.0, 100.0, 10.0, 2.5, 0.5],
        input_lower=[-1.0, -2.0],
        input_upper=[1.0, 2.0],
        state_lower=[-np.inf, -np.inf, -np.inf, -0.2, -1.7],
        state_upper=[np.inf, np.inf, np.inf, 1.15, 1.7],
    )
    controller = RealTimeIteration(problem)
    for reference, state in ticks:
        solution = tick(controller, np.tile(reference, (6, 1)), state)
        if solution.usable:
            assert np.isfinite(solution.states).all()
            assert np.all(np.abs(solution.inputs) <= [1.0, 2.0])
        else:
            assert solution.reason
    assert tick(controller, np.zeros((6, 5)), np.zeros(5)).usable
