"""Where a drive was going: along its path, to its goal, or where it then drove."""

from dataclasses import replace

import numpy as np
import pytest
from driving import MODEL, drive
from test_shipped_policy import COST, PATH

from ebm_mpc_ros.control import (
    PathFollower,
    goal_path,
    model_reference,
    planar_outputs,
    split_path,
)
from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.learning.conditions import Sight, condition
from ebm_mpc_ros.learning.goals import FOLLOWING, ToldGoals, driven_goals
from ebm_mpc_ros.learning.policy import LearnedPolicy, PolicySettings
from ebm_mpc_ros.learning.recording import DataError, Goal, Track
from ebm_mpc_ros.models import load_model

STAMPS = np.arange(5) * 100
DT, AHEAD = 0.1, 300


def along(x):
    return np.column_stack([x, np.zeros((len(x), 4))])


def told_goals(goals, stamps, states, look_ahead, model=MODEL):
    recording = replace(drive(), states=Track(stamps, states), goals=tuple(goals))
    return ToldGoals(model, recording, look_ahead).along(stamps, states)


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
    states = np.column_stack([path, heading, np.zeros((400, 2))])[::10]
    found = told_goals([Goal(0, path)], np.arange(len(states)), states, 1.0)
    distance = np.hypot(*(found - states[:, :3])[:, :2].T)
    assert np.all(distance > 0.6)
    assert np.all(np.cos(found[:, 2] - states[:, 2]) > 0.0)


def test_before_the_first_goal_there_is_none_and_a_newer_one_takes_over():
    goals = [Goal(150, np.array([[1.0, 2.0, 3.0]])), Goal(300, np.array([[4.0, 5.0, 6.0]]))]
    found = told_goals(goals, STAMPS, along(np.zeros(5)), 100.0)
    assert np.isnan(found[:2]).all()
    np.testing.assert_allclose(found[2:, :2], [[1, 2], [4, 5], [4, 5]], atol=1e-9)
    np.testing.assert_allclose(np.cos(found[2:, 2] - [3, 6, 6]), 1.0, atol=1e-3)


def test_the_way_to_a_pose_begins_where_the_robot_was_when_it_was_told():
    goal = np.array([[4.0, 0.0, 0.0]])
    states = along(np.array([0.0, 1.0, 1.0, 2.0, 3.0]))
    states[:2, 1] = 3.0
    found = told_goals([Goal(200, goal)], STAMPS, states, 1.0)
    np.testing.assert_allclose(found[2:], [[2, 0, 0], [3, 0, 0], [4, 0, 0]], atol=1e-9)


@pytest.fixture(scope="module")
def policy():
    settings = PolicySettings(chains=4)
    return LearnedPolicy(load(PATH), MODEL, COST, settings, name="diff_drive", dt=DT, horizon=20)


def heading_of(points):
    return np.arctan2(*np.gradient(points, axis=0).T[::-1])


def curve(reach):
    t = np.linspace(0.0, reach, 60)
    return np.column_stack([t, 0.4 * np.sin(t)])


def out_and_back():
    """Return points and headings of a way ahead and backwards from its end."""
    ahead = curve(3.0)
    back = ahead[-1] + np.column_stack([-np.linspace(0.05, 4.0, 60), np.zeros(60)])
    points = np.concatenate([ahead, back])
    return points, np.concatenate([heading_of(ahead), np.zeros(60)])


def to_a_tip_and_round():
    points = np.concatenate([curve(3.0), curve(3.0)[-2::-1]])
    return points, None


PLANS = {
    "ahead": (curve(5.0), heading_of(curve(5.0))),
    "without headings": (curve(5.0), None),
    "backwards": (-curve(5.0), heading_of(curve(5.0))),
    "ahead and back": out_and_back(),
    "turning round": to_a_tip_and_round(),
}


def driven(policy, follower, state):
    """Drive a robot that does what its reference says; return its states and the goals served."""
    states, goals = [], []
    while not follower.finished and len(states) < 600:
        planar = planar_outputs(MODEL, state)
        reference = model_reference(MODEL, follower.reference(planar, DT, AHEAD))
        states.append(state)
        goals.append(policy._goal(reference)[:3])
        state = reference[1]
    assert follower.finished
    return np.array(states), np.array(goals)


def conditions(states, goals):
    return condition(MODEL, Sight(nearest=0), states, goals, np.zeros((0, 3)))


@pytest.mark.parametrize("name", PLANS)
def test_on_a_plan_training_sees_the_goal_that_driving_sees(policy, name):
    points, headings = PLANS[name]
    follower = PathFollower(split_path(points, headings), FOLLOWING)
    yaw = follower._stretches[0].path.headings[0]
    states, served = driven(policy, follower, np.array([*points[0], yaw, 0.0, 0.0]))
    stamps = np.arange(len(states))
    trained = told_goals([Goal(0, points, headings)], stamps, states, policy.look_ahead)
    np.testing.assert_allclose(conditions(states, trained), conditions(states, served), atol=0.02)


@pytest.mark.parametrize("goal", [(5.0, 5.0, 1.57), (4.0, 0.0, 1.57), (3.0, -3.0, 0.0)])
def test_towards_a_pose_training_sees_the_goal_that_driving_sees(policy, goal):
    path = goal_path(np.zeros(3), goal, radius=FOLLOWING.turning_radius)
    states, served = driven(policy, PathFollower(path, FOLLOWING), np.zeros(5))
    stamps = np.arange(len(states))
    trained = told_goals([Goal(0, np.array([goal]))], stamps, states, policy.look_ahead)
    np.testing.assert_allclose(conditions(states, trained), conditions(states, served), atol=0.02)


def test_a_pose_that_is_reached_already_is_where_the_robot_is():
    states = along(np.full(5, 1.0))
    found = told_goals([Goal(0, np.array([[1.01, 0.0, 2.0]]))], STAMPS, states, 2.0)
    np.testing.assert_allclose(found, [[1.0, 0.0, 0.0]] * 5, atol=1e-9)


def test_a_car_has_no_goals_on_a_path_that_turns_round_on_the_spot():
    points, headings = PLANS["turning round"]
    car = load_model("ackermann")
    told_goals([Goal(0, points, headings)], STAMPS, along(np.zeros(5)), 2.0)
    with pytest.raises(DataError, match="bag: a path turns round on the spot, which this robot"):
        told_goals([Goal(0, points, headings)], STAMPS, along(np.zeros(5)), 2.0, model=car)


def test_a_driven_goal_is_where_the_robot_then_was():
    poses = along(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))[:, :3]
    np.testing.assert_array_equal(driven_goals(poses, 2.0)[:, 0], [2, 3, 4, 4, 4])
