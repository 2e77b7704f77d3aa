"""Whatever the controller is given: no wrong command, no argument kept, and it recovers."""

import numpy as np
import pytest
from control_robots import KINDS
from control_spoilers import CONTENTS, FORMS, SPOILERS, spoilt_ticks
from control_trials import Trial
from exact import tick

from ebm_mpc_ros.control import DelayCompensation, HalfPlanes, RealTimeIteration
from ebm_mpc_ros.control.riccati import riccati_cost
from ebm_mpc_ros.models import load_model

TRIALS = [(kind, seed) for seed, kind in enumerate(KINDS)]


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_a_tick_spoilt_in_one_way_leads_to_nothing_wrong(spoiler):
    for kind, seed in TRIALS:
        trial = Trial(kind, seed)
        for k in range(10):
            trial.tick(*[spoiler] * (k % 5 in {2, 3}))
        assert trial.breaches == []


@pytest.mark.parametrize("form", FORMS)
def test_an_array_is_read_whatever_its_form_and_not_kept(form):
    for kind, seed in TRIALS:
        trial = Trial(kind, seed, twin=True)
        for k in range(8):
            trial.tick(*[form] * (k % 2))
        assert trial.breaches == []


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_ticks_of_all_kinds_in_any_order_lead_to_nothing_wrong(kind):
    for seed in range(2):
        trial, schedule = Trial(kind, seed, twin=seed == 0), spoilt_ticks(seed)
        for _ in range(100):
            trial.tick(*next(schedule))
        assert trial.breaches == []


@pytest.mark.parametrize("spoiler", CONTENTS)
def test_a_few_good_ticks_after_a_spoilt_one_there_is_a_plan_again(spoiler):
    trial = Trial("diff_drive", 2)
    for _ in range(4):
        trial.tick()
        trial.tick(spoiler)
        plans = [trial.tick() for _ in range(3)]
        assert any(plans)


def test_a_reference_overwritten_after_prepare_changes_nothing(make_problem, figure_eight):
    reference, state = figure_eight(21), np.array([0.1, 0, 0.8, 0, 0])
    wanted = tick(RealTimeIteration(make_problem()), reference, state).inputs
    controller = RealTimeIteration(make_problem())
    controller.prepare(reference)
    reference[:] = 7.0
    np.testing.assert_array_equal(controller.feedback(state).inputs, wanted)


def test_half_planes_overwritten_after_prepare_change_nothing(make_problem, figure_eight):
    def planes():
        return HalfPlanes(np.tile([1.0, 0.0], (20, 1, 1)), np.full((20, 1), -0.1))

    reference, state = figure_eight(21), np.array([0.1, 0, 0.8, 0, 0])
    problem = make_problem(half_planes=1)
    wanted = tick(RealTimeIteration(problem), reference, state, half_planes=planes()).inputs
    controller, given = RealTimeIteration(problem), planes()
    controller.prepare(reference, half_planes=given)
    given.offsets[:] = 2.0
    np.testing.assert_array_equal(controller.feedback(state).inputs, wanted)


def test_after_a_reference_that_is_no_array_there_is_no_plan_for_the_one_before(make_problem):
    controller = RealTimeIteration(make_problem())
    tick(controller, np.zeros((21, 5)), np.zeros(5))
    with pytest.raises(ValueError, match="convert"):
        controller.prepare(["there"])
    with pytest.raises(RuntimeError, match="prepare"):
        controller.feedback(np.zeros(5))


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e200])
def test_a_state_that_is_no_state_is_not_predicted(number):
    compensation = DelayCompensation(load_model("diff_drive"), latency=0.1)
    with pytest.raises(ValueError, match=r"finite|far"):
        compensation.predict([0, 0, number, 0, 0], 0, 10_000_000)


def test_a_riccati_cost_is_positive_semidefinite_or_none_however_fast_the_reference(make_problem):
    problem = make_problem(model=load_model("ackermann"), terminal="riccati")
    rng = np.random.default_rng(0)
    for _ in range(500):
        state = np.zeros(5)
        state[3:] = rng.normal(size=2) * 10 ** rng.uniform(-1, 5, size=2)
        cost = riccati_cost(problem, state)
        if cost is not None:
            assert np.linalg.eigvalsh(cost)[0] > -1e-9 * np.abs(cost).max(), state


@pytest.mark.parametrize("limit", [0.5, 1.0, 5.0])
def test_limits_of_the_inputs_rates_leave_a_plan_at_every_tick(make_problem, figure_eight, limit):
    problem = make_problem(input_rate_limits=[limit, 2 * limit])
    controller, reference = RealTimeIteration(problem), figure_eight(121)
    state, sent = reference[0] - [0.05, 0, 0, 0.2, 0], np.zeros(2)
    for k in range(100):
        solution = tick(controller, reference[k : k + 21], state, sent=sent)
        assert solution.usable, (k, solution.reason)
        sent = solution.inputs[0]
        state = problem.model.f(state, sent, problem.dt)
