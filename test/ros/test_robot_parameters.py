"""The robot's parameters: its model, limits and weights, for each kind of robot."""

import math

import pytest

from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.ros.parameters import ParameterError, read
from ebm_mpc_ros.ros.robot_parameters import (
    ROBOT_PARAMETERS,
    bounds,
    command_limits,
    follower_settings,
    robot_model_of,
    weights,
)

INF = math.inf


def values(**given):
    return read(ROBOT_PARAMETERS, given)[0]


def robot(**given):
    checked = values(**given)
    return checked, robot_model_of(checked)


def test_the_wheelbase_is_the_models():
    assert robot(model="ackermann", wheelbase=1.3)[1].wheelbase == 1.3
    assert robot(model="omni", wheelbase=1.3)[1].state_size == 6


class Pushed(DiffDrive):
    input_names = ("force", "alpha")


class Renamed(DiffDrive):
    """A robot of the user's own."""


def test_a_model_of_ones_own_is_driven_by_the_names_of_its_inputs():
    checked, model = robot(model=f"{__name__}:Renamed")
    assert command_limits(checked, model) == command_limits(*robot())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{__name__}:Pushed", "Pushed has the inputs force, alpha: one or more of ax, ay, alpha"),
        ("rigid_body", "parameter model = rigid_body: RigidBody"),
        ("hovercraft", "parameter model = hovercraft: .*none of ackermann"),
    ],
)
def test_a_model_that_cannot_be_driven_is_named(name, words):
    with pytest.raises(ParameterError, match=words):
        robot(model=name)


class TestLimits:
    def test_a_diff_drive_robot_is_limited_in_speed_and_turn_rate(self):
        limits = command_limits(*robot(max_speed=2.0, max_acceleration=0.7, max_yaw_rate=1.1))
        assert limits.names == ("vx", "vyaw")
        assert limits.lower == (-0.2, -1.1)
        assert limits.upper == (2.0, 1.1)
        assert limits.gain == (0.7, 2.0)
        assert limits.loss == (1.0, 2.0)

    def test_a_car_is_limited_in_speed_and_steering(self):
        given = {"max_steering_angle": 0.4, "max_steering_rate": 0.9}
        limits = command_limits(*robot(model="ackermann", **given))
        assert limits.names == ("vx", "steering")
        assert (limits.lower[1], limits.upper[1]) == (-0.4, 0.4)
        assert limits.gain[1] == limits.loss[1] == 0.9

    def test_an_omni_robot_is_limited_sideways_too(self):
        given = {"max_sideways_speed": 0.3, "max_sideways_acceleration": 0.6}
        limits = command_limits(*robot(model="omni", **given))
        assert limits.names == ("vx", "vy", "vyaw")
        assert (limits.lower[1], limits.upper[1], limits.gain[1]) == (-0.3, 0.3, 0.6)

    @pytest.mark.parametrize("model", ["diff_drive", "ackermann", "omni"])
    def test_a_plan_is_bounded_as_commands_are(self, model):
        checked, made = robot(model=model, max_deceleration=1.4)
        limits = command_limits(checked, made)
        (least, most), (lower, upper) = bounds(checked, made)
        assert tuple(least) == tuple(-loss for loss in limits.loss)
        assert tuple(most) == limits.gain
        for name, low, high in zip(made.state_names, lower, upper, strict=True):
            place = limits.names.index(name) if name in limits.names else None
            expected = (-INF, INF)
            if place is not None:
                expected = (limits.lower[place], limits.upper[place])
            assert (low, high) == expected


class TestFollowing:
    def test_a_speed_that_the_robot_lacks_is_refused(self):
        with pytest.raises(ParameterError, match="cruise_speed = 2: must be at most max_speed"):
            follower_settings(*robot(cruise_speed=2.0))

    def test_it_reverses_as_fast_as_it_may(self):
        assert follower_settings(*robot(min_speed=-0.4)).reverse_speed == 0.4
        assert not follower_settings(*robot(min_speed=0.0)).reverse_speed

    def test_a_car_turns_towards_a_goal_in_bends_that_it_can_drive(self):
        car = robot(model="ackermann", wheelbase=1.2, max_steering_angle=0.6)
        tightest = 1.2 / math.tan(0.6)
        assert tightest < follower_settings(*car).turning_radius < 1.5 * tightest
        assert follower_settings(*robot()).turning_radius == 0.5


class TestWeights:
    @pytest.mark.parametrize(
        ("model", "state", "inputs"),
        [
            ("diff_drive", [20, 20, 2, 0.5, 0.1], [0.1, 0.05]),
            ("ackermann", [20, 20, 2, 0.5, 0.1], [0.1, 0.05]),
            ("omni", [20, 20, 2, 0.5, 0.5, 0.1], [0.1, 0.1, 0.05]),
        ],
    )
    def test_none_given_are_the_standard_ones_by_name(self, model, state, inputs):
        made = load_model(model)
        assert weights(values(), "state_weights", made.state_names) == state
        assert weights(values(), "terminal_weights", made.state_names) == [5 * w for w in state]
        assert weights(values(), "input_weights", made.input_names) == inputs

    def test_the_terminal_ones_follow_those_of_the_states(self):
        checked = values(state_weights=[1.0, 2.0])
        assert weights(checked, "terminal_weights", ("x", "y")) == [5.0, 10.0]

    def test_a_state_of_no_standard_weight_is_free(self):
        assert weights(values(), "state_weights", ("x", "ax")) == [20.0, 0.0]

    def test_too_few_are_refused_with_the_coordinates(self):
        with pytest.raises(ParameterError, match="has 2 values: must be one each of x, y, yaw"):
            weights(values(state_weights=[1.0, 2.0]), "state_weights", ("x", "y", "yaw"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_speed", 1e300),
        ("max_speed", 1e-300),
        ("min_speed", -1e300),
        ("max_sideways_speed", 101.0),
        ("max_yaw_rate", 1e300),
        ("max_yaw_rate", 1e-300),
        ("max_steering_angle", 1e-300),
        ("max_acceleration", 1e-300),
        ("max_deceleration", 1e300),
        ("max_yaw_acceleration", 1e300),
        ("max_lateral_acceleration", 1e-300),
        ("cruise_speed", 1e-300),
        ("wheelbase", 1e-300),
        ("wheelbase", 1e300),
        ("laps", 10**10),
        ("state_weights", [1e200] * 5),
        ("terminal_weights", [1e200] * 5),
        ("input_weights", [1e-300, 1.0]),
    ],
)
def test_what_can_never_work_is_refused_in_words(name, value):
    with pytest.raises(ParameterError, match=rf"parameter {name} = .* must be .* from .* to "):
        values(**{name: value})


def test_a_car_is_limited_in_its_turn_rate_too():
    assert command_limits(*robot(model="ackermann", max_yaw_rate=1.1)).turn_rate == 1.1


def test_limits_weights_and_speeds_are_live_and_nothing_else():
    live = {row.name for row in ROBOT_PARAMETERS if row.live}
    limits = {row.name for row in ROBOT_PARAMETERS if row.name.startswith(("max_", "min_"))}
    weights_of = {"state_weights", "terminal_weights", "input_weights"}
    assert live == limits | weights_of | {"cruise_speed"}
