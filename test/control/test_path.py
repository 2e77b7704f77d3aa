"""Curves by arc length, and paths to a goal."""

import numpy as np
import pytest
from following import circle

from ebm_mpc_ros.control import ReferencePath, goal_path


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


@pytest.mark.parametrize("radius", [0.3, 1.5])
def test_a_goal_path_turns_no_tighter_than_its_radius(radius):
    path = goal_path((0, 0, 0), (1.0, 4.0, np.pi), radius=radius)
    assert np.max(np.abs(path.curvatures)) == pytest.approx(1 / radius, rel=0.1)


def test_a_path_driven_backwards_heads_the_other_way_and_turns_alike():
    ahead, back = (ReferencePath(circle(2.0)[:200], backwards=b) for b in (False, True))
    np.testing.assert_allclose(back.headings, ahead.headings + np.pi)
    np.testing.assert_allclose(back.curvatures, ahead.curvatures)


def test_beyond_its_ends_an_open_path_gives_its_ends():
    position, heading, _ = ReferencePath([[0, 0], [0, 2]]).sample([-1.0, 0.5, 3.0])
    np.testing.assert_allclose(position, [[0, 0], [0, 0.5], [0, 2]], atol=1e-12)
    np.testing.assert_allclose(heading, np.pi / 2)


def test_points_that_creep_back_are_dropped_too():
    path = ReferencePath([[0, 0], [9e-7, 0], [-9e-7, 0], [1, 0]])
    assert path.length == pytest.approx(1.0)
    with pytest.raises(ValueError, match="distinct"):
        ReferencePath([[0, 0], [9e-7, 0], [-9e-7, 0]])


def test_a_long_path_has_stations_farther_apart():
    path = ReferencePath([[0, 0], [1e4, 0]])
    assert len(path.stations) == 100_000
    assert len(ReferencePath([[0, 0], [1, 0]], most_stations=20).stations) == 20
