"""To start over, to go on from elsewhere, and to let time pass."""

import numpy as np
import pytest
from filtering import MS, SECOND, START, fuse, measured, put, settings, started, twist

from ebm_mpc_ros.estimation.ekf import Belief, predict
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.models import load_model

ELSEWHERE = Belief(np.array([7.0, 8.0, 1.0, -1.0]), np.eye(4) * 0.01)


def test_reset_forgets_belief_queue_and_commands():
    one = Filter(settings(load_model("diff_drive")))
    put(one, measured(START, 3, 1.0), START)
    one.advance(START)
    put(one, measured(START + 100 * MS, 3, 7.0), START)
    for k in range(2):
        one.command(START + k * 100 * MS, twist(1.0 * k, 0.0), START + k * 100 * MS)
    one.reset()
    assert one.estimate is None
    assert one.advance(START + 100 * MS) is None
    put(one, measured(START + 100 * MS, 3, 2.0), START + 100 * MS)
    assert one.advance(START + 100 * MS).belief.state[3] == 2.0
    assert one.advance(START + 200 * MS).belief.state[3] == 2.0


@pytest.mark.parametrize("history", [0.0, 1.0])
def test_it_goes_on_from_another_belief(linear, history):
    one = started(linear, history=history)
    put(one, measured(START + 20 * MS, 0, 50.0), START)
    now = START + 100 * MS
    one.restart(now, ELSEWHERE, not_before=now)
    stamp, belief = one.advance(now)
    assert (stamp, belief) == (now, ELSEWHERE)
    stamp, belief = one.advance(now + 100 * MS)
    expected = predict(linear, ELSEWHERE, np.zeros(2), 0.1, np.eye(4) * 0.1)
    assert stamp == now + 100 * MS
    np.testing.assert_allclose(belief.state, expected.state)
    np.testing.assert_allclose(belief.covariance, expected.covariance)


@pytest.mark.parametrize("history", [0.0, 1.0])
def test_what_was_measured_before_a_set_pose_is_refused(linear, history):
    one = started(linear, history=history)
    now = START + 100 * MS
    one.restart(now, ELSEWHERE, not_before=now)
    for age, problem in (
        (1, "stamp not after set_pose"),
        (0, "stamp not after set_pose"),
        (-1, ""),
    ):
        assert put(one, measured(now - age * MS, 0, 50.0), now + 10 * MS) == problem
    one.reset()
    assert not put(one, measured(now - MS, 0, 50.0), now)


def test_a_set_pose_from_the_past_lets_in_what_came_after_it(linear):
    one = started(linear)
    now = START + 100 * MS
    one.restart(now, ELSEWHERE, not_before=now - 50 * MS)
    assert not put(one, measured(now - 20 * MS, 0, 7.0), now)
    assert one.advance(now).stamp == now


def test_while_it_is_held_time_passes_without_motion():
    model = load_model("diff_drive")
    one = Filter(settings(model))
    before = fuse(one, measured(START, range(5), (0.0, 0.0, 0.0, 1.0, 0.2), 1e-6))
    put(one, measured(START + 5 * SECOND, 3, 9.0), START + 4900 * MS)
    one.hold(START + 5 * SECOND)
    assert one.advance(START + 5 * SECOND) == (START + 5 * SECOND, before)
    expected = predict(model, before, np.zeros(2), 0.1, np.eye(5) * 0.1)
    found = one.advance(START + 5100 * MS).belief
    np.testing.assert_allclose(found.state, expected.state)
    np.testing.assert_allclose(found.covariance, expected.covariance)


def test_before_the_first_measurement_there_is_nothing_to_hold(linear):
    one = Filter(settings(linear))
    put(one, measured(START, 0, 9.0), START)
    one.hold(START + MS)
    assert one.advance(START + MS) is None
    assert fuse(one, measured(START + 2 * MS, 0, 4.0)).state[0] == 4.0


def test_other_settings_count_from_the_next_prediction(linear):
    one = started(linear)
    before = one.estimate.belief
    one.change(settings(linear, process_noise=np.eye(4) * 7.0))
    found = one.advance(START + 100 * MS).belief
    expected = predict(linear, before, np.zeros(2), 0.1, np.eye(4) * 7.0)
    np.testing.assert_allclose(found.covariance, expected.covariance)


@pytest.mark.parametrize("history", [0.0, 1.0])
def test_a_clock_that_went_back_is_no_obstacle_after_a_reset(linear, history):
    one = started(linear, history=history)
    one.reset()
    early = START - 50 * SECOND
    assert fuse(one, measured(early, 0, 3.0)).state[0] == 3.0
    assert one.estimate.stamp == early
