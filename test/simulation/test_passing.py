"""Courses with one obstacle on the way."""

import numpy as np
import pytest

from ebm_mpc_ros.simulation.courses import clearance, project
from ebm_mpc_ros.simulation.passing import draw_passing
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS


def curvature(course):
    """Rad/m from the first segment to the last."""
    headings = np.unwrap(np.arctan2(*course.segments.T[::-1]))
    return (headings[-1] - headings[0]) / (course.length - course.lengths[0])


@pytest.mark.parametrize("seed", range(20))
def test_the_way_is_an_arc_blocked_by_its_obstacle(seed):
    course = draw_passing(np.random.default_rng(seed), 0.8)
    assert course.length == pytest.approx(7.0)
    assert abs(curvature(course)) <= 0.5
    turns = np.diff(np.unwrap(np.arctan2(*course.segments.T[::-1])))
    np.testing.assert_allclose(turns, curvature(course) * course.lengths[0], atol=1e-9)
    assert course.speed == 0.8
    place = project(course, course.obstacles[:, :2], progress=3.5)
    assert 2.5 <= place.progress[0] <= 4.5
    assert abs(place.offset[0]) <= 0.15
    gaps = clearance(course, course.points, ROBOT_RADIUS)
    assert gaps.min() < 0.0
    assert gaps[0] > 1.5
    assert gaps[-1] > 1.5


def test_ways_bend_to_either_side():
    bends = [curvature(draw_passing(np.random.default_rng(seed), 0.8)) for seed in range(40)]
    assert min(bends) < -0.3
    assert max(bends) > 0.3


def test_the_same_seed_draws_the_same_course():
    one, two = (draw_passing(np.random.default_rng(5), 0.8) for _ in range(2))
    np.testing.assert_array_equal(one.points, two.points)
    np.testing.assert_array_equal(one.obstacles, two.obstacles)
