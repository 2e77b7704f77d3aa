"""Planar states by time, and paths whose points have times."""

import numpy as np
import pytest
from following import circle, out_and_back

from ebm_mpc_ros.control import FollowerSettings, TimedFollower, Trajectory, timed_path

FORWARDS = FollowerSettings(cruise_speed=1.0)
BOTH_WAYS = FollowerSettings(cruise_speed=1.0, reverse_speed=0.5)


class Clock:
    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


def test_a_trajectory_is_linear_in_time_with_headings_the_short_way_round():
    states = np.zeros((2, 6))
    states[1] = [1, 2, 0, 0.5, 0.2, 0.1]
    states[:, 2] = [np.pi - 0.1, -np.pi + 0.1]
    resampled = Trajectory([10.0, 11.0], states).resample(10.5, 0.25, 4)
    assert resampled.shape == (5, 6)
    np.testing.assert_allclose(resampled[0], [0.5, 1.0, np.pi, 0.25, 0.1, 0.05])
    np.testing.assert_allclose(resampled[2], [1, 2, np.pi + 0.1, 0.5, 0.2, 0.1])
    np.testing.assert_allclose(resampled[3:], [[1, 2, np.pi + 0.1, 0, 0, 0]] * 2)


@pytest.mark.parametrize(
    ("stamps", "states"),
    [
        ([], np.zeros((0, 6))),
        ([0, 0], np.zeros((2, 6))),
        ([0, 1], np.zeros((2, 5))),
        ([0, np.nan], np.zeros((2, 6))),
        ([0], np.full((1, 6), np.inf)),
    ],
)
def test_a_bad_trajectory_is_refused(stamps, states):
    with pytest.raises(ValueError, match=r"stamps|states"):
        Trajectory(stamps, states)


def test_before_its_first_stamp_a_trajectory_stands_at_its_first_pose():
    states = np.array([[1.0, 2, 3, 1, 1, 1], [2.0, 2, 3, 1, 1, 1]])
    resampled = Trajectory([5.0, 6.0], states).resample(4.5, 0.25, 3)
    np.testing.assert_allclose(resampled[:2], [[1, 2, 3, 0, 0, 0]] * 2)
    np.testing.assert_allclose(resampled[3], [1.25, 2, 3, 1, 1, 1])


def test_a_timed_circle_has_its_speed_and_turn_rate():
    points, times = circle(2.0, 201), np.linspace(0, 8 * np.pi, 201)
    states = timed_path(times, points, None).resample(1.0, 0.5, 20)
    np.testing.assert_allclose(states[:, 3], 0.5, rtol=1e-2)
    np.testing.assert_allclose(states[:, 4], 0.0, atol=1e-2)
    np.testing.assert_allclose(states[:, 5], 0.25, rtol=1e-2)
    np.testing.assert_allclose(states[:, 2], np.pi / 2 + np.arange(1, 11.5, 0.5) / 4, atol=2e-2)


def test_a_wait_in_a_timed_path_holds_its_heading():
    points = [[0, 0], [0, 1], [0, 1], [0, 1], [0, 2]]
    states = timed_path([0, 1, 2, 3, 4], points, None).resample(0.0, 0.5, 8)
    np.testing.assert_allclose(states[:, 2], np.pi / 2)
    assert states[4, 3] == 0.0


def test_a_timed_path_may_be_as_slow_as_it_likes():
    points = np.column_stack([np.zeros(10), np.linspace(0, 5e-6, 10)])
    states = timed_path(np.arange(10.0), points, None).resample(0.0, 1.0, 9)
    np.testing.assert_allclose(states[:, 2], np.pi / 2)


def test_a_timed_path_is_driven_backwards_where_its_headings_say_so():
    points = out_and_back(2.0)
    times = np.linspace(0, 8, len(points))
    states = timed_path(times, points, np.zeros(len(points))).resample(0.0, 0.5, 16)
    np.testing.assert_allclose(states[1:8, 3], 0.5)
    np.testing.assert_allclose(states[9:16, 3], -0.5)
    np.testing.assert_allclose(states[:, 2], 0.0)


def test_headings_across_the_line_count_for_a_robot_that_goes_sideways():
    points, across = [[0, 0], [1, 0], [2, 0]], np.full(3, np.pi / 2)
    times = [0.0, 2.0, 4.0]
    aside = timed_path(times, points, across, sideways=True).resample(1.0, 1.0, 0)
    np.testing.assert_allclose(aside, [[0.5, 0, np.pi / 2, 0, -0.5, 0]], atol=1e-12)
    ahead = timed_path(times, points, across).resample(1.0, 1.0, 0)
    np.testing.assert_allclose(ahead, [[0.5, 0, 0, 0.5, 0, 0]], atol=1e-12)


@pytest.mark.parametrize(
    ("times", "points", "words"),
    [
        ([0.0], [[0, 0]], "2 at least"),
        ([0.0, 1.0, 1.0], [[0, 0], [1, 0], [2, 0]], "increase"),
        ([0.0, 1.0], [[1, 1], [1, 1]], "distinct"),
    ],
)
def test_what_makes_no_timed_path_is_refused(times, points, words):
    with pytest.raises(ValueError, match=words):
        timed_path(times, points, None)


class TestFollower:
    line = timed_path([10.0, 12.0, 14.0], [[0, 0], [1, 0], [2, 0]], None)
    robot = np.array([1.0, 0.1, 4 * np.pi + 0.1, 0, 0, 0])

    def test_it_is_where_the_clock_says(self):
        clock = Clock(12.5)
        states = TimedFollower(self.line, clock, FORWARDS).reference(self.robot, 0.5, 4)
        np.testing.assert_allclose(states[:, 0], [1.25, 1.5, 1.75, 2.0, 2.0])
        np.testing.assert_allclose(states[:, 2], 4 * np.pi)

    def test_it_waits_for_its_first_stamp(self):
        clock = Clock(8.0)
        follower = TimedFollower(self.line, clock, FORWARDS)
        states = follower.reference(self.robot, 0.5, 4)
        np.testing.assert_array_equal(states[:4, 3], 0.0)
        np.testing.assert_array_equal(states[:, 0], 0.0)
        assert not follower.finished

    def test_it_ends_at_the_last_pose_once_the_time_is_over(self):
        clock = Clock(13.9)
        follower = TimedFollower(self.line, clock, FORWARDS)
        there = np.array([1.98, 0, 0, 0, 0, 0])
        follower.reference(there, 0.5, 4)
        assert not follower.finished
        clock.now = 14.01
        states = follower.reference(there, 0.5, 4)
        np.testing.assert_array_equal(states[:, 3], 0.0)
        assert follower.finished

    def test_a_late_robot_is_told_how_far_it_has_to_go(self):
        clock = Clock(13.9)
        follower = TimedFollower(self.line, clock, FORWARDS)
        follower.reference(self.robot, 0.5, 4)
        assert follower.left is None
        clock.now = 30.0
        follower.reference(self.robot, 0.5, 4)
        assert not follower.finished
        assert follower.left == pytest.approx(np.hypot(1.0, 0.1))

    def test_once_arrived_it_stays_so(self):
        follower = TimedFollower(self.line, Clock(15.0), FORWARDS)
        follower.reference([1.98, 0, 0, 0, 0, 0], 0.5, 4)
        follower.reference(self.robot, 0.5, 4)
        assert follower.with_settings(BOTH_WAYS).finished

    def test_a_reference_may_begin_ahead_of_the_clock(self):
        follower = TimedFollower(self.line, Clock(12.0), FORWARDS)
        assert follower.reference(self.robot, 0.5, 4, ahead=0.4)[0, 0] == pytest.approx(1.2)

    def test_driving_backwards_needs_leave(self):
        points = out_and_back(2.0)
        back = timed_path(np.linspace(0, 8, len(points)), points, np.zeros(len(points)))
        with pytest.raises(ValueError, match="backwards"):
            TimedFollower(back, Clock(), FORWARDS)
        follower = TimedFollower(back, Clock(), BOTH_WAYS)
        with pytest.raises(ValueError, match="backwards"):
            follower.with_settings(FORWARDS)

    def test_new_settings_leave_it_where_it_is(self):
        follower = TimedFollower(self.line, Clock(12.0), FORWARDS).with_settings(BOTH_WAYS)
        assert follower.reference(self.robot, 0.5, 1)[0, 0] == 1.0

    @pytest.mark.parametrize("state", [np.zeros(5), np.full(6, np.nan)])
    def test_a_state_that_is_none_is_refused(self, state):
        with pytest.raises(ValueError, match="finite"):
            TimedFollower(self.line, Clock(), FORWARDS).reference(state, 0.5, 1)
