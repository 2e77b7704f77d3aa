"""The parameters that mpc_node and policy_node share: the robot, its limits, how it follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.control import Actuation, CommandLimits, FollowerSettings
from ebm_mpc_ros.models.inputs import RATES
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.robot_model import MODEL_CHECKPOINT, WHEELBASE, robot_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ebm_mpc_ros.models import Model

_STATE_WEIGHTS = {
    "x": 20.0,
    "y": 20.0,
    "yaw": 2.0,
    "vx": 0.5,
    "vy": 0.5,
    "vyaw": 0.1,
    "steering": 0.1,
}
_INPUT_WEIGHTS = {"ax": 0.1, "ay": 0.1, "alpha": 0.05, "steering_rate": 0.05}
_TERMINAL = 5.0
# A share of the limits is left for the way back to the path.
_SHARE = 0.8
# m, of robots that can turn as tightly as they like.
_RADIUS = 0.5


LIGHTEST, HEAVIEST = 1e-6, 1e9
"""Lowest weight above 0, and highest: problems beyond are not solved in double precision."""
_FASTEST = 100.0
_MOST_ACCELERATION = 1000.0


def _limit(
    name: str, default: float, unit: str, description: str, highest: float = _FASTEST
) -> Parameter:
    return Parameter(
        name=name,
        kind="float",
        default=default,
        minimum=0.001,
        maximum=highest,
        unit=unit,
        description=description,
        live=True,
    )


def _acceleration(name: str, default: float, unit: str, description: str) -> Parameter:
    return _limit(name, default, unit, description, _MOST_ACCELERATION)


ROBOT_PARAMETERS = (
    Parameter(
        name="model",
        kind="str",
        default="diff_drive",
        description="The robot's model: diff_drive, ackermann, omni, learned or module:Class.",
    ),
    MODEL_CHECKPOINT,
    WHEELBASE,
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
    _limit("max_speed", 1.15, "m/s", "Highest speed commanded."),
    Parameter(
        name="min_speed",
        kind="float",
        default=-0.2,
        minimum=-_FASTEST,
        maximum=0.0,
        unit="m/s",
        description="Lowest speed commanded; negative is backwards.",
        live=True,
    ),
    _limit("max_sideways_speed", 0.5, "m/s", "Highest speed to either side, of omni."),
    _limit(
        "max_yaw_rate",
        1.7,
        "rad/s",
        "Highest turn rate; ackermann slows down in bends, and steers later, to keep to it.",
    ),
    Parameter(
        name="max_steering_angle",
        kind="float",
        default=0.5,
        minimum=0.01,
        maximum=1.4,
        unit="rad",
        description="Highest steering angle to either side, of ackermann.",
        live=True,
    ),
    _acceleration("max_acceleration", 1.0, "m/s^2", "Highest gain of speed."),
    _acceleration("max_deceleration", 1.0, "m/s^2", "Highest loss of speed, stops included."),
    _acceleration(
        "max_sideways_acceleration", 1.0, "m/s^2", "Highest change of sideways speed, of omni."
    ),
    _acceleration("max_yaw_acceleration", 2.0, "rad/s^2", "Highest change of the turn rate."),
    _limit("max_steering_rate", 1.0, "rad/s", "Highest change of the steering, of ackermann."),
    _limit("cruise_speed", 1.0, "m/s", "Speed at which a plan without speeds is followed."),
    _acceleration("max_lateral_acceleration", 1.0, "m/s^2", "Slows down in bends to keep to it."),
    Parameter(
        name="laps",
        kind="int",
        default=0,
        minimum=0,
        maximum=1_000_000,
        description="Laps of a closed plan; 0 for no end.",
    ),
    Parameter(
        name="state_weights",
        kind="floats",
        default=[],
        minimum=0.0,
        maximum=HEAVIEST,
        description="Diagonal of Q; empty for x, y 20, yaw 2, vx, vy 0.5, vyaw, steering 0.1.",
        live=True,
    ),
    Parameter(
        name="terminal_weights",
        kind="floats",
        default=[],
        minimum=0.0,
        maximum=HEAVIEST,
        description="Diagonal of Q_N; empty for five times Q's.",
        live=True,
    ),
    Parameter(
        name="input_weights",
        kind="floats",
        default=[],
        minimum=LIGHTEST,
        maximum=HEAVIEST,
        description="Diagonal of R; empty for ax, ay 0.1, others 0.05; policy_node: five times it.",
        live=True,
    ),
    Parameter(
        name="estimate_timeout",
        kind="float",
        default=0.1,
        minimum=0.001,
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


class _Range(NamedTuple):
    """What a commanded state may be, and how fast it may leave and near 0, per second."""

    lower: float
    upper: float
    gain: float
    loss: float


def _ranges(values: Mapping[str, Any]) -> dict[str, _Range]:
    """Return the range of each state that any robot is commanded by."""

    def either_way(highest: str, rate: str) -> _Range:
        return _Range(-values[highest], values[highest], values[rate], values[rate])

    return {
        "vx": _Range(
            values["min_speed"],
            values["max_speed"],
            values["max_acceleration"],
            values["max_deceleration"],
        ),
        "vy": either_way("max_sideways_speed", "max_sideways_acceleration"),
        "vyaw": either_way("max_yaw_rate", "max_yaw_acceleration"),
        "steering": either_way("max_steering_angle", "max_steering_rate"),
    }


def robot_model_of(values: Mapping[str, Any]) -> Model:
    """Return the model that the parameters name, one that can be driven on a plane.

    Raises:
        ParameterError: There is none, or it can't be driven.
    """
    model = robot_model(values["model"], values)
    try:
        Actuation(model)
    except ValueError as error:
        raise ParameterError(f"parameter model = {values['model']}: {error}") from error
    return model


def command_limits(values: Mapping[str, Any], model: Model) -> CommandLimits:
    """Return the limits of what is commanded."""
    ranges, names = _ranges(values), Actuation(model).names
    lower, upper, gain, loss = zip(*(ranges[name] for name in names), strict=True)
    return CommandLimits(
        names=names,
        lower=lower,
        upper=upper,
        gain=gain,
        loss=loss,
        turn_rate=values["max_yaw_rate"],
    )


def follower_settings(values: Mapping[str, Any], model: Model) -> FollowerSettings:
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
        reverse_speed=-values["min_speed"] or None,
        max_lateral_acceleration=values["max_lateral_acceleration"],
        max_yaw_rate=_SHARE * values["max_yaw_rate"],
        max_acceleration=min(values["max_acceleration"], values["max_deceleration"]),
        turning_radius=_turning_radius(values, model),
        laps=values["laps"] or None,
    )


def _turning_radius(values: Mapping[str, Any], model: Model) -> float:
    """Return the radius (m) of the bends on the way to a goal, which a car can't choose."""
    actuation = Actuation(model)
    tightest = {"vx": 1.0, "steering": _SHARE * values["max_steering_angle"]}
    speed, _, rate = actuation.twist([tightest.get(name, 0.0) for name in actuation.names])
    curvature = abs(rate / speed) if speed else 0.0
    return max(_RADIUS, 1.0 / curvature) if curvature else _RADIUS


def bounds(
    values: Mapping[str, Any], model: Model
) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """Return the lower and upper bounds of the inputs (m,) and of the states (n,)."""
    ranges = _ranges(values)
    rates = [ranges[RATES[name]] for name in model.input_names]
    free = _Range(-math.inf, math.inf, math.inf, math.inf)
    states = [ranges.get(name, free) for name in model.state_names]
    return (
        ([-r.loss for r in rates], [r.gain for r in rates]),
        ([r.lower for r in states], [r.upper for r in states]),
    )


def weights(values: Mapping[str, Any], name: str, names: Sequence[str]) -> list[float]:
    """Return a diagonal of weights, one for each of the model's `names`.

    Where none are given these are the standard ones; a state that has none is free.

    Raises:
        ParameterError: There are more or fewer.
    """
    given: list[float] = values[name]
    if not given and name == "terminal_weights":
        return [_TERMINAL * weight for weight in weights(values, "state_weights", names)]
    if not given:
        standard = _INPUT_WEIGHTS if name == "input_weights" else _STATE_WEIGHTS
        return [standard.get(each, 0.0) for each in names]
    if len(given) != len(names):
        wanted = ", ".join(names)
        raise ParameterError(
            f"parameter {name} has {len(given)} values: must be one each of {wanted}"
        )
    return given
