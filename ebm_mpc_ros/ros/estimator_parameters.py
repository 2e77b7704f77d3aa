"""ekf_node's parameters: robot_localization's names and meanings, and a few of our own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.estimation.sensors import STANDARD_GRAVITY
from ebm_mpc_ros.models import CANONICAL_STATES
from ebm_mpc_ros.ros.parameters import Parameter
from ebm_mpc_ros.ros.robot_model import MODEL_CHECKPOINT, WHEELBASE

if TYPE_CHECKING:
    from collections.abc import Iterable

STATES = len(CANONICAL_STATES)
_TWIST = 6
NO_THRESHOLD = 1e300
"""Default of thresholds: nothing is rejected."""
_PROCESS_NOISE = [
    *(0.05, 0.05, 0.06, 0.03, 0.03, 0.06),
    *(0.025, 0.025, 0.04, 0.01, 0.01, 0.02),
    *(0.01, 0.01, 0.015),
]
INPUT = re.compile(r"(odom|pose|twist|imu|navsat)\d+")


def _bool(name: str, description: str, *, default: bool = False, **more: Any) -> Parameter:
    return Parameter(name=name, kind="bool", default=default, description=description, **more)


def _seconds(name: str, default: float, description: str, **more: Any) -> Parameter:
    return Parameter(
        name=name, kind="float", default=default, unit="s", description=description, **more
    )


def _frame(name: str, default: str, description: str) -> Parameter:
    return Parameter(name=name, kind="str", default=default, description=description)


def _six(name: str, description: str) -> Parameter:
    return Parameter(
        name=name,
        kind="floats",
        default=[],
        lengths=(0, _TWIST),
        minimum=0.0,
        description=description,
        live=True,
    )


_GENERAL = (
    Parameter(
        name="model",
        kind="str",
        default="rigid_body",
        description=(
            "The robot's model: rigid_body, diff_drive, ackermann, omni, learned or module:Class."
        ),
    ),
    WHEELBASE,
    MODEL_CHECKPOINT,
    Parameter(
        name="estimator",
        kind="str",
        default="ekf",
        choices=("ekf", "energy"),
        description="ekf, or energy: particles, for an estimate that may have several modes.",
    ),
    Parameter(
        name="particles",
        kind="int",
        default=500,
        minimum=2,
        maximum=100_000,
        description="Particles of estimator: energy.",
    ),
    Parameter(
        name="samples_shown",
        kind="int",
        default=100,
        minimum=0,
        maximum=1000,
        description="Particles in odometry/samples, where estimator is energy; 0 for none.",
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
    _seconds(
        "sensor_timeout",
        0.0,
        "Predict without measurements after this long; 0 for one period.",
        minimum=0.0,
        live=True,
    ),
    _seconds(
        "input_timeout",
        0.0,
        "An input silent for longer holds the estimate back; 0 for never.",
        minimum=0.0,
        live=True,
    ),
    _bool(
        "predict_to_current_time",
        "Predict the estimate to the time of publication.",
        live=True,
    ),
    _bool(
        "two_d_mode",
        "Hold z, roll, pitch and their rates at zero. A planar model needs no holding.",
    ),
    _bool("smooth_lagged_data", "Put late measurements in their place and fuse anew from there."),
    _seconds("history_length", 0.0, "How late they may be; the sign is ignored."),
    _bool(
        "permit_corrected_publication",
        "Publish again at a stamp already published, after a late measurement.",
        live=True,
    ),
    _bool("disabled_at_startup", "Do nothing until the service enable is called."),
    _bool("reset_on_time_jump", "Start over when the clock jumps back.", default=True),
    _seconds("past_limit", 2.0, "A message stamped further back is dropped.", above=0.0, live=True),
    _seconds(
        "future_limit", 0.5, "A message stamped further ahead is dropped.", above=0.0, live=True
    ),
)

_FRAMES = (
    _frame("map_frame", "map", "Name of the map frame."),
    _frame("odom_frame", "odom", "Name of the odom frame."),
    _frame("base_link_frame", "base_link", "Name of the robot's own frame."),
    _frame("base_link_frame_output", "", "Its name in what is published; empty for the same."),
    _frame("world_frame", "", "Frame of the estimated pose; empty for odom_frame."),
    Parameter(
        name="static_transforms",
        kind="strs",
        default=[],
        description="Sensor mountings, each 'PARENT CHILD X Y Z ROLL PITCH YAW' (m, rad).",
    ),
    _bool(
        "publish_tf",
        "Send odom -> base_link, or map -> odom where world_frame is map_frame, with tf2_ros.",
        default=True,
    ),
    _bool("publish_acceleration", "Publish accel/filtered."),
    _seconds("transform_time_offset", 0.0, "Added to the stamps of sent transforms."),
    _seconds(
        "transform_timeout", 0.0, "How long a message may wait for its transform.", minimum=0.0
    ),
)

_NOISE = (
    Parameter(
        name="process_noise_covariance",
        kind="floats",
        default=_PROCESS_NOISE,
        lengths=(STATES, STATES**2),
        description=(
            "Process noise per second, 15 x 15 or its diagonal; steering takes vyaw's. "
            "With model learned it is the checkpoint's."
        ),
        live=True,
    ),
    _bool(
        "dynamic_process_noise_covariance",
        "Scale the process noise of the pose by the speed: none at rest.",
        live=True,
    ),
    Parameter(
        name="initial_estimate_covariance",
        kind="floats",
        default=[1e-9] * STATES,
        lengths=(STATES, STATES**2),
        description="Covariance before the first measurement, 15 x 15 or its diagonal.",
    ),
    Parameter(
        name="initial_state",
        kind="floats",
        default=[0.0] * STATES,
        lengths=(STATES,),
        description="State before the first measurement.",
    ),
    Parameter(
        name="gravitational_acceleration",
        kind="float",
        default=STANDARD_GRAVITY,
        minimum=0.0,
        unit="m/s^2",
        description="Gravity removed from accelerations.",
        live=True,
    ),
    Parameter(
        name="datum",
        kind="floats",
        default=[],
        lengths=(0, 3),
        description="Latitude, longitude (deg), altitude (m) of the world frame's origin, which "
        "navsatN needs; empty for the first fix.",
    ),
)

_CONTROL = (
    _bool("use_control", "Predict with the accelerations that cmd_vel asks for."),
    _bool(
        "stamped_control", "cmd_vel is a TwistStamped where control_config is used; else a Twist."
    ),
    _bool(
        "enable_stamped_cmd_vel",
        "cmd_vel is a TwistStamped where the model has inputs; false for Twist.",
        default=True,
    ),
    Parameter(
        name="control_config",
        kind="bools",
        default=[],
        lengths=(0, _TWIST),
        description="Which of vx vy vz vroll vpitch vyaw rigid_body takes from cmd_vel.",
        live=True,
    ),
    _seconds("control_timeout", 0.0, "An older command counts as zero.", minimum=0.0, live=True),
    _six("acceleration_limits", "Of the response to cmd_vel, m/s^2 and rad/s^2; empty for 1."),
    _six("acceleration_gains", "Acceleration per error of velocity, 1/s; empty for 1."),
    _six("deceleration_limits", "As acceleration_limits, which stand in for them."),
    _six("deceleration_gains", "As acceleration_gains, which stand in for them."),
)

_OTHER = (
    Parameter(
        name="event_log",
        kind="str",
        default="",
        description="New bag folder for every message and tick as they come, to be replayed to "
        "the bit; empty for none.",
    ),
    Parameter(
        name="filter_type",
        kind="str",
        default="ekf",
        choices=("ekf",),
        description="The filter; only ekf.",
    ),
    *(
        _bool(name, "Accepted, without effect.")
        for name in ("clear_params", "print_diagnostics", "debug")
    ),
    *(
        Parameter(name=name, kind="str", default="", description="Accepted, without effect.")
        for name in ("debug_out_file", "tf_prefix")
    ),
    *(
        Parameter(name=name, kind="float", default=0.0, description="Accepted, without effect.")
        for name in ("alpha", "kappa", "beta")
    ),
)

_FIXED = (*_GENERAL, *_FRAMES, *_NOISE, *_CONTROL, *_OTHER)


def estimator_parameters(given: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the table for the names that a user gave: a block for each odomN, imuN … in it."""
    inputs = sorted({name for name in given if INPUT.fullmatch(name)})
    return (*_FIXED, *(row for name in inputs for row in input_parameters(name)))


def input_kind(name: str) -> str:
    """Return odom, pose, twist, imu or navsat, which an input's name begins with."""
    return name.rstrip("0123456789")


def input_parameters(name: str) -> tuple[Parameter, ...]:
    """Return the parameters of the input `name`, such as odom0."""
    kind = input_kind(name)

    def flag(of: str, description: str, *, live: bool = True) -> Parameter:
        return _bool(f"{name}_{of}", description, live=live)

    def threshold(of: str, what: str) -> Parameter:
        return Parameter(
            name=f"{name}_{of}rejection_threshold",
            kind="float",
            default=NO_THRESHOLD,
            above=0.0,
            unit="sigma",
            description=f"Mahalanobis distance beyond which {what} are rejected.",
            live=True,
        )

    common = (
        Parameter(name=name, kind="str", default="", description="The input's topic."),
        Parameter(
            name=f"{name}_config",
            kind="bools",
            default=[kind == "navsat" and i < 3 for i in range(STATES)],
            lengths=(STATES,),
            description="Which of the fifteen states it measures, in the axes of the sensor.",
            live=True,
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
            lengths=(0, STATES),
            minimum=0.0,
            description="Fifteen variances for those that its messages give as 0.",
            live=True,
        ),
        _bool(f"{name}_nodelay", "Accepted, without effect."),
    )
    pose_modes = (
        flag("differential", "Fuse the rate of change of its poses.", live=False),
        flag("relative", "Fuse its poses as seen from the first.", live=False),
    )
    if kind == "odom":
        return (
            *common,
            *pose_modes,
            flag("pose_use_child_frame", "Its pose is that of child_frame_id, not base_link."),
            threshold("pose_", "poses"),
            threshold("twist_", "twists"),
        )
    if kind == "pose":
        return (*common, *pose_modes, threshold("", "poses"))
    if kind == "twist":
        return (*common, threshold("", "twists"))
    if kind == "navsat":
        return (*common, threshold("", "fixes"))
    return (
        *common,
        *pose_modes,
        threshold("pose_", "orientations"),
        threshold("twist_", "angular velocities"),
        threshold("linear_acceleration_", "accelerations"),
        flag(
            "remove_gravitational_acceleration",
            "Its accelerations contain gravity, which is removed.",
        ),
        flag(
            "calibrate_at_rest",
            "Measure its gyro's bias while the robot stands; no estimate until it is known.",
            live=False,
        ),
        *(
            row
            for of, unit in (("gyro", "rad/s"), ("accelerometer", "m/s^2"))
            for row in _bias_parameters(name, of, unit)
        ),
    )


def _bias_parameters(name: str, of: str, unit: str) -> tuple[Parameter, ...]:
    def number(suffix: str, default: float, unit: str, description: str) -> Parameter:
        return Parameter(
            name=f"{name}_{of}_bias_{suffix}",
            kind="float",
            default=default,
            minimum=0.0,
            unit=unit,
            description=description,
        )

    return (
        _bool(f"{name}_estimate_{of}_bias", f"Estimate the bias of its {of} as states."),
        number("sigma", 0.05 if of == "gyro" else 0.2, unit, "Standard deviation at the start."),
        number("noise", 1e-8 if of == "gyro" else 1e-6, f"({unit})^2/s", "Its wander."),
    )
