"""Paths, progress along them, and the references they give."""

import numpy as np
import pytest

from ebm_mpc_ros.control import (
    FollowerSettings,
    PathFollower,
    ReferencePath,
    Trajectory,
    goal_path,
    model_reference,
)
from ebm_mpc_ros.models import load_model

DT = 0.05


def eight(count=400):
    s = np.linspace(0, 2 * np.pi, count)
    return np.column_stack([3 * np.sin(s), 1.5 * np.sin(2 * s)])


def circle(radius, count=400):
    angle = np.linspace(0, 2 * np.pi, count)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def follow(follower, state, ticks):
    """Drive a robot that does what it is told; return its states."""
    states = [state]
    for _ in range(ticks):
        states.append(follower.reference(states[-1], DT, 20)[1])
    return np.array(states)


def test_a_circle_has_its_length_heading_and_curvature():
    path = ReferencePath(circle(2.0))
    assert path.closed
    assert path.length == pytest.approx(4 * np.pi, rel=1e-4)
    arc = np.linspace(0, path.length, 37)
    position, heading, curvature = path.sample(arc)
    np.testing.assert_allclose(np.hypot(*position.T), 2.0, atol=1e-3)
    np.testing.assert_allclose(heading, np.pi / 2 + arc / 2, atol=5e-3)
    np.testing.assert_allclose(curvature, 0.5, atol=0.03)


def test_headings_go_on_turning_over_laps():
    path = ReferencePath(circle(2.0))
    _, heading, _ = path.sample([0.5, path.length + 0.5, -path.length + 0.5])
    np.testing.assert_allclose(heading - heading[0], [0, 2 * np.pi, -2 * np.pi], atol=1e-6)


def test_the_ends_of_a_bend_keep_its_heading():
    path = ReferencePath(circle(2.0)[:200])
    _, heading, _ = path.sample([0.0, path.length])
    np.testing.assert_allclose(heading, np.pi / 2 + np.array([0, path.length / 2]), atol=5e-3)


def test_repeated_points_are_dropped():
    path = ReferencePath([[0, 0], [0, 0], [1, 0], [1, 0], [2, 0]])
    assert path.length == 2.0
    np.testing.assert_allclose(path.headings, 0.0)


@pytest.mark.parametrize(
    "points", [[], [[0, 0]], [[1, 1], [1, 1]], [[0, 0], [np.nan, 1]], [[0, 0, 0], [1, 1, 1]]]
)
def test_points_that_make_no_path_are_refused(points):
    with pytest.raises(ValueError, match="points"):
        ReferencePath(points)


def test_progress_stays_on_its_branch_where_the_path_crosses_itself():
    path = ReferencePath(eight())
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, laps=None))
    arc, rng = np.arange(0.0, 2.5 * path.length, 0.05), np.random.default_rng(0)
    for at in arc:
        position, heading, _ = path.sample(at)
        noisy = position + rng.normal(scale=0.03, size=2)
        yaw = float(heading) + (np.pi / 2 if at else 0.0)
        follower.reference([*noisy, yaw, 1.0, 0.0], DT, 5)
        assert follower.progress == pytest.approx(at, abs=0.2)


@pytest.mark.parametrize("lap", [0.0, 0.5])
def test_the_first_projection_at_a_crossing_goes_by_the_heading(lap):
    path = ReferencePath(eight())
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0))
    _, heading, _ = path.sample(lap * path.length)
    follower.reference([0.0, 0.0, float(heading) + 0.3, 0.0, 0.0], DT, 5)
    distance = (follower.progress - lap * path.length) % path.length
    assert min(distance, path.length - distance) < 0.15


def test_a_reference_is_feasible_and_slows_in_bends_and_at_the_end():
    settings = FollowerSettings(
        cruise_speed=1.5, max_lateral_acceleration=0.8, max_acceleration=0.6, max_yaw_rate=2.0
    )
    path = ReferencePath([[0, 0], [2, 0], [4, 0], [4, 3], [4, 5]], smoothing=0.4)
    follower = PathFollower(path, settings)
    states = follow(follower, np.zeros(5), 400)
    assert follower.finished
    assert states[-1, 3] == pytest.approx(0.0, abs=0.05)
    np.testing.assert_allclose(states[-1, :2], [4, 5], atol=0.06)
    assert np.all(np.abs(np.diff(states[:, 3])) <= 0.6 * DT + 1e-9)
    assert np.max(np.abs(states[:, 3] * states[:, 4])) <= 0.8 * 1.1
    assert np.max(states[:, 3]) > 1.2
    assert np.max(np.hypot(*np.diff(states[:, :2], axis=0).T)) <= 1.5 * DT + 1e-9


def test_speed_starts_from_the_robots_own():
    path = ReferencePath([[0, 0], [10, 0]])
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, max_acceleration=0.5))
    reference = follower.reference([0, 0.1, 0, 0.3, 0], DT, 10)
    np.testing.assert_allclose(reference[:, 3], 0.3 + 0.5 * DT * np.arange(11))
    np.testing.assert_allclose(
        np.diff(reference[:, 0]), DT * (reference[1:, 3] + reference[:-1, 3]) / 2
    )


@pytest.mark.parametrize("laps", [1, 2])
def test_a_closed_path_is_driven_for_its_laps(laps):
    path = ReferencePath(circle(1.0))
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, laps=laps))
    states = follow(follower, np.array([1, 0, np.pi / 2, 0, 0]), laps * 130 + 80)
    assert follower.finished
    assert follower.progress == pytest.approx(laps * path.length, abs=0.06)
    np.testing.assert_allclose(states[-1, 2], np.pi / 2 + laps * 2 * np.pi, atol=0.1)


@pytest.mark.parametrize("turns", [-3, 0, 2])
def test_yaw_is_unwrapped_near_the_robots(turns):
    follower = PathFollower(ReferencePath(circle(1.0)), FollowerSettings(cruise_speed=1.0))
    yaw = np.pi / 2 + 2 * np.pi * turns
    reference = follower.reference([1, 0, yaw, 1, 0], DT, 60)
    assert reference[0, 2] == pytest.approx(yaw, abs=0.05)
    assert np.max(np.abs(np.diff(reference[:, 2]))) < 0.1


def test_a_reset_follower_finds_the_robot_again():
    follower = PathFollower(ReferencePath([[0, 0], [10, 0]]), FollowerSettings(cruise_speed=1.0))
    follower.reference([1, 0, 0, 0, 0], DT, 5)
    follower.reference([8, 0, 0, 0, 0], DT, 5)
    assert follower.progress < 3
    follower.reset()
    follower.reference([8.02, 0, 0, 0, 0], DT, 5)
    assert follower.progress == pytest.approx(8.02)


def test_a_state_that_is_not_finite_leaves_the_progress():
    follower = PathFollower(ReferencePath([[0, 0], [10, 0]]), FollowerSettings(cruise_speed=1.0))
    follower.reference([1, 0, 0, 0, 0], DT, 5)
    with pytest.raises(ValueError, match="finite"):
        follower.reference([np.nan, 0, 0, 0, 0], DT, 5)
    assert follower.progress == pytest.approx(1.0)


@pytest.mark.parametrize("goal", [(3, 1, 0.5), (-2, 1, np.pi), (0.5, 2, -1.0), (-1, -1.6, 0.3)])
def test_a_goal_path_starts_and_ends_with_the_poses(goal):
    path = goal_path((1.0, -1.0, 0.3), goal)
    position, heading, _ = path.sample([0.0, path.length])
    np.testing.assert_allclose(position, [[1.0, -1.0], goal[:2]], atol=1e-9)
    turn = heading - [0.3, goal[2]]
    np.testing.assert_allclose(np.cos(turn), 1.0, atol=5e-3)
    assert np.max(np.abs(path.curvatures)) < 2.2


def test_a_goal_straight_ahead_makes_a_straight_path():
    path = goal_path((1.0, 1.0, np.pi / 4), (3.0, 3.0, np.pi / 4))
    assert path.length == pytest.approx(np.sqrt(8))


def test_a_goal_where_the_robot_is_makes_no_path():
    with pytest.raises(ValueError, match="distinct"):
        goal_path((1, 1, 0), (1, 1, 0))


def test_a_trajectory_is_linear_in_time_with_headings_the_short_way_round():
    states = np.zeros((2, 5))
    states[1] = [1, 2, 0, 0.5, 0.1]
    states[:, 2] = [np.pi - 0.1, -np.pi + 0.1]
    resampled = Trajectory([10.0, 11.0], states).resample(10.5, 0.25, 4)
    assert resampled.shape == (5, 5)
    np.testing.assert_allclose(resampled[0], [0.5, 1.0, np.pi, 0.25, 0.05])
    np.testing.assert_allclose(resampled[2], [1, 2, np.pi + 0.1, 0.5, 0.1])
    np.testing.assert_allclose(resampled[3:], [[1, 2, np.pi + 0.1, 0, 0]] * 2)


@pytest.mark.parametrize(
    ("stamps", "states"),
    [
        ([], np.zeros((0, 5))),
        ([0, 0], np.zeros((2, 5))),
        ([0, 1], np.zeros((2, 4))),
        ([0, np.nan], np.zeros((2, 5))),
        ([0], np.full((1, 5), np.inf)),
    ],
)
def test_a_bad_trajectory_is_refused(stamps, states):
    with pytest.raises(ValueError, match=r"stamps|states"):
        Trajectory(stamps, states)


def test_a_planar_reference_goes_to_the_models_states_by_name():
    class Slipping(type(load_model("diff_drive"))):
        state_names = ("yaw", "x", "y", "vy", "vyaw", "vx")
        state_size = 6

    planar = np.array([[1.0, 2, 3, 4, 5]])
    np.testing.assert_array_equal(model_reference(Slipping(), planar), [[3, 1, 2, 0, 5, 4]])
    with pytest.raises(ValueError, match="RigidBody"):
        model_reference(load_model("rigid_body"), planar)


@pytest.mark.parametrize("name", ["cruise_speed", "max_acceleration", "window_ahead", "laps"])
def test_a_bad_follower_setting_is_named(name):
    with pytest.raises(ValueError, match=name):
        FollowerSettings(**({"cruise_speed": 1.0} | {name: 0}))
