"""Plans against closed forms and against a QP solved exactly and apart."""

import numpy as np
import pytest
from exact import (
    TIGHT,
    double_integrator,
    exact_inputs,
    random_matrix,
    random_problem,
    tick,
    unbounded,
)
from scipy.linalg import solve_discrete_are

from ebm_mpc_ros.control import HalfPlanes, RealTimeIteration


def gain(problem):
    """Return the gain (2, 4) of the first input."""
    controller = RealTimeIteration(problem, TIGHT)
    columns = []
    for column in np.eye(4):
        controller.reset()
        columns.append(-tick(controller, np.zeros((problem.horizon + 1, 4)), column).inputs[0])
    return np.array(columns).T


def backwards(problem):
    """Return the first gain of the Riccati recursion."""
    A, B = problem.model.A, problem.model.B
    P = problem.Q_N
    for _ in range(problem.horizon):
        K = np.linalg.solve(problem.R + B.T @ P @ B, B.T @ P @ A)
        P = problem.Q + A.T @ P @ (A - B @ K)
    return K


@pytest.mark.parametrize("horizon", [1, 2, 10])
def test_without_bounds_the_first_gain_is_that_of_the_riccati_recursion(horizon):
    rng = np.random.default_rng(0)
    for _ in range(3):
        problem = random_problem(rng, bounded=False, horizon=horizon)
        np.testing.assert_allclose(gain(problem), backwards(problem), atol=1e-6)


def test_full_weights_give_the_gain_of_the_riccati_recursion():
    rng = np.random.default_rng(3)
    weights = {"state_weights": 4, "terminal_weights": 4, "input_weights": 2}
    matrices = {name: random_matrix(rng, size) for name, size in weights.items()}
    problem = random_problem(rng, bounded=False, **matrices)
    np.testing.assert_allclose(gain(problem), backwards(problem), atol=1e-6)


def test_with_the_riccati_cost_the_first_gain_is_that_of_the_infinite_horizon():
    rng = np.random.default_rng(4)
    for horizon in (1, 7):
        problem = random_problem(rng, bounded=False, horizon=horizon, terminal="riccati")
        A, B = problem.model.A, problem.model.B
        P = solve_discrete_are(A, B, problem.Q, problem.R)
        K = np.linalg.solve(problem.R + B.T @ P @ B, B.T @ P @ A)
        np.testing.assert_allclose(gain(problem), K, atol=1e-6)


def some_half_planes(rng, horizon, count):
    angle = rng.uniform(0, 2 * np.pi, (horizon, count))
    return HalfPlanes(
        np.stack([np.cos(angle), np.sin(angle)], axis=-1), rng.normal(size=angle.shape)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input_rate_limits": [1.0, np.inf]},
        {"input_rate_weights": [0.1, 0.2]},
        {"input_rate_weights": [[0.2, 0.1], [0.1, 0.2]], "input_rate_limits": [1.0, 2.0]},
        {"slack_weight_l1": 3.0},
        {"half_planes": 2, "half_plane_weight": 100.0},
        {"half_planes": 2, "half_plane_weight": 100.0, "half_plane_weight_l1": 5.0},
        {
            "input_rate_weights": [0.1, 0.1],
            "input_rate_limits": [1.0, 2.0],
            "slack_weight_l1": 10.0,
            "half_planes": 3,
            "half_plane_weight": 100.0,
            "half_plane_weight_l1": 1.0,
            "state_weights": np.diag([1.0, 2, 1, 1]) + 0.1,
        },
    ],
    ids=["bounds", "limits", "rates", "coupled", "l1", "planes", "planes-l1", "all"],
)
def test_with_bounds_the_plan_is_that_of_an_exact_solver(changes):
    rng = np.random.default_rng(1)
    at_bound = violating = 0
    for _ in range(15):
        problem = random_problem(rng, bounded=True, horizon=6, **changes)
        x0, reference, given = rng.normal(size=4), rng.normal(size=(7, 4)), {}
        if {"input_rate_limits", "input_rate_weights"} & set(changes):
            given["sent"] = rng.uniform(problem.input_lower, problem.input_upper)
        if problem.half_planes:
            given["half_planes"] = some_half_planes(rng, 6, problem.half_planes)
        expected = exact_inputs(problem, x0, reference, **given)
        solution = tick(RealTimeIteration(problem, TIGHT), reference, x0, **given)
        assert solution.usable, solution.reason
        np.testing.assert_allclose(solution.inputs, expected, atol=1e-4)
        at_bound += np.any(np.isclose(expected, problem.input_upper))
        violating += np.any(solution.states[1:, 2] > 0.7)
    assert at_bound > 4
    assert violating > 1


def test_a_warm_tick_gives_the_plan_of_a_cold_one():
    rng = np.random.default_rng(2)
    changes = {"input_rate_weights": [0.1, 0.1], "slack_weight_l1": 1.0, "half_planes": 1}
    problem = random_problem(rng, bounded=True, **changes)
    warm = RealTimeIteration(problem, TIGHT)
    for _ in range(5):
        x0, reference = rng.normal(size=4), rng.normal(size=(11, 4))
        given = {"sent": np.zeros(2), "half_planes": some_half_planes(rng, 10, 1)}
        ours = tick(warm, reference, x0, **given)
        fresh = tick(RealTimeIteration(problem, TIGHT), reference, x0, **given)
        np.testing.assert_allclose(ours.inputs, fresh.inputs, atol=1e-5)


def test_an_l1_weight_keeps_a_bound_exactly_where_it_can_be_kept():
    reference = np.tile([0.0, 0.0, 1.0, 0.0], (11, 1))
    weights = {
        "slack_weight": 1.0,
        "state_weights": [0.0, 0.0, 10.0, 0.0],
        "input_weights": [0.1] * 2,
    }
    bound = {"state_upper": [np.inf, np.inf, 0.5, np.inf]}
    speeds = []
    for l1 in (0.0, 100.0):
        problem = unbounded(double_integrator(), slack_weight_l1=l1, **bound, **weights)
        solution = tick(RealTimeIteration(problem, TIGHT), reference, np.zeros(4))
        speeds.append(solution.states[:, 2].max())
    assert speeds[0] > 0.6
    assert speeds[1] == pytest.approx(0.5, abs=1e-6)


def test_an_l1_weight_gives_way_where_a_bound_cannot_be_kept():
    bounds = {"state_upper": [np.inf, np.inf, 0.5, np.inf], "input_lower": [-1.0, -1.0]}
    problem = unbounded(double_integrator(), slack_weight_l1=1e3, **bounds)
    solution = tick(RealTimeIteration(problem, TIGHT), np.zeros((11, 4)), [0, 0, 0.8, 0])
    assert solution.usable, solution.reason
    np.testing.assert_allclose(solution.inputs[:3, 0], -1.0, atol=1e-6)


def test_a_half_plane_with_an_l1_weight_is_not_crossed():
    weights = {"state_weights": [100.0, 1.0, 0.1, 0.1], "input_weights": [0.1, 0.1]}
    planes = {"half_planes": 1, "half_plane_weight": 10.0, "half_plane_weight_l1": 1e3}
    problem = unbounded(double_integrator(), **weights, **planes)
    reference = np.tile([1.0, 0, 0, 0], (11, 1))
    wall = HalfPlanes(np.tile([-1.0, 0.0], (10, 1, 1)), np.full((10, 1), -0.3))
    free, kept = (
        tick(RealTimeIteration(problem, TIGHT), reference, np.zeros(4), half_planes=planes)
        for planes in (None, wall)
    )
    assert free.states[-1, 0] > 0.6
    assert kept.states[:, 0].max() == pytest.approx(0.3, abs=1e-6)


def test_rates_count_from_the_input_sent_last():
    limits = {"input_rate_limits": [2.0, 2.0], "input_lower": [-1, -1], "input_upper": [1, 1]}
    problem = unbounded(double_integrator(), **limits)
    reference = np.tile([5.0, -5.0, 0, 0], (11, 1))
    solution = tick(RealTimeIteration(problem, TIGHT), reference, np.zeros(4), sent=[-0.5, 0.5])
    np.testing.assert_allclose(solution.inputs[:3, 0], [-0.3, -0.1, 0.1], atol=1e-6)
    np.testing.assert_allclose(solution.inputs[:3, 1], [0.3, 0.1, -0.1], atol=1e-6)


def test_without_an_input_sent_rates_count_from_the_last_plan():
    limits = {"input_rate_limits": [2.0, 2.0]}
    controller = RealTimeIteration(unbounded(double_integrator(), **limits), TIGHT)
    reference = np.tile([5.0, -5.0, 0, 0], (11, 1))
    first = tick(controller, reference, np.zeros(4)).inputs[0]
    second = tick(controller, reference, np.zeros(4)).inputs[0]
    np.testing.assert_allclose(first, [0.2, -0.2], atol=1e-6)
    np.testing.assert_allclose(second, [0.4, -0.4], atol=1e-6)


def test_an_unfinished_solve_keeps_the_first_rate(make_problem):
    rng = np.random.default_rng(5)
    problem = make_problem(input_rate_limits=[1.0, 1.0])
    controller, reference, sent = RealTimeIteration(problem), np.zeros((21, 5)), np.zeros(2)
    for _ in range(50):
        solution = tick(controller, reference, rng.normal(size=5), sent=sent)
        if solution.usable:
            assert np.all(np.abs(solution.inputs[0] - sent) <= 0.05 + 1e-12)
            sent = solution.inputs[0]


def test_an_input_sent_out_of_bounds_counts_as_at_its_bound(make_problem):
    problem = make_problem(input_rate_limits=[1.0, 1.0])
    solution = tick(RealTimeIteration(problem), np.zeros((21, 5)), np.zeros(5), sent=[7.0, 0.0])
    assert solution.usable, solution.reason
    assert 0.95 <= solution.inputs[0, 0] <= 1.0
