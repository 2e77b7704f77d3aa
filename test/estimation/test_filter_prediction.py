"""What the filter makes of silence, of commands and of noise that grows with the speed."""

import numpy as np
import pytest
from filtering import MS, SECOND, START, fuse, measured, put, settings, started, twist

from ebm_mpc_ros.estimation import ekf as room
from ebm_mpc_ros.estimation.ekf import Belief, predict
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.estimation.velocity_control import VelocityControl
from ebm_mpc_ros.models import load_model


@pytest.fixture
def predictions(monkeypatch):
    """Return the list of the steps (s) that the filter has predicted."""
    steps = []

    def counted(model, belief, u, dt, noise):
        steps.append(dt)
        return predict(model, belief, u, dt, noise)

    monkeypatch.setattr(room, "predict", counted)
    return steps


def turning(**changes):
    """Return a filter that knows a robot at 2 m/s, turning at 1 rad/s."""
    model = load_model("diff_drive")
    one = Filter(settings(model, process_noise=np.eye(5) * 0.01, **changes))
    fuse(one, measured(START, range(5), (0.0, 0.0, 0.0, 2.0, 1.0), 1e-6))
    return one


def test_without_measurements_it_predicts_only_after_the_timeout(linear):
    one = started(linear)
    put(one, measured(START, 2, 1.0, 1e-9), START)
    one.advance(START)
    assert one.advance(START + 99 * MS).stamp == START
    stamp, belief = one.advance(START + 100 * MS)
    assert stamp == START + 100 * MS
    assert belief.state[0] == pytest.approx(1.1, abs=1e-6)


def test_it_can_predict_to_the_present_at_every_tick(linear):
    one = started(linear, predict_to_current_time=True)
    assert one.advance(START + 10 * MS).stamp == START + 10 * MS
    put(one, measured(START + 15 * MS, 0, 1.0), START + 20 * MS)
    assert one.advance(START + 20 * MS).stamp == START + 20 * MS


def test_time_that_stands_still_changes_nothing(linear):
    one = started(linear, predict_to_current_time=True)
    before = one.estimate.belief
    after = one.advance(START).belief
    np.testing.assert_array_equal(after.covariance, before.covariance)


def test_it_drives_with_the_commanded_acceleration():
    model = load_model("diff_drive")
    still = np.eye(5) * 1e-9
    one = Filter(settings(model, initial_covariance=still, process_noise=still))
    put(one, measured(START, [0, 1, 2, 3, 4], 0.0, 1e-9), START)
    one.advance(START)
    for k in range(11):
        now = START + k * 100 * MS
        one.command(now, twist(0.05 * k, 0.1 * k), now)
    stamp, belief = one.advance(START + 1100 * MS)
    assert stamp == START + 1100 * MS
    np.testing.assert_allclose(belief.state[3:], [0.5, 1.0], atol=1e-12)


def test_commands_are_ignored_where_control_is_off():
    one = Filter(settings(load_model("diff_drive"), use_control=False))
    put(one, measured(START, 3, 0.0), START)
    one.advance(START)
    for k in range(3):
        one.command(START + k * 100 * MS, twist(1.0 * k, 0.0), START + k * 100 * MS)
    assert one.advance(START + 300 * MS).belief.state[3] == 0.0


@pytest.mark.parametrize("bad", [(np.nan, 0.0), (0.0, np.inf)])
def test_a_command_that_is_not_finite_is_refused_and_counted(bad):
    one = Filter(settings(load_model("diff_drive")))
    assert not one.command(START, twist(*bad), START)
    assert one.dropped == {("cmd_vel", "values not finite"): 1}


def test_one_command_from_the_future_does_not_silence_the_others():
    one = Filter(settings(load_model("diff_drive")))
    put(one, measured(START, [3, 4], 0.0, 1e-9), START)
    one.advance(START)
    assert not one.command(START + 3600 * SECOND, twist(0.0, 0.0), START)
    for k in range(2):
        assert one.command(START + k * 100 * MS, twist(0.1 * k, 0.0), START + k * 100 * MS)
    assert one.advance(START + 200 * MS).belief.state[3] == pytest.approx(0.1)
    assert one.dropped == {("cmd_vel", "stamp in the future"): 1}


# Silence


def test_a_long_step_is_cut_into_short_ones(predictions):
    one = turning()
    expected = one.estimate.belief
    for _ in range(10):
        expected = predict(one.settings.model, expected, np.zeros(2), 0.1, np.eye(5) * 0.01)
    predictions.clear()
    found = one.advance(START + SECOND).belief
    np.testing.assert_allclose(predictions, 0.1)
    np.testing.assert_allclose(found.state, expected.state, atol=1e-12)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=1e-12)


def test_the_cost_of_a_very_long_step_is_bounded(predictions):
    one = turning()
    predictions.clear()
    assert one.advance(START + 3600 * SECOND) is not None
    assert len(predictions) <= 2200
    assert sum(predictions) == pytest.approx(3600.0)


def test_during_a_long_silence_a_tick_costs_no_more_than_at_its_beginning(predictions):
    one = turning()
    for k in range(1, 601):
        predictions.clear()
        one.advance(START + k * 50 * MS)
        assert len(predictions) <= 20


def test_ticks_leave_no_trace_in_what_is_fused():
    stamps = START + np.cumsum(np.random.default_rng(0).integers(1, 900, 20)) * MS
    beliefs = []
    for period in (7, 33, 10**6):
        one = turning(predict_to_current_time=True)
        now = START
        for stamp in stamps.tolist():
            while now + period * MS < stamp:
                now += period * MS
                one.advance(now)
            fuse(one, measured(stamp, (3, 4), (2.0, 1.0)))
        beliefs.append(one.estimate.belief)
    for other in beliefs[1:]:
        np.testing.assert_array_equal(other.state, beliefs[0].state)
        np.testing.assert_array_equal(other.covariance, beliefs[0].covariance)


def test_ticks_leave_no_trace_even_after_a_long_silence():
    beliefs = []
    for ticks in ((), (400, 1300, 2210)):
        one = turning()
        for tick in ticks:
            one.advance(START + tick * MS)
        beliefs.append(fuse(one, measured(START + 2500 * MS, (3, 4), (2.0, 1.0))))
    np.testing.assert_array_equal(beliefs[0].state, beliefs[1].state)
    np.testing.assert_array_equal(beliefs[0].covariance, beliefs[1].covariance)


def test_what_nothing_measures_is_known_no_worse_than_a_bound(linear):
    one = started(linear, process_noise=np.eye(4) * 1e10)
    for k in range(1, 20):
        belief = fuse(one, measured(START + k * 100 * MS, 0, 1.0))
    assert belief.covariance.diagonal().max() <= 1e8 * (1.0 + 1e-9)
    assert not one.resets


# Noise that grows with the speed


@pytest.mark.parametrize("velocities", [(0.0, 0.0), (2.0, 0.0), (-3.0, 0.0), (0.3, 0.4)])
def test_dynamic_noise_scales_the_poses_part_by_the_squared_speed(velocities):
    model, dt = load_model("diff_drive"), 0.05
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    Q, P = root @ root.T, np.eye(5) * 1e-9
    state = np.array([0.0, 0.0, 0.3, *velocities])
    one = Filter(settings(model, process_noise=Q, dynamic_process_noise=True))
    one.restart(START, Belief(state, P), 0)
    found = one.at(START + 50 * MS).belief
    speed = np.hypot(*velocities)
    scale = np.diag([speed, speed, speed, 1.0, 1.0])
    expected = predict(model, Belief(state, P), np.zeros(2), dt, scale @ Q @ scale)
    np.testing.assert_allclose(found.covariance, expected.covariance, atol=1e-12)


# Commands to a model without inputs


def controlled(mask=(True,) * 6, gain=2.0, limit=100.0, **changes):
    model = load_model("rigid_body")
    control = VelocityControl(
        mask=mask,
        timeout=0.5,
        acceleration_limits=np.full(6, limit),
        acceleration_gains=np.full(6, gain),
        deceleration_limits=np.full(6, limit),
        deceleration_gains=np.full(6, gain),
    )
    one = Filter(settings(model, control=control, sensor_timeout=1e-3, **changes))
    fuse(one, measured(START, range(6, 15), 0.0, 1e-6))
    return one


def drive(one, command, seconds, every=10):
    """Send a command each tick, and fuse something that says nothing; return the outputs."""
    for k in range(1, round(seconds * 1000 / every) + 1):
        now = START + k * every * MS
        if command is not None:
            assert one.command(now, command, now)
        belief = fuse(one, measured(now, 0, 0.0, 1e6))
    return one.settings.model.h(belief.state)


def test_the_robot_follows_a_velocity_command_exponentially():
    outputs = drive(controlled(), (0.5, 0.0, 0.0, 0.0, 0.0, -0.3), 1.0)
    follow = 1.0 - np.exp(-2.0)
    assert outputs[6] == pytest.approx(0.5 * follow, abs=0.01)
    assert outputs[11] == pytest.approx(-0.3 * follow, abs=0.01)
    assert outputs[12] == pytest.approx(2.0 * 0.5 * (1.0 - follow), abs=0.02)


def test_it_speeds_up_along_the_limit():
    outputs = drive(controlled(limit=0.1), (1.0, 0.0, 0.0, 0.0, 0.0, 1.0), 1.0)
    assert outputs[6] == pytest.approx(0.1, abs=0.002)
    assert outputs[11] == pytest.approx(0.1, abs=0.002)


def test_what_the_mask_leaves_out_keeps_its_acceleration():
    one = controlled(mask=(True, False, False, False, False, False))
    fuse(one, measured(START, (12, 13), (9.0, 0.2), 1e-9))
    outputs = drive(one, (0.5, 0.5, 0.0, 0.0, 0.0, 0.5), 0.5)
    assert outputs[7] == pytest.approx(0.1, abs=0.01)
    assert outputs[11] == pytest.approx(0.0, abs=1e-3)
    assert outputs[12] < 1.0


def test_a_command_that_is_too_old_counts_as_zero():
    one = controlled()
    assert one.command(START, (0.5, 0.0, 0.0, 0.0, 0.0, 0.0), START)
    assert drive(one, None, 0.49)[6] > 0.25
    assert one.advance(START + 3 * SECOND).belief.state[7] == pytest.approx(0.0, abs=0.02)
