"""The parameters that mpc_node and policy_node share: the robot, its limits, how it follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.control import CommandLimits, FollowerSettings
from ebm_mpc_ros.control.reference import PLANAR_STATES
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.robot_model import robot_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ebm_mpc_ros.models import Model

_INPUTS = ("ax", "alpha")


def _above_zero(name: str, default: float, unit: str, description: str) -> Parameter:
    return Parameter(
        name=name, kind="float", default=default, above=0.0, unit=unit, description=description
    )


def _weights(name: str, default: list[float], description: str) -> Parameter:
    return Parameter(
        name=name, kind="floats", default=default, minimum=0.0, description=description
    )


ROBOT_PARAMETERS = (
    Parameter(
        name="model",
        kind="str",
        default="diff_drive",
        description="The robot's model: diff_drive or module:Class.",
    ),
    Parameter(
        name="odom_frame",
        kind="str",
        default="odom",
        description="Frame of the estimate and of plans.",
    ),
    Parameter(
        name="base_link_frame",
        kind="str",
        default="base_link",
        description="Name of the robot's own frame.",
    ),
    _above_zero("max_speed", 1.15, "m/s", "Highest speed commanded."),
    Parameter(
        name="min_speed",
        kind="float",
        default=-0.2,
        maximum=0.0,
        unit="m/s",
        description="Lowest speed commanded; negative is backwards.",
    ),
    _above_zero("max_yaw_rate", 1.7, "rad/s", "Highest turn rate commanded."),
    _above_zero("max_acceleration", 1.0, "m/s^2", "Highest gain of speed."),
    _above_zero("max_deceleration", 1.0, "m/s^2", "Highest loss of speed, stops included."),
    _above_zero("max_yaw_acceleration", 2.0, "rad/s^2", "Highest change of the turn rate."),
    _above_zero("cruise_speed", 1.0, "m/s", "Speed at which a plan without speeds is followed."),
    _above_zero("max_lateral_acceleration", 1.0, "m/s^2", "Slows down in bends to keep to it."),
    Parameter(
        name="laps",
        kind="int",
        default=0,
        minimum=0,
        description="Laps of a closed plan; 0 for no end.",
    ),
    _weights("state_weights", [20.0, 20.0, 2.0, 0.5, 0.1], "Diagonal of Q."),
    _weights("terminal_weights", [100.0, 100.0, 10.0, 2.5, 0.5], "Diagonal of Q_N."),
    Parameter(
        name="input_weights",
        kind="floats",
        default=[0.1, 0.05],
        above=0.0,
        description="Diagonal of R.",
    ),
    Parameter(
        name="estimate_timeout",
        kind="float",
        default=0.1,
        above=0.0,
        maximum=0.3,
        unit="s",
        description="An estimate older than this stops the robot.",
    ),
    Parameter(
        name="enabled",
        kind="bool",
        default=False,
        description="Send commands from the start; else only after the enable service.",
    ),
    Parameter(
        name="enable_stamped_cmd_vel",
        kind="bool",
        default=True,
        description="Publish cmd_vel as TwistStamped; false for Twist.",
    ),
)


def planar_model(name: str) -> Model:
    """Return the model of that name, one that can be driven on a plane.

    Raises:
        ParameterError: There is none, or it lacks a planar state or the inputs ax and alpha.
    """
    model = robot_model(name)
    lacking = set(PLANAR_STATES) - set(model.state_names)
    if lacking or tuple(model.input_names) != _INPUTS:
        raise ParameterError(
            f"parameter model = {name}: must have the states {', '.join(PLANAR_STATES)} "
            f"and the inputs {', '.join(_INPUTS)}, such as diff_drive"
        )
    return model


def command_limits(values: Mapping[str, Any]) -> CommandLimits:
    """Return the limits of what is commanded."""
    return CommandLimits(
        max_speed=values["max_speed"],
        min_speed=values["min_speed"],
        max_yaw_rate=values["max_yaw_rate"],
        max_acceleration=values["max_acceleration"],
        max_deceleration=values["max_deceleration"],
        max_yaw_acceleration=values["max_yaw_acceleration"],
    )


def follower_settings(values: Mapping[str, Any]) -> FollowerSettings:
    """Return how a path without speeds is followed.

    Raises:
        ParameterError: The robot can't drive that fast.
    """
    if values["cruise_speed"] > values["max_speed"]:
        raise ParameterError(
            f"parameter cruise_speed = {values['cruise_speed']:g}: "
            f"must be at most max_speed, {values['max_speed']:g}"
        )
    return FollowerSettings(
        cruise_speed=values["cruise_speed"],
        max_lateral_acceleration=values["max_lateral_acceleration"],
        max_yaw_rate=0.8 * values["max_yaw_rate"],
        max_acceleration=min(values["max_acceleration"], values["max_deceleration"]),
        laps=values["laps"] or None,
    )


def bounds(
    values: Mapping[str, Any], model: Model
) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """Return the lower and upper bounds of the inputs (m,) and of the states (n,)."""
    inputs = {
        "ax": (-values["max_deceleration"], values["max_acceleration"]),
        "alpha": (-values["max_yaw_acceleration"], values["max_yaw_acceleration"]),
    }
    states = {
        "vx": (values["min_speed"], values["max_speed"]),
        "vyaw": (-values["max_yaw_rate"], values["max_yaw_rate"]),
    }
    return _by_name(inputs, model.input_names), _by_name(states, model.state_names)


def weights(values: Mapping[str, Any], name: str, names: Sequence[str]) -> list[float]:
    """Return a diagonal of weights, one for each of the model's `names`.

    Raises:
        ParameterError: There are more or fewer.
    """
    given: list[float] = values[name]
    if len(given) != len(names):
        wanted = ", ".join(names)
        raise ParameterError(
            f"parameter {name} has {len(given)} values: must be one each of {wanted}"
        )
    return given


def _by_name(
    known: Mapping[str, tuple[float, float]], names: Sequence[str]
) -> tuple[list[float], list[float]]:
    pairs = [known.get(name, (-math.inf, math.inf)) for name in names]
    return [low for low, _ in pairs], [high for _, high in pairs]
