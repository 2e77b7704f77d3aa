"""What a policy sees: in the robot's axes, nearest first, nothing for what is not there."""

import numpy as np
import pytest

from ebm_mpc_ros.learning.conditions import Sight, condition, condition_units, input_units
from ebm_mpc_ros.models import load_model

MODEL = load_model("diff_drive")
SIGHT = Sight(look_ahead=2.0, nearest=2, obstacle_range=4.0)
NONE = np.empty((0, 3))


def seen(state=(0, 0, 0, 0.5, 0.1), goal=(1, 0, 0), circles=NONE, sight=SIGHT, model=MODEL):
    states, goals = np.array([state], float), np.array([goal], float)
    (row,) = condition(model, sight, states, goals, np.asarray(circles, float))
    return dict(zip(condition_units(model, sight), row, strict=True))


def test_twist_and_goal_are_in_base_link():
    found = seen((1.0, 2.0, np.pi / 2, 0.5, 0.1), (1.0, 3.5, np.pi))
    assert found["vx"] == 0.5
    assert found["vyaw"] == 0.1
    assert found["goal_x"] == pytest.approx(1.5)
    assert found["goal_y"] == pytest.approx(0.0, abs=1e-12)
    assert found["goal_cos"] == pytest.approx(0.0, abs=1e-12)
    assert found["goal_sin"] == pytest.approx(1.0)


def test_a_far_goal_is_drawn_in_and_one_underfoot_is_no_division_by_zero():
    far = seen(goal=(30.0, 40.0, 0.0))
    assert far["goal_x"] == pytest.approx(1.2)
    assert far["goal_y"] == pytest.approx(1.6)
    assert seen(goal=(0.0, 0.0, 0.0))["goal_x"] == 0.0


def test_obstacles_come_nearest_first_with_their_nearness():
    found = seen((0, 0, np.pi / 2, 0, 0), circles=[[0, 3, 0.5], [-2, 0, 1.0], [9, 0, 0.1]])
    # The second one, to the left, is 1 m clear; the first one, ahead, 2.5 m.
    assert found["obstacle0_x"] == pytest.approx(0.0, abs=1e-12)
    assert found["obstacle0_y"] == pytest.approx(0.75)
    assert found["obstacle0_radius"] == pytest.approx(0.75)
    assert found["obstacle1_x"] == pytest.approx(0.375)
    assert found["obstacle1_radius"] == pytest.approx(0.375 * 0.5)


def test_an_obstacle_out_of_sight_is_as_none_and_there_is_no_jump_on_the_way():
    absent = [seen()[f"obstacle0_{name}"] for name in ("x", "y", "radius")]
    assert absent == [0.0, 0.0, 0.0]
    gone = seen(circles=[[4.3, 0.0, 0.2]])
    assert gone["obstacle0_x"] == 0.0
    assert seen(circles=[[4.1999, 0.0, 0.2]])["obstacle0_x"] == pytest.approx(0.0, abs=1e-4)


def test_a_condition_does_not_depend_on_where_the_world_has_its_origin():
    state, goal, circle = (0.3, -0.2, 0.4, 0.5, 0.1), (1.0, 0.5, 0.7), (1.0, 1.0, 0.3)
    turn, shift = 2.0, np.array([5.0, -3.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def moved(pose):
        return (*(rotation @ pose[:2] + shift), pose[2] + turn)

    there = (*(rotation @ circle[:2] + shift), circle[2])
    before = seen(state, goal, [circle])
    after = seen((*moved(state[:3]), *state[3:]), moved(goal), [there])
    np.testing.assert_allclose(list(before.values()), list(after.values()), atol=1e-12)


def test_no_obstacles_may_be_seen_at_all():
    blind = Sight(nearest=0)
    assert not any(name.startswith("obstacle") for name in condition_units(MODEL, blind))
    assert "goal_x" in seen(circles=[[1, 0, 0.2]], sight=blind)


def test_an_omnidirectional_robot_sees_its_sideways_speed():
    omni = load_model("omni")
    assert seen((0, 0, 0, 0.5, 0.2, 0.1), model=omni)["vy"] == 0.2
    assert input_units(omni) == {"ax": "m/s²", "ay": "m/s²", "alpha": "rad/s²"}


@pytest.mark.parametrize(
    "field",
    [
        {"look_ahead": 0.0},
        {"look_ahead": float("inf")},
        {"look_ahead": "2"},
        {"obstacle_range": -1.0},
        {"nearest": -1},
        {"nearest": 1.0},
        {"nearest": True},
    ],
)
def test_a_sight_out_of_range_is_refused(field):
    with pytest.raises(ValueError, match=next(iter(field))):
        Sight(**field)
