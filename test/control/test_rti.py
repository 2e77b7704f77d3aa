"""The real-time iteration in closed loop, and what it does with bad input and failures."""

from dataclasses import replace

import numpy as np
import pytest
from exact import tick
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration, SolverSettings, Status
from ebm_mpc_ros.control.solver import Outcome
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive

DT = 0.05


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


def fail(controller, monkeypatch, status, reference, state):
    """Return the solution of a tick in which OSQP leaves its marks of a failure."""
    controller.prepare(reference)
    with monkeypatch.context() as patch:
        qp = controller._qp
        primal, dual = (np.full(size, 2143289344.0) for size in (qp.q.size, qp.lower.size))
        outcome = Outcome(status, 5, 0.0, 0.0, primal, dual)
        patch.setattr(controller._solver, "solve", lambda _: outcome)
        return controller.feedback(state)


@pytest.mark.parametrize("status", [Status.INFEASIBLE, Status.FAILED, Status.SOLVED])
def test_values_of_a_failed_solve_never_escape(make_problem, monkeypatch, status):
    controller, reference = RealTimeIteration(make_problem()), np.zeros((21, 5))
    tick(controller, reference, np.zeros(5))
    failed = fail(controller, monkeypatch, status, reference, np.zeros(5))
    assert failed.status is status
    assert not failed.usable
    assert np.isnan(failed.inputs).all()
    assert np.isnan(failed.states).all()
    assert tick(controller, reference, np.full(5, 0.1)).usable


def test_an_infeasible_problem_is_told_in_words(make_problem, monkeypatch):
    controller, reference = RealTimeIteration(make_problem()), np.zeros((21, 5))
    failed = fail(controller, monkeypatch, Status.INFEASIBLE, reference, np.zeros(5))
    assert failed.reason == "OSQP: reported infeasible"


def test_a_plan_is_started_from_after_one_failure_and_dropped_after_two(
    make_problem, monkeypatch, figure_eight
):
    reference, settings_ = figure_eight(25), SolverSettings(max_failures=2)
    controller = RealTimeIteration(make_problem(), settings_)
    plan = tick(controller, reference[:21], reference[0]).states
    fail(controller, monkeypatch, Status.FAILED, reference[1:22], reference[1])
    np.testing.assert_array_equal(controller.forecast()[:18], plan[2:20])
    fail(controller, monkeypatch, Status.FAILED, reference[2:23], reference[2])
    assert controller.forecast() is None
    assert tick(controller, reference[3:24], reference[3]).usable


def test_ticks_between_failures_count_anew(make_problem, monkeypatch):
    controller, reference = RealTimeIteration(make_problem()), np.zeros((21, 5))
    for _ in range(3):
        assert tick(controller, reference, np.zeros(5)).usable
        fail(controller, monkeypatch, Status.FAILED, reference, np.zeros(5))
        assert controller.forecast() is not None


def test_a_model_that_is_not_finite_is_refused(make_problem):
    class Broken(DiffDrive):
        broken = False

        def linearize(self, x, u, dt):
            following, jacobians = super().linearize(x, u, dt)
            if self.broken:
                jacobians.A[:] = np.nan
            return following, jacobians

    model = Broken()
    controller, reference = RealTimeIteration(make_problem(model=model)), np.zeros((21, 5))
    assert tick(controller, reference, np.zeros(5)).usable
    model.broken = True
    refused = tick(controller, reference, np.zeros(5))
    assert refused.status is Status.BAD_INPUT
    assert "finite" in refused.reason
    model.broken = False
    assert tick(controller, reference, np.zeros(5)).usable


def test_a_jump_of_the_reference_is_given_more_iterations(make_problem):
    settings_ = SolverSettings(max_iterations=5)
    controller, reference = RealTimeIteration(make_problem(), settings_), np.zeros((21, 5))
    for _ in range(3):
        assert tick(controller, reference, np.zeros(5)).iterations <= 5
    reference[:, 0] = 1.0
    solution = tick(controller, reference, np.zeros(5))
    assert solution.iterations > 5
    assert solution.usable


def test_a_jump_before_a_refused_state_is_still_given_more_iterations(make_problem):
    settings_ = SolverSettings(max_iterations=5)
    controller, reference = RealTimeIteration(make_problem(), settings_), np.zeros((21, 5))
    tick(controller, reference, np.zeros(5))
    reference[:, 0] = 1.0
    assert not tick(controller, reference, np.full(5, np.nan)).usable
    assert tick(controller, reference, np.zeros(5)).iterations > 5


def test_a_jump_takes_no_more_iterations_than_a_first_tick_may_in_all(make_problem):
    settings_ = SolverSettings(cold_start_iterations=60, eps_abs=1e-9, eps_rel=1e-9)
    controller, reference = RealTimeIteration(make_problem(), settings_), np.zeros((21, 5))
    reference[:, 0] = 1.0
    assert tick(controller, reference, np.zeros(5)).iterations <= 60


def test_where_a_later_linearisation_fails_the_plan_is_that_of_the_one_before(
    make_problem, monkeypatch
):
    controller, reference = RealTimeIteration(make_problem()), np.zeros((21, 5))
    reference[:, 0] = 1.0
    controller.prepare(reference)
    solves, solve = [], controller._solver.solve

    def second_fails(most):
        outcome = solve(most)
        solves.append(outcome)
        done = [one for one in solves if one.status is Status.SOLVED]
        return outcome if len(done) < 2 else outcome._replace(status=Status.FAILED)

    monkeypatch.setattr(controller._solver, "solve", second_fails)
    solution = controller.feedback(np.zeros(5))
    assert len([one for one in solves if one.status is Status.SOLVED]) == 2
    assert solution.usable
    assert solution.status is Status.SOLVED
    assert tick(controller, reference, solution.states[1]).usable


def test_a_plan_cannot_be_altered_under_the_controller(make_problem):
    solution = tick(RealTimeIteration(make_problem()), np.zeros((21, 5)), np.full(5, 0.1))
    for plan in (solution.states, solution.inputs):
        with pytest.raises(ValueError, match="read-only"):
            plan[0] = np.nan


def test_plans_are_reproducible(make_problem, figure_eight):
    start, reference = np.array([0.3, -0.3, 0.2, 0, 0]), figure_eight(61)
    first, second = (drive(RealTimeIteration(make_problem()), reference, start, 40) for _ in "ab")
    np.testing.assert_array_equal(first, second)


def test_a_changed_controller_goes_on_from_the_plan(make_problem, figure_eight):
    reference = figure_eight(80)
    problem, state = make_problem(), reference[0]
    controller = RealTimeIteration(problem)
    for k in range(30):
        state = tick(controller, reference[k : k + 21], state).states[1]
    other = controller.changed(replace(problem, input_lower=[-0.9, -1.9], slack_weight_l1=2.0))
    np.testing.assert_array_equal(other.forecast(), controller.forecast())
    plans = [tick(each, reference[30:51], state) for each in (controller, other)]
    np.testing.assert_allclose(plans[1].inputs, plans[0].inputs, atol=0.02)


def test_a_changed_controller_keeps_its_own_bounds(make_problem):
    problem, reference = make_problem(), np.zeros((21, 5))
    controller = RealTimeIteration(problem)
    reference[:, 0] = 2.0
    assert tick(controller, reference, np.zeros(5)).inputs[0, 0] > 0.9
    other = controller.changed(replace(problem, input_upper=[0.3, 2.0]))
    for _ in range(3):
        assert np.all(tick(other, reference, np.zeros(5)).inputs[:, 0] <= 0.3)


def test_what_a_changed_controller_does_is_not_the_first_ones_doing(make_problem, figure_eight):
    problem, reference = make_problem(), figure_eight(24)
    controller, alone = RealTimeIteration(problem), RealTimeIteration(problem)
    for each in (controller, alone):
        tick(each, reference[:21], reference[0])
    other = controller.changed(replace(problem, input_upper=[0.1, 0.1]), SolverSettings(rho=1.0))
    tick(other, reference[1:22], np.zeros(5))
    plans = [tick(each, reference[1:22], reference[1]).states for each in (controller, alone)]
    np.testing.assert_array_equal(*plans)


@pytest.mark.parametrize(
    ("name", "value"), [("dt", 0.1), ("horizon", 10), ("half_planes", 1), ("model", DiffDrive())]
)
def test_a_plan_of_another_kind_cannot_be_gone_on_from(make_problem, name, value):
    problem = make_problem()
    with pytest.raises(ValueError, match=f"^{name} is"):
        RealTimeIteration(problem).changed(replace(problem, **{name: value}))


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
