"""References along a path: their speeds, headings, stops and ends."""

import numpy as np
import pytest
from following import DT, circle, eight, follow, follower_of, out_and_back
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ebm_mpc_ros.control import (
    FollowerSettings,
    PathFollower,
    RealTimeIteration,
    ReferencePath,
    model_reference,
    planar_outputs,
    split_path,
)

BOTH_WAYS = FollowerSettings(cruise_speed=1.0, reverse_speed=0.4)


def test_a_reference_is_feasible_and_slows_in_bends_and_at_the_end():
    settings = FollowerSettings(
        cruise_speed=1.5, max_lateral_acceleration=0.8, max_acceleration=0.6, max_yaw_rate=2.0
    )
    path = ReferencePath([[0, 0], [2, 0], [4, 0], [4, 3], [4, 5]], smoothing=0.4)
    follower = PathFollower(path, settings)
    states = follow(follower, np.zeros(6), 400)
    assert follower.finished
    assert states[-1, 3] == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(states[-1, :2], [4, 5], atol=0.06)
    assert np.all(np.abs(np.diff(states[:, 3])) <= 0.6 * DT + 1e-9)
    assert np.max(np.abs(states[:, 3] * states[:, 5])) <= 0.8 * 1.1
    assert np.max(states[:, 3]) > 1.2
    assert np.max(np.hypot(*np.diff(states[:, :2], axis=0).T)) <= 1.5 * DT + 1e-9


def test_speed_starts_from_the_robots_own():
    path = ReferencePath([[0, 0], [10, 0]])
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, max_acceleration=0.5))
    reference = follower.reference([0, 0.1, 0, 0.3, 0, 0], DT, 10)
    np.testing.assert_allclose(reference[:, 3], 0.3 + 0.5 * DT * np.arange(11))
    np.testing.assert_allclose(
        np.diff(reference[:, 0]), DT * (reference[1:, 3] + reference[:-1, 3]) / 2
    )


def test_the_pose_ahead_lies_so_far_along_the_path_and_never_beyond_where_it_stops():
    path = ReferencePath(circle(2.0)[:100])
    follower = PathFollower(path, BOTH_WAYS)
    (x, y), yaw, _ = path.sample(1.5)
    pose = np.array([*path.sample(0.5)[0], path.sample(0.5)[1], 0, 0, 0])
    assert follower.pose_ahead(pose, 1.0) == pytest.approx((x, y, float(yaw)), abs=0.02)
    assert follower.pose_ahead(pose, 99.0)[:2] == pytest.approx(path.positions[-1])
    out = PathFollower(split_path(out_and_back(3.0)), BOTH_WAYS)
    assert out.pose_ahead([0, 0, 0, 0, 0, 0], 99.0)[:2] == pytest.approx((3.0, 0.0), abs=1e-6)


@pytest.mark.parametrize("laps", [1, 2])
def test_a_closed_path_is_driven_for_its_laps(laps):
    path = ReferencePath(circle(1.0))
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, laps=laps))
    states = follow(follower, np.array([1, 0, np.pi / 2, 0, 0, 0]), laps * 130 + 80)
    assert follower.finished
    assert follower.progress == pytest.approx(laps * path.length, abs=0.06)
    np.testing.assert_allclose(states[-1, 2], np.pi / 2 + laps * 2 * np.pi, atol=0.1)


@pytest.mark.parametrize("turns", [-3, 0, 2])
def test_yaw_is_unwrapped_near_the_robots(turns):
    follower = PathFollower(ReferencePath(circle(1.0)), FollowerSettings(cruise_speed=1.0))
    yaw = np.pi / 2 + 2 * np.pi * turns
    reference = follower.reference([1, 0, yaw, 1, 0, 0], DT, 60)
    assert reference[0, 2] == pytest.approx(yaw, abs=0.05)
    assert np.max(np.abs(np.diff(reference[:, 2]))) < 0.1


def test_a_reset_follower_finds_the_robot_again():
    follower = PathFollower(ReferencePath([[0, 0], [10, 0]]), FollowerSettings(cruise_speed=1.0))
    follower.reference([1, 0, 0, 0, 0, 0], DT, 5)
    follower.reference([8, 0, 0, 0, 0, 0], DT, 5)
    assert follower.progress < 4
    follower.reset()
    follower.reference([8.02, 0, 0, 0, 0, 0], DT, 5)
    assert follower.progress == pytest.approx(8.02)


def test_a_state_that_is_not_finite_leaves_the_progress():
    follower = PathFollower(ReferencePath([[0, 0], [10, 0]]), FollowerSettings(cruise_speed=1.0))
    follower.reference([1, 0, 0, 0, 0, 0], DT, 5)
    with pytest.raises(ValueError, match="finite"):
        follower.reference([np.nan, 0, 0, 0, 0, 0], DT, 5)
    assert follower.progress == pytest.approx(1.0)


@pytest.mark.parametrize(
    "name", ["cruise_speed", "max_acceleration", "window_ahead", "turning_radius", "laps"]
)
def test_a_bad_follower_setting_is_named(name):
    with pytest.raises(ValueError, match=name):
        FollowerSettings(**({"cruise_speed": 1.0} | {name: 0}))


@pytest.mark.parametrize("speed", [-0.1, float("nan"), float("inf")])
def test_a_bad_reverse_speed_is_named(speed):
    with pytest.raises(ValueError, match="reverse_speed"):
        FollowerSettings(cruise_speed=1.0, reverse_speed=speed)


class TestTheEnd:
    def follow(self, *robots):
        follower = PathFollower(
            ReferencePath([[0, 0], [2, 0]]), FollowerSettings(cruise_speed=1.0, goal_tolerance=0.05)
        )
        for x, y in robots:
            follower.reference([x, y, 0, 0, 0, 0], DT, 5)
        return follower

    @pytest.mark.parametrize("robot", [(2.5, 3.0), (12.0, 0.0), (2.0, -8.0), (2.0, 0.11)])
    def test_a_robot_beside_or_beyond_it_has_not_arrived(self, robot):
        follower = self.follow(robot)
        assert not follower.finished
        assert follower.left == pytest.approx(np.hypot(robot[0] - 2.0, robot[1]))

    @pytest.mark.parametrize("robot", [(1.96, 0.0), (2.08, 0.0), (1.97, 0.08)])
    def test_one_near_it_has(self, robot):
        assert self.follow(robot).finished

    def test_what_is_left_is_told_only_there(self):
        assert self.follow((2.5, 3.0), (1.5, 0.0)).left is None

    def test_once_arrived_it_stays_so_until_it_is_reset(self):
        follower = self.follow((2.0, 0.0), (1.0, 0.5))
        assert follower.finished
        assert follower.with_settings(FollowerSettings(cruise_speed=0.5)).finished
        follower.reset()
        assert not follower.finished


class TestReversing:
    points = out_and_back(2.0)
    ahead = np.zeros(len(points))

    def test_out_and_back_stops_at_the_cusp_and_returns_backwards(self):
        states = follow(follower_of(self.points, BOTH_WAYS, self.ahead), np.zeros(6), 220)
        assert np.max(states[:, 0]) == pytest.approx(2.0, abs=0.05)
        assert states[-1, 0] == pytest.approx(0.0, abs=0.05)
        assert np.max(states[:, 3]) == pytest.approx(1.0, abs=0.05)
        assert np.min(states[:, 3]) == pytest.approx(-0.4, abs=0.01)
        np.testing.assert_allclose(states[:, 2], 0.0, atol=1e-9)
        assert np.all(np.abs(np.diff(states[:, 3])) <= 0.5 * DT + 1e-9)

    def test_the_reference_ahead_of_a_cusp_stops_there(self):
        follower = follower_of(self.points, BOTH_WAYS, self.ahead)
        states = follower.reference([1.7, 0, 0, 0.3, 0, 0], DT, 80)
        np.testing.assert_allclose(states[-1], [2.0, 0, 0, 0, 0, 0], atol=1e-6)
        assert np.all(np.diff(states[:, 0]) >= 0.0)

    def test_progress_counts_all_stretches(self):
        follower = follower_of(self.points, BOTH_WAYS, self.ahead)
        follow(follower, np.zeros(6), 220)
        assert follower.finished
        assert follower.progress == pytest.approx(4.0, abs=0.06)

    def test_it_needs_leave(self):
        with pytest.raises(ValueError, match="backwards"):
            follower_of(self.points, FollowerSettings(cruise_speed=1.0), self.ahead)
        follower = follower_of(self.points, BOTH_WAYS, self.ahead)
        with pytest.raises(ValueError, match="backwards"):
            follower.with_settings(FollowerSettings(cruise_speed=1.0, reverse_speed=0.0))

    def test_a_bend_is_driven_backwards_with_the_turn_of_its_heading(self):
        points = circle(1.0)[:200]
        angle = np.arctan2(points[:, 1], points[:, 0])
        follower = follower_of(points, BOTH_WAYS, angle - np.pi / 2)
        states = follow(follower, [1, 0, -np.pi / 2, 0, 0, 0], 60)
        np.testing.assert_allclose(states[-1, [3, 5]], [-0.4, 0.4], atol=0.03)
        turned = np.diff(states[:, 2])[20:] / DT
        np.testing.assert_allclose(turned, states[20:-1, 5], atol=0.03)

    def test_a_robot_still_rolling_ahead_brakes_first(self):
        follower = follower_of([[0, 0], [-2, 0]], BOTH_WAYS, np.full(2, 0.01))
        states = follower.reference([0, 0, 0, 0.3, 0, 0], DT, 30)
        assert states[0, 3] == pytest.approx(0.3)
        assert np.all(np.diff(states[:, 3]) >= -0.5 * DT - 1e-9)
        assert states[-1, 3] < -0.3


@pytest.mark.parametrize("reversing", [True, False])
def test_a_controlled_robot_comes_back_from_a_tip(make_problem, reversing):
    problem = make_problem()
    controller = RealTimeIteration(problem)
    points = out_and_back(1.0)
    follower = follower_of(
        points,
        FollowerSettings(cruise_speed=0.8, reverse_speed=0.2),
        0 * points[:, 0] if reversing else None,
    )
    state, farthest, rng = np.zeros(5), 0.0, np.random.default_rng(0)
    for _ in range(250):
        seen = state + np.array([0.01, 0.01, 0.01, 0, 0]) * rng.normal(size=5)
        planar = follower.reference(planar_outputs(problem.model, seen), DT, problem.horizon)
        if follower.finished:
            break
        controller.prepare(model_reference(problem.model, planar))
        state = problem.model.f(state, controller.feedback(seen).inputs[0], DT)
        farthest = max(farthest, state[0])
    assert follower.finished
    assert farthest == pytest.approx(1.0, abs=0.06)
    np.testing.assert_allclose(state[:2], 0.0, atol=0.1)
    assert np.cos(state[2]) == pytest.approx(1.0 if reversing else -1.0, abs=0.02)


class TestTurningOnTheSpot:
    points = out_and_back(2.0)

    def test_without_headings_the_robot_turns_round_at_the_tip(self):
        follower = follower_of(self.points, BOTH_WAYS)
        assert follower.turns_on_the_spot
        states = follow(follower, np.zeros(6), 240)
        assert np.max(states[:, 0]) == pytest.approx(2.0, abs=0.05)
        np.testing.assert_allclose(states[-1, :2], 0.0, atol=0.05)
        assert np.min(states[:, 3]) >= 0.0
        assert abs(states[-1, 2]) == pytest.approx(np.pi, abs=0.05)
        turning = np.abs(states[:, 5]) > 1e-6
        assert np.max(np.abs(states[:, 5])) <= 2.0 + 1e-9
        assert np.ptp(states[turning, 0]) <= 0.06

    def test_where_all_is_smooth_there_is_none(self):
        assert not PathFollower(ReferencePath(eight()), BOTH_WAYS).turns_on_the_spot
        points = out_and_back(2.0)
        assert not follower_of(points, BOTH_WAYS, np.zeros(len(points))).turns_on_the_spot


class TestNewSettings:
    def test_progress_is_kept(self):
        follower = PathFollower(ReferencePath(eight()), BOTH_WAYS)
        state = follow(follower, [0, 0, 0.78, 0, 0, 0], 60)[-1]
        changed = follower.with_settings(FollowerSettings(cruise_speed=0.3))
        assert changed.progress == follower.progress
        states = changed.reference(state, DT, 80)
        assert states[-1, 3] == pytest.approx(0.3)
        assert changed.progress == pytest.approx(follower.progress, abs=0.1)

    def test_the_stretch_is_kept(self):
        points = out_and_back(2.0)
        follower = follower_of(points, BOTH_WAYS, np.zeros(len(points)))
        state = follow(follower, np.zeros(6), 140)[-1]
        assert follower.progress > 2.1
        slower = FollowerSettings(cruise_speed=1.0, reverse_speed=0.1)
        changed = follower.with_settings(slower)
        states = changed.reference(state, DT, 40)
        assert changed.progress > 2.1
        assert states[-1, 3] == pytest.approx(-0.1)


LIMITS = FollowerSettings(
    cruise_speed=1.2,
    reverse_speed=0.4,
    max_lateral_acceleration=0.6,
    max_yaw_rate=1.5,
    max_acceleration=0.8,
)


@given(
    points=arrays.arrays(
        float, st.tuples(st.integers(2, 12), st.just(2)), elements=st.floats(-5, 5, width=32)
    ),
    along=st.booleans(),
    speed=st.floats(-2, 2),
    offset=st.floats(-1, 1),
    yaw=st.floats(-20, 20),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_every_reference_keeps_the_limits(points, along, speed, offset, yaw):
    try:
        headings = np.arctan2(*np.gradient(points, axis=0).T[::-1]) + np.pi if along else None
        follower = follower_of(points, LIMITS, headings)
    except ValueError:
        return
    state = np.array([*(points[0] + offset), yaw, speed, 0.0, 0.0])
    for _ in range(3):
        states = follower.reference(state, DT, 30)
        assert np.isfinite(states).all()
        assert np.all(states[:, 3] <= 1.2 + 1e-9)
        assert np.all(np.abs(np.diff(states[:, 3])) <= 0.8 * DT + 1e-9)
        assert abs(states[0, 2] - state[2]) <= np.pi + 1e-9
        gone = np.hypot(*np.diff(states[:, :2], axis=0).T)
        assert np.all(gone <= DT * 1.2 + 1e-6)
        state = states[1]


@given(
    points=arrays.arrays(
        float, st.tuples(st.integers(3, 9), st.just(2)), elements=st.floats(-5, 5, width=32)
    )
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_a_robot_from_rest_keeps_the_bends_limits_and_never_goes_back(points):
    try:
        follower = follower_of(points, LIMITS)
    except ValueError:
        return
    state = np.array([*points[0], 0.0, 0.0, 0.0, 0.0])
    before = -1.0
    for _ in range(60):
        states = follower.reference(state, DT, 20)
        assert follower.progress >= before - 1e-6
        before, state = follower.progress, states[1]
        moving = states[states[:, 3] > 0.0]
        bend = np.maximum(np.abs(moving[:, 5]) / moving[:, 3], 1e-9)
        highest = np.minimum(np.sqrt(0.6 / bend), 1.5 / bend)
        # Limits hold at the stations; in between and at a step's end a step of speed more may be.
        assert np.all(moving[:, 3] <= highest + 0.8 * DT)
