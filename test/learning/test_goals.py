"""Where a drive was going: along its path, to its goal, or where it then drove."""

import numpy as np

from ebm_mpc_ros.learning.goals import driven_goals, told_goals
from ebm_mpc_ros.learning.recording import Goal

STAMPS = np.arange(5) * 100


def along(x):
    return np.column_stack([x, np.zeros(len(x)), np.zeros(len(x))])


def test_a_goal_on_a_path_lies_ahead_of_the_robot_and_ends_with_the_path():
    path = np.column_stack([np.linspace(0, 5, 51), np.ones(51)])
    found = told_goals([Goal(0, path)], STAMPS, along(np.array([0, 1, 2, 2.9, 3.8])), 2.0)
    np.testing.assert_allclose(found[:, 0], [2, 3, 4, 4.9, 5], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], 1.0)
    np.testing.assert_allclose(found[:, 2], 0.0, atol=1e-9)


def test_a_path_that_crosses_itself_is_followed_in_order():
    s = np.linspace(0.0, 2 * np.pi, 400)
    path = np.column_stack([3 * np.sin(s), 1.5 * np.sin(2 * s)])
    heading = np.arctan2(np.gradient(path[:, 1]), np.gradient(path[:, 0]))
    poses = np.column_stack([path, heading])[::10]
    found = told_goals([Goal(0, path)], np.arange(len(poses)), poses, 1.0)
    distance = np.hypot(*(found - poses)[:, :2].T)
    assert np.all(distance > 0.6)
    assert np.all(np.cos(found[:, 2] - poses[:, 2]) > 0.0)


def test_before_the_first_goal_there_is_none_and_a_newer_one_takes_over():
    goals = [Goal(150, np.array([[1.0, 2.0, 3.0]])), Goal(300, np.array([[4.0, 5.0, 6.0]]))]
    found = told_goals(goals, STAMPS, along(np.zeros(5)), 1.0)
    assert np.isnan(found[:2]).all()
    np.testing.assert_array_equal(found[2], [1, 2, 3])
    np.testing.assert_array_equal(found[3:], [[4, 5, 6]] * 2)


def test_a_driven_goal_is_where_the_robot_then_was():
    poses = along(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(driven_goals(poses, 2.0)[:, 0], [2, 3, 4, 4, 4])
