"""ekf_node's parameters: robot_localization's names and meanings, and a few of our own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.filter import FilterSettings
from ebm_mpc_ros.estimation.frames import StaticTransforms, parse_transform
from ebm_mpc_ros.estimation.sensors import STANDARD_GRAVITY, SensorSettings
from ebm_mpc_ros.models import CANONICAL_STATES, Model, load_model
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_STATES = len(CANONICAL_STATES)
_NO_THRESHOLD = 1e9
_PROCESS_NOISE = [
    *(0.05, 0.05, 0.06, 0.03, 0.03, 0.06),
    *(0.025, 0.025, 0.04, 0.01, 0.01, 0.02),
    *(0.01, 0.01, 0.015),
]
_FIELDS = {
    "process_noise": "process_noise_covariance",
    "initial_covariance": "initial_estimate_covariance",
}
_NOT_OF_AN_IMU = ("x", "y", "z", "vx", "vy", "vz")
_INPUT = re.compile(r"(odom|imu)\d+")

_FIXED = (
    Parameter(
        name="model",
        kind="str",
        default="rigid_body",
        description="The robot's model: diff_drive, rigid_body or module:Class.",
    ),
    Parameter(
        name="frequency",
        kind="float",
        default=30.0,
        above=0.0,
        maximum=1000.0,
        unit="Hz",
        description="Rate at which measurements are fused and the estimate is published.",
    ),
    Parameter(
        name="sensor_timeout",
        kind="float",
        default=0.0,
        minimum=0.0,
        unit="s",
        description="Predict without measurements after this long; 0 for one period.",
    ),
    Parameter(
        name="input_timeout",
        kind="float",
        default=0.0,
        minimum=0.0,
        unit="s",
        description="An input silent for longer holds the estimate back; 0 for never.",
    ),
    Parameter(
        name="predict_to_current_time",
        kind="bool",
        default=False,
        description="Predict the estimate to the time of publication.",
    ),
    Parameter(
        name="use_control",
        kind="bool",
        default=True,
        description="Predict with the acceleration in cmd_vel where the model takes it.",
    ),
    Parameter(
        name="enable_stamped_cmd_vel",
        kind="bool",
        default=True,
        description="cmd_vel is a TwistStamped; false for Twist.",
    ),
    Parameter(
        name="reset_on_time_jump",
        kind="bool",
        default=True,
        description="Start over when the clock jumps back.",
    ),
    Parameter(
        name="past_limit",
        kind="float",
        default=2.0,
        above=0.0,
        unit="s",
        description="A message stamped further back is dropped.",
    ),
    Parameter(
        name="future_limit",
        kind="float",
        default=0.5,
        above=0.0,
        unit="s",
        description="A message stamped further ahead is dropped.",
    ),
    Parameter(name="map_frame", kind="str", default="map", description="Name of the map frame."),
    Parameter(name="odom_frame", kind="str", default="odom", description="Name of the odom frame."),
    Parameter(
        name="base_link_frame",
        kind="str",
        default="base_link",
        description="Name of the robot's own frame.",
    ),
    Parameter(
        name="world_frame",
        kind="str",
        default="",
        description="Frame of the estimated pose; empty for odom_frame.",
    ),
    Parameter(
        name="static_transforms",
        kind="strs",
        default=[],
        description="Sensor mountings, each 'PARENT CHILD X Y Z ROLL PITCH YAW' (m, rad).",
    ),
    Parameter(
        name="publish_tf",
        kind="bool",
        default=True,
        description="Send odom -> base_link where tf2_ros is installed.",
    ),
    Parameter(
        name="process_noise_covariance",
        kind="floats",
        default=_PROCESS_NOISE,
        lengths=(_STATES, _STATES**2),
        description="Process noise per second, 15 x 15 or its diagonal.",
    ),
    Parameter(
        name="initial_estimate_covariance",
        kind="floats",
        default=[1e-9] * _STATES,
        lengths=(_STATES, _STATES**2),
        description="Covariance before the first measurement, 15 x 15 or its diagonal.",
    ),
    Parameter(
        name="initial_state",
        kind="floats",
        default=[0.0] * _STATES,
        lengths=(_STATES,),
        description="State before the first measurement.",
    ),
    Parameter(
        name="gravitational_acceleration",
        kind="float",
        default=STANDARD_GRAVITY,
        minimum=0.0,
        unit="m/s^2",
        description="Gravity removed from accelerations.",
    ),
    Parameter(
        name="filter_type",
        kind="str",
        default="ekf",
        choices=("ekf",),
        description="The filter; only ekf.",
    ),
    Parameter(
        name="two_d_mode",
        kind="bool",
        default=False,
        choices=(False,),
        description="Only false: a planar robot takes a planar model, such as diff_drive.",
    ),
    *(
        Parameter(name=name, kind="bool", default=False, description="Accepted, without effect.")
        for name in ("clear_params", "print_diagnostics", "debug")
    ),
    Parameter(
        name="debug_out_file", kind="str", default="", description="Accepted, without effect."
    ),
    *(
        Parameter(name=name, kind="float", default=0.0, choices=(0.0,), description="Only 0.")
        for name in ("transform_time_offset", "transform_timeout")
    ),
)


def estimator_parameters(given: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the table for the names that a user gave: a block for each odomN and imuN in it."""
    inputs = sorted({name for name in given if _INPUT.fullmatch(name)})
    return (*_FIXED, *(row for name in inputs for row in input_parameters(name)))


def input_parameters(name: str) -> tuple[Parameter, ...]:
    """Return the parameters of the input `name`, such as odom0."""

    def threshold(of: str, what: str) -> Parameter:
        return Parameter(
            name=f"{name}_{of}rejection_threshold",
            kind="float",
            default=_NO_THRESHOLD,
            above=0.0,
            unit="sigma",
            description=f"Mahalanobis distance beyond which {what} are rejected.",
        )

    def only_false(of: str) -> Parameter:
        return Parameter(
            name=f"{name}_{of}",
            kind="bool",
            default=False,
            choices=(False,),
            description="Only false.",
        )

    common = (
        Parameter(name=name, kind="str", default="", description="The input's topic."),
        Parameter(
            name=f"{name}_config",
            kind="bools",
            default=[False] * _STATES,
            lengths=(_STATES,),
            description="Which of the fifteen states it measures; an imu's others are ignored.",
        ),
        Parameter(
            name=f"{name}_queue_size",
            kind="int",
            default=10,
            minimum=1,
            description="Depth of its subscription.",
        ),
        Parameter(
            name=f"{name}_variance",
            kind="floats",
            default=[],
            lengths=(0, _STATES),
            minimum=0.0,
            description="Fifteen variances for those that its messages give as 0.",
        ),
        Parameter(
            name=f"{name}_nodelay",
            kind="bool",
            default=False,
            description="Accepted, without effect.",
        ),
        only_false("differential"),
        only_false("relative"),
        threshold("pose_", "poses"),
        threshold("twist_", "twists"),
    )
    if name.startswith("odom"):
        return common
    return (
        *common,
        threshold("linear_acceleration_", "accelerations"),
        Parameter(
            name=f"{name}_calibrate_at_rest",
            kind="bool",
            default=False,
            description="Measure its gyro's bias while odometry and commands are 0, and remove it.",
        ),
        Parameter(
            name=f"{name}_remove_gravitational_acceleration",
            kind="bool",
            default=False,
            description="Remove gravity from its accelerations.",
        ),
    )


def input_names(values: Mapping[str, Any]) -> list[str]:
    """Return the inputs among a table's values, those with a topic."""
    return [name for name in values if _INPUT.fullmatch(name) and values[name]]


def robot_model(name: str) -> Model:
    """Return the model of that name.

    Raises:
        ParameterError: There is none.
    """
    try:
        return load_model(name)
    except ValueError as error:
        raise ParameterError(f"parameter model = {name}: {error}") from error


def filter_settings(values: Mapping[str, Any]) -> FilterSettings:
    """Return the core's settings for a table's values.

    Raises:
        ParameterError: A covariance is none.
    """
    model = robot_model(values["model"])
    try:
        return FilterSettings(
            model=model,
            process_noise=_covariance(values["process_noise_covariance"], model.noise_names),
            initial_covariance=_covariance(
                values["initial_estimate_covariance"], model.state_names
            ),
            initial_state=np.asarray(values["initial_state"])[_indices(model.state_names)],
            sensor_timeout=values["sensor_timeout"] or 1.0 / values["frequency"],
            predict_to_current_time=values["predict_to_current_time"],
            use_control=values["use_control"],
            future_limit=values["future_limit"],
            past_limit=values["past_limit"],
        )
    except ValueError as error:
        field, _, problem = str(error).partition(" ")
        raise ParameterError(f"parameter {_FIELDS.get(field, field)} {problem}") from error


def sensor_settings(values: Mapping[str, Any], name: str, model: Model) -> SensorSettings:
    """Return the core's settings of the input `name`.

    Raises:
        ParameterError: The mask takes nothing that the input measures and the model has.
    """
    variance = values[f"{name}_variance"]
    settings = SensorSettings(
        name=name,
        model=model,
        mask=_mask(name, values[f"{name}_config"]),
        pose_threshold=values[f"{name}_pose_rejection_threshold"],
        twist_threshold=values[f"{name}_twist_rejection_threshold"],
        acceleration_threshold=values.get(
            f"{name}_linear_acceleration_rejection_threshold", np.inf
        ),
        remove_gravity=values.get(f"{name}_remove_gravitational_acceleration", False),
        gravity=values["gravitational_acceleration"],
        default_variance=np.asarray(variance) if variance else None,
    )
    if not settings.selected(range(_STATES)):
        known = ", ".join(model.state_names)
        raise ParameterError(
            f"parameter {name}_config: must select a state that the input measures and "
            f"the model has, which are {known}"
        )
    return settings


def _mask(name: str, chosen: Iterable[bool]) -> tuple[bool, ...]:
    """Return the mask without what the kind of input can't measure."""
    absent = _NOT_OF_AN_IMU if name.startswith("imu") else ()
    return tuple(
        on and state not in absent for on, state in zip(chosen, CANONICAL_STATES, strict=True)
    )


def static_transforms(texts: Iterable[str]) -> StaticTransforms:
    """Return the transforms of the parameter static_transforms.

    Raises:
        UserError: A text is not of the form.
    """
    try:
        return StaticTransforms(parse_transform(text) for text in texts)
    except ValueError as error:
        raise UserError(str(error)) from error


def _indices(names: Iterable[str]) -> list[int]:
    return [CANONICAL_STATES.index(name) for name in names]


def _covariance(numbers: list[float], names: Iterable[str]) -> NDArray[np.float64]:
    """Return the rows and columns of `names` of a canonical covariance or its diagonal."""
    full = np.asarray(numbers, dtype=float)
    full = np.diag(full) if full.size == _STATES else full.reshape(_STATES, _STATES)
    chosen = _indices(names)
    return full[np.ix_(chosen, chosen)]
