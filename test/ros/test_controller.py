"""The controller of mpc_node in closed loop: delays, obstacles, failures, changes."""

import numpy as np
import pytest
from controlling import DT, HORIZON, NO_DISCS, Loop, limits, settings

from ebm_mpc_ros.control import FallbackSettings, Solution, SolverSettings, Status
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.controller import Controller

STIFF = 10.0 * np.array([20.0, 20.0, 2.0, 0.5, 0.1])
MODELS = ("diff_drive", "ackermann", "omni")


def straight(model, end=6.0):
    """Along the x axis at 1 m/s, from where the robot is, to `end`."""

    def reference(state, now):
        x = state[0] + DT * np.arange(HORIZON + 1)
        states = np.zeros((HORIZON + 1, model.state_size))
        states[:, 0] = np.minimum(x, end)
        states[:, 3] = x < end
        return states

    return reference


def moving(model, y=0.0):
    state = np.zeros(model.state_size)
    state[[1, 3]] = y, 1.0
    return state


def on_the_straight(name="diff_drive", *, discs=(), y=0.0, end=6.0, delay=0.0, age=0.0, **changes):
    model = load_model(name)
    made = settings(model, **changes)
    loop = Loop(made, straight(model, end), moving(model, y), delay=delay, age=age)
    loop.discs = np.array(discs, float).reshape(-1, 3)
    return loop


def to_the_line(delay, latency):
    """Return how a robot comes to a line 0.5 m aside: its distances from it."""
    loop = on_the_straight(
        y=0.5,
        end=1e3,
        delay=delay,
        latency=latency,
        state_weights=STIFF,
        terminal_weights=5 * STIFF,
    )
    return loop.run(200).places[:, 1]


def reasons(loop):
    return {decision.reason for decision in loop.decisions}


def fail(loop, monkeypatch):
    """Let the solver fail from now on; `monkeypatch.undo` mends it."""
    iteration = loop.controller._iteration
    size = HORIZON, len(loop.command)

    def feedback(state):
        return Solution(
            status=Status.ITERATION_LIMIT,
            inputs=np.full(size, np.nan),
            states=np.full((HORIZON + 1, loop.model.state_size), np.nan),
            iterations=50,
            primal_residual=1.0,
            reason="OSQP: iteration limit reached",
        )

    monkeypatch.setattr(iteration, "feedback", feedback)


class TestDelay:
    def test_commands_that_act_late_are_compensated(self):
        prompt, compensated = to_the_line(0.0, 0.0), to_the_line(0.15, 0.15)
        blind = to_the_line(0.15, 0.0)
        # The distance driven blind, 0.15 s at 0.5 m, is all that is lost.
        assert np.abs(compensated).sum() < 1.2 * np.abs(prompt).sum()
        assert -compensated.min() < 0.02
        assert np.abs(blind).sum() > 4.0 * np.abs(compensated).sum()
        assert np.abs(blind[-200:]).max() > 0.2

    def test_the_age_of_the_estimate_is_made_up_for(self):
        loop = on_the_straight(age=0.04, end=1e3).run(40)
        stamp, seen = loop.past[0]
        assert loop.now - stamp >= 40_000_000
        predicted = loop.controller.predict(seen, stamp, loop.now)
        np.testing.assert_allclose(predicted, loop.state, atol=2e-3)

    def test_the_ticks_own_duration_is_learned(self):
        controller = Controller(settings(latency=0.1))
        for k in range(100):
            controller.sent(k, np.zeros(2), took=0.004)
        assert controller.ahead == pytest.approx(0.104, abs=1e-4)

    def test_a_clock_that_jumps_back_clears_what_was_sent(self):
        controller = Controller(settings(latency=0.1))
        controller.sent(10**9, np.array([1.0, 0.0]))
        controller.sent(10, np.array([0.5, 0.0]))
        x = controller.predict(np.array([0.0, 0.0, 0.0, 1.0, 0.0]), 10, 10)
        assert x[3] == 1.0

    def test_a_model_with_steering_is_compensated_too(self):
        loop = on_the_straight("ackermann", y=0.5, end=1e3, delay=0.15, latency=0.15).run(200)
        assert loop.places[:, 1].min() > -0.05
        assert np.abs(loop.places[-200:, 1]).max() < 0.01


class TestObstacles:
    @pytest.mark.parametrize("name", MODELS)
    @pytest.mark.parametrize(
        "discs",
        [
            [[2.5, 0.0, 0.3]],
            [[2.5, 0.7, 0.3], [2.5, -0.7, 0.3]],
            [[1.5, 0.1, 0.25], [2.9, -0.1, 0.25], [4.3, 0.1, 0.25]],
        ],
        ids=["on the path", "on both sides", "slalom"],
    )
    def test_it_passes_with_clearance(self, name, discs):
        loop = on_the_straight(name, discs=discs).run(220)
        assert loop.clearance() > 0.05
        assert loop.state[0] > 5.5
        assert reasons(loop) == {""}

    @pytest.mark.parametrize("name", MODELS)
    def test_in_front_of_a_wall_it_stands_and_says_why(self, name):
        wall = [[2.5, y, 0.3] for y in np.arange(-1.5, 1.6, 0.5)]
        loop = on_the_straight(name, discs=wall).run(150)
        assert loop.clearance() > 0.0
        assert abs(loop.command[0]) < 0.1
        assert "blocks the way" in loop.decisions[-1].reason

    def test_a_robot_that_sways_in_front_of_a_pair_says_why(self):
        loop = on_the_straight("omni", discs=[[2.82, -0.08, 0.59], [2.74, 0.25, 0.56]], end=12.0)
        loop.run(200)
        assert np.ptp(loop.places[-200:, 0]) < 0.05
        assert all("blocks the way" in decision.reason for decision in loop.decisions[-40:])

    def test_a_robot_that_stands_before_a_plan_that_it_never_drives_says_why(self):
        loop = on_the_straight("omni", discs=[[4.45, -0.45, 0.44], [4.9, 0.17, 0.36]], end=12.0)
        loop.run(300)
        assert np.ptp(loop.places[-200:, 0]) < 0.05
        assert all("blocks the way" in decision.reason for decision in loop.decisions[-40:])

    def test_a_gap_that_is_too_narrow_blocks_the_way(self):
        loop = on_the_straight(discs=[[2.5, 0.45, 0.3], [2.5, -0.45, 0.3]]).run(150)
        assert loop.clearance() > 0.0
        assert "blocks the way" in loop.decisions[-1].reason

    @pytest.mark.parametrize("name", MODELS)
    def test_it_stops_short_of_one_that_appears_at_its_braking_distance(self, name):
        loop = on_the_straight(name)
        loop.run(20)
        loop.discs = np.array([[loop.state[0] + 0.2 + 0.3 + 0.6, 0.0, 0.3]])
        loop.run(100)
        assert loop.clearance() > 0.0

    def test_a_plan_that_would_touch_is_not_driven(self):
        loop = on_the_straight(end=1e3).run(20)
        loop.discs = np.array([[loop.state[0] + 0.6, 0.0, 0.3]])
        loop.tick()
        assert loop.decisions[-1].input is None
        assert "would touch" in loop.decisions[-1].reason

    def test_a_tail_that_would_touch_is_not_driven(self, monkeypatch):
        loop = on_the_straight(end=1e3).run(20)
        loop.discs = np.array([[loop.state[0] + 1.0, 0.0, 0.3]])
        fail(loop, monkeypatch)
        loop.tick()
        assert loop.decisions[-1].input is None

    def test_a_plan_that_would_touch_leaves_no_tail(self, monkeypatch):
        loop = on_the_straight(end=1e3).run(20)
        loop.discs = np.array([[loop.state[0] + 0.6, 0.0, 0.3]])
        loop.tick()
        loop.discs = NO_DISCS
        fail(loop, monkeypatch)
        loop.tick()
        assert loop.decisions[-1].input is None

    def test_a_robot_in_contact_may_drive_out(self):
        loop = on_the_straight(discs=[[-0.45, 0.0, 0.3]])
        loop.run(60)
        assert loop.state[0] > 1.0

    @pytest.mark.parametrize("side", [1.0, -1.0])
    def test_the_side_is_that_of_the_guess(self, side):
        loop = on_the_straight(discs=[[2.5, -0.05 * side, 0.3]])
        x = DT * np.arange(HORIZON + 1)

        def guess(now):
            return np.column_stack([now + x, np.full_like(x, -side)])

        inner = loop.reference
        loop.guess = guess

        def reference(state, now):
            states = inner(state, now)
            states[:, 1] = -0.65 * side * (abs(states[:, 0] - 2.5) < 1.0)
            return states

        loop.reference = reference
        loop.run(60)
        passing = loop.places[np.argmin(np.abs(loop.places[:, 0] - 2.5))]
        assert passing[1] * side < -0.3

    @pytest.mark.parametrize("y", [-2.0, -4.0, -8.0])
    def test_one_between_the_robot_and_a_far_path_is_passed(self, y):
        loop = on_the_straight(discs=[[0.0, 0.5 * y, 0.3]], y=y, end=1e3)
        loop.state[2:] = np.pi / 2, 0.0, 0.0
        loop.command = (0.0, 0.0)
        loop.run(250)
        assert loop.clearance() > 0.05
        assert abs(loop.places[-1, 1]) < 0.05
        assert np.percentile([d.solution.iterations for d in loop.decisions], 95) < 50

    def test_contact_with_one_allows_none_with_another(self):
        loop = on_the_straight(discs=[[-0.3, 0.0, 0.3], [0.52, 0.0, 0.3]])
        loop.state[3] = 0.0
        loop.command = (0.0, 0.0)
        loop.run(40)
        beyond = np.hypot(*(loop.places - [0.52, 0.0]).T) - 0.5
        assert beyond.min() > -0.011

    def test_with_no_half_planes_obstacles_are_ignored(self):
        loop = on_the_straight(discs=[[2.5, 0.0, 0.3]], half_planes=0).run(120)
        assert np.abs(loop.places[:, 1]).max() < 1e-3

    def test_obstacles_out_of_reach_change_nothing(self):
        free, far = on_the_straight(), on_the_straight(discs=[[20.0, 0.0, 0.3]])
        np.testing.assert_array_equal(free.run(20).places, far.run(20).places)


class TestFailures:
    def test_the_tail_is_driven_then_the_robot_slows_down(self, monkeypatch):
        loop = on_the_straight(fallback=FallbackSettings(tail_ticks=2)).run(20)
        plan = loop.decisions[-1].solution.inputs
        fail(loop, monkeypatch)
        loop.run(4)
        driven = [decision.input for decision in loop.decisions[-4:]]
        np.testing.assert_array_equal(driven[0], plan[1])
        np.testing.assert_array_equal(driven[1], plan[2])
        assert driven[2] is None
        assert driven[3] is None
        speeds = np.array(loop.commands)[-3:, 0]
        np.testing.assert_allclose(np.diff(speeds), -limits(loop.model).loss[0] * DT)
        assert loop.controller.counts == {"iteration limit reached": 4, "tail": 2, "stop": 2}

    def test_every_failure_says_why(self, monkeypatch):
        loop = on_the_straight(fallback=FallbackSettings(tail_ticks=1)).run(5)
        fail(loop, monkeypatch)
        loop.run(2)
        tail, stop = (decision.reason for decision in loop.decisions[-2:])
        assert tail.startswith("no solution, driving on along the last plan: OSQP: iteration")
        assert stop.startswith("no solution: OSQP: iteration limit reached")

    def test_it_drives_on_when_a_solve_succeeds_again(self, monkeypatch):
        loop = on_the_straight().run(20)
        fail(loop, monkeypatch)
        loop.run(8)
        monkeypatch.undo()
        loop.run(30)
        assert loop.decisions[-1].reason == ""
        assert loop.command[0] > 0.9

    def test_a_tail_counts_the_periods_that_have_passed(self, monkeypatch):
        loop = on_the_straight().run(20)
        plan = loop.decisions[-1].solution.inputs
        fail(loop, monkeypatch)
        loop.tick(periods=2)
        np.testing.assert_array_equal(loop.decisions[-1].input, plan[2])
        loop.tick(periods=2)
        assert loop.decisions[-1].input is None

    def test_a_single_failure_leaves_no_trace_in_the_track(self, monkeypatch):
        sound, shaken = (on_the_straight(y=0.3, end=1e3).run(15) for _ in range(2))
        fail(shaken, monkeypatch)
        shaken.run(1)
        monkeypatch.undo()
        np.testing.assert_allclose(shaken.run(40).state, sound.run(41).state, atol=0.02)

    @pytest.mark.parametrize("what", ["rest", "forget"])
    def test_after_a_stop_there_is_no_tail(self, monkeypatch, what):
        loop = on_the_straight().run(5)
        getattr(loop.controller, what)()
        fail(loop, monkeypatch)
        assert loop.run(1).decisions[-1].input is None

    @pytest.mark.parametrize(("ticks", "kept"), [(9, True), (10, False)])
    def test_a_plan_outlives_a_short_stop_only(self, ticks, kept):
        loop = on_the_straight().run(5)
        for _ in range(ticks):
            loop.controller.rest()
        assert (loop.controller._iteration.forecast() is not None) == kept
        assert loop.run(20).decisions[-1].reason == ""

    @pytest.mark.parametrize("discs", [[], [[2.5, 0.0, 0.3]]])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
    def test_a_reference_that_is_not_sound_is_refused(self, bad, discs):
        loop = on_the_straight(discs=discs).run(5)
        loop.reference = lambda state, now: np.full((HORIZON + 1, 5), bad)
        loop.run(10)
        assert loop.decisions[-1].input is None
        assert "reference" in loop.decisions[-1].reason
        assert np.isfinite(loop.commands).all()


class TestTicks:
    @pytest.mark.parametrize("lost", [lambda k: k % 7 == 3, lambda k: k % 20 in (10, 11, 12)])
    def test_lost_ticks_do_not_throw_it_off(self, lost):
        whole = on_the_straight(y=0.5, end=1e3).run(150)
        holed = on_the_straight(y=0.5, end=1e3).run(150, lost=lost)
        assert all(decision.solution.usable for decision in holed.decisions)
        assert np.abs(holed.places[:, 1]).sum() < 1.1 * np.abs(whole.places[:, 1]).sum()

    def test_inputs_change_no_faster_than_allowed_however_it_is_stopped(self):
        loop = on_the_straight(y=0.5, end=1e3, input_rate_limits=[4.0, 8.0]).run(30)
        inputs = np.array([decision.input for decision in loop.decisions])
        sent = np.diff(np.array(loop.commands), axis=0) / DT
        steps = np.abs(inputs[1:] - sent[:-1]) / DT
        assert np.all(steps <= np.array([4.0, 8.0]) * (1.0 + 1e-6))
        loop.controller.forget()
        loop.tick()
        assert np.all(np.abs(loop.decisions[-1].input - sent[-1]) / DT <= [4.0 + 1e-6, 8.0 + 1e-6])


class TestChange:
    def test_it_goes_on_from_the_plan(self):
        loop = on_the_straight(y=0.3, end=1e3).run(20)
        plan = loop.controller._iteration.forecast()
        made = settings(loop.model, input_weights=[0.2, 0.1])
        loop.controller.change(made)()
        np.testing.assert_array_equal(loop.controller._iteration.forecast(), plan)
        before = loop.decisions[-1].solution.inputs[1]
        loop.run(1)
        np.testing.assert_allclose(loop.decisions[-1].input, before, atol=0.2)

    def test_nothing_changes_before_it_is_applied(self):
        loop = on_the_straight(latency=0.0)
        loop.controller.change(settings(loop.model, latency=0.2))
        assert loop.controller.ahead == 0.0

    def test_a_latency_changes_on_the_way(self):
        loop = on_the_straight(y=0.5, end=1e3, delay=0.15).run(10)
        loop.controller.change(settings(loop.model, latency=0.15))()
        loop.run(150)
        assert loop.controller.ahead == pytest.approx(0.15)
        assert np.abs(loop.places[-200:, 1]).max() < 0.01

    def test_lower_bounds_are_returned_to(self):
        loop = on_the_straight(end=1e3).run(20)
        upper = [np.inf, np.inf, np.inf, 0.5, 1.7]
        loop.controller.change(settings(loop.model, state_upper=upper))()
        loop.run(40)
        assert loop.command[0] < 0.55

    def test_another_horizon_is_refused(self):
        controller = on_the_straight().controller
        model = controller.settings.problem.model
        with pytest.raises(ValueError, match="horizon"):
            controller.change(settings(model, horizon=10, solver=SolverSettings()))
