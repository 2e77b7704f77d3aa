"""From ekf_node's parameter values to the core's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.biases import WithBiases
from ebm_mpc_ros.estimation.filter import FilterSettings
from ebm_mpc_ros.estimation.frames import StaticTransforms, bare, parse_transform
from ebm_mpc_ros.estimation.geodesy import Datum
from ebm_mpc_ros.estimation.motion import bias_names
from ebm_mpc_ros.estimation.recursion import Extended, Sampling
from ebm_mpc_ros.estimation.sensors import PLANAR_ZEROS, SensorSettings
from ebm_mpc_ros.estimation.velocity_control import VelocityControl
from ebm_mpc_ros.models import CANONICAL_STATES, Model
from ebm_mpc_ros.ros.estimator_parameters import INPUT, STATES, input_kind
from ebm_mpc_ros.ros.parameters import ParameterError
from ebm_mpc_ros.ros.robot_model import is_learned, robot_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ebm_mpc_ros.estimation.recursion import Recursion

Vector = NDArray[np.float64]

_FIELDS = {
    "process_noise": "process_noise_covariance",
    "initial_covariance": "initial_estimate_covariance",
    "noise_density": "process_noise_covariance",
}
# States that robot_localization has not take the numbers of those they stand for.
_STANDS_FOR = {"steering": "vyaw"}
_MEASURES = {
    "odom": range(12),
    "pose": range(6),
    "twist": range(6, 12),
    "imu": (3, 4, 5, *range(9, 15)),
    "navsat": range(3),
}
_TWIST = 6
_ACCELERATIONS, _VELOCITIES = ("ax", "ay", "az"), ("vx", "vy", "vz")


def input_names(values: Mapping[str, Any]) -> list[str]:
    """Return the inputs that have a topic and a mask."""
    return [
        name for name in values if INPUT.fullmatch(name) and values[name] and _mask(values, name)
    ]


def idle_inputs(values: Mapping[str, Any]) -> list[str]:
    """Return what to say of each input whose mask takes nothing that it measures."""
    return [
        f"{name} ({values[name]}) is not used: {name}_config selects none of "
        + ", ".join(CANONICAL_STATES[i] for i in _MEASURES[input_kind(name)])
        for name in values
        if INPUT.fullmatch(name) and values[name] and not _mask(values, name)
    ]


def setting_warnings(values: Mapping[str, Any]) -> list[str]:
    """Return what a user should know of settings that are allowed but do not do what they say."""
    found = idle_inputs(values)
    for name in input_names(values):
        if values.get(f"{name}_differential") and values.get(f"{name}_relative"):
            found.append(f"{name}_differential and {name}_relative are both set: the first counts")
    if bool(values["smooth_lagged_data"]) != bool(values["history_length"]):
        found.append("smooth_lagged_data and history_length need each other: nothing is smoothed")
    if is_learned(values) and values["dynamic_process_noise_covariance"]:
        found.append("dynamic_process_noise_covariance: not used, the noise is the checkpoint's")
    frames = [bare(values[f"{of}_frame"]) for of in ("map", "odom", "base_link")]
    if len(set(frames)) < len(frames):
        found.append(f"map_frame, odom_frame and base_link_frame must differ: {', '.join(frames)}")
    elif bare(values["world_frame"] or frames[1]) not in frames[:2]:
        found.append(f"world_frame is neither {frames[0]} nor {frames[1]}")
    if values["use_control"]:
        found += [
            f"{name} measures {axis}: use_control leaves {velocity} alone"
            for name, axis, velocity in _measured_controls(values)
        ]
    return found


def holds_plane(values: Mapping[str, Any], model: Model) -> bool:
    """Return whether two_d_mode has anything to hold at zero."""
    return values["two_d_mode"] and any(name in PLANAR_ZEROS for name in model.output_names)


def estimated_model(values: Mapping[str, Any]) -> Model:
    """Return the robot's model with the biases that are to be estimated.

    Raises:
        ParameterError: There is no such model, or it has states that no parameter speaks of.
    """
    model = robot_model(values["model"], values)
    if is_learned(values) and not values["use_control"]:
        raise ParameterError(
            "parameter use_control: must be true with a learned model, whose noise is what is left "
            "where commands are known"
        )
    for name in (*model.state_names, *model.noise_names):
        if name not in CANONICAL_STATES and name not in _STANDS_FOR:
            known = ", ".join((*CANONICAL_STATES, *_STANDS_FOR))
            raise ParameterError(
                f"parameter model = {values['model']}: ekf_node has no noise for its state {name}, "
                f"which is none of {known}"
            )
    biases = [name for name, _, _ in _biases(values)]
    return WithBiases(model, biases) if biases else model


def filter_settings(values: Mapping[str, Any], model: Model) -> FilterSettings:
    """Return the core's settings for a table's values.

    Raises:
        ParameterError: A covariance is none, or control lacks its settings.
    """
    biases = {name: (sigma, noise) for name, sigma, noise in _biases(values)}
    sigmas = {name: sigma**2 for name, (sigma, _) in biases.items()}
    wander = {name: noise for name, (_, noise) in biases.items()}
    initial = dict(zip(CANONICAL_STATES, values["initial_state"], strict=True))
    try:
        return FilterSettings(
            model=model,
            process_noise=_process_noise(values, model, wander),
            initial_covariance=_covariance(
                values["initial_estimate_covariance"], model.state_names, sigmas
            ),
            initial_state=np.array([initial.get(name, 0.0) for name in model.output_names]),
            sensor_timeout=values["sensor_timeout"] or 1.0 / values["frequency"],
            predict_to_current_time=values["predict_to_current_time"],
            dynamic_process_noise=values["dynamic_process_noise_covariance"]
            and _own_noise(model) is None,
            use_control=values["use_control"],
            control=_control(values, model),
            history=abs(values["history_length"]) if values["smooth_lagged_data"] else 0.0,
            future_limit=values["future_limit"],
            past_limit=values["past_limit"],
            recursion=_recursion(values, model),
        )
    except ValueError as error:
        field, _, problem = str(error).partition(" ")
        raise ParameterError(f"parameter {_FIELDS.get(field, field)} {problem}") from error


def _recursion(values: Mapping[str, Any], model: Model) -> Recursion:
    """Return what `estimator` names.

    Raises:
        ParameterError: It can't do what other parameters ask for.
    """
    if values["estimator"] == "ekf":
        return Extended()
    for unsuited, what in (
        (values["dynamic_process_noise_covariance"], "dynamic_process_noise_covariance"),
        (isinstance(model, WithBiases), "biases as states"),
        (values["use_control"] and not model.input_names, "use_control without a model's inputs"),
    ):
        if unsuited:
            raise ParameterError(f"parameter estimator is energy: must be ekf with {what}")
    return Sampling(particles=values["particles"])


def sensor_settings(values: Mapping[str, Any], name: str, model: Model) -> SensorSettings:
    """Return the core's settings of the input `name`."""

    def of(suffix: str, default: Any) -> Any:
        return values.get(f"{name}_{suffix}", default)

    alone = of("rejection_threshold", np.inf)
    variance = of("variance", [])
    return SensorSettings(
        name=name,
        model=model,
        mask=_mask(values, name) or (False,) * STATES,
        pose_threshold=of("pose_rejection_threshold", alone),
        twist_threshold=of("twist_rejection_threshold", alone),
        acceleration_threshold=of("linear_acceleration_rejection_threshold", np.inf),
        differential=of("differential", default=False),
        relative=of("relative", default=False) and not of("differential", default=False),
        planar=values["two_d_mode"],
        remove_gravity=of("remove_gravitational_acceleration", default=False),
        gravity=values["gravitational_acceleration"],
        default_variance=np.asarray(variance) if variance else None,
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


def datum(numbers: list[float]) -> Datum | None:
    """Return the parameter datum, None where it is empty.

    Raises:
        ParameterError: There is no such place.
    """
    try:
        return Datum(*numbers) if numbers else None
    except ValueError as error:
        raise ParameterError(f"parameter datum: {error}") from error


def _mask(values: Mapping[str, Any], name: str) -> tuple[bool, ...]:
    """Return the mask without what the kind of input can't measure; empty where none is left."""
    measures = _MEASURES[input_kind(name)]
    mask = tuple(on and i in measures for i, on in enumerate(values[f"{name}_config"]))
    return mask if any(mask) else ()


def _biases(values: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return name, standard deviation and noise of every bias to be estimated.

    Masks, which may change, have no say.
    """
    return [
        (bias, values[f"{name}_{of}_bias_sigma"], values[f"{name}_{of}_bias_noise"])
        for name in values
        if INPUT.fullmatch(name) and values[name]
        for of in ("gyro", "accelerometer")
        if values.get(f"{name}_estimate_{of}_bias")
        for bias in bias_names(name, of)
    ]


def _control(values: Mapping[str, Any], model: Model) -> VelocityControl | None:
    """Return how commands accelerate a model that has no inputs.

    Raises:
        ParameterError: use_control is on and control_config is missing.
    """
    if not values["use_control"] or model.input_names:
        return None
    mask = list(values["control_config"])
    if not any(mask):
        raise ParameterError(
            "parameter control_config: use_control needs it with this model: six of true or false"
        )
    if "ax" not in model.output_names:
        raise ParameterError("parameter use_control: this model has no accelerations to control")
    for _, axis, _ in _measured_controls(values):
        mask[_ACCELERATIONS.index(axis)] = False

    def six(name: str, otherwise: Vector) -> Vector:
        return np.array(values[name]) if values[name] else otherwise

    limits = six("acceleration_limits", np.ones(_TWIST))
    gains = six("acceleration_gains", np.ones(_TWIST))
    return VelocityControl(
        mask=tuple(mask),
        timeout=values["control_timeout"],
        acceleration_limits=limits,
        acceleration_gains=gains,
        deceleration_limits=six("deceleration_limits", limits),
        deceleration_gains=six("deceleration_gains", gains),
    )


def _measured_controls(values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (IMU, acceleration, velocity) of what would be controlled but is measured."""
    controlled = values["control_config"] or [False] * _TWIST
    for name in input_names(values):
        if input_kind(name) == "imu":
            for axis, velocity, on in zip(_ACCELERATIONS, _VELOCITIES, controlled, strict=False):
                if on and values[f"{name}_config"][CANONICAL_STATES.index(axis)]:
                    yield name, axis, velocity


def _process_noise(values: Mapping[str, Any], model: Model, biases: Mapping[str, float]) -> Vector:
    """Return Q_w per second: the model's own and the biases', or that of the parameters."""
    own = _own_noise(model)
    if own is None:
        return _covariance(values["process_noise_covariance"], model.noise_names, biases)
    out = np.diag([biases.get(name, 0.0) for name in model.noise_names])
    out[: len(own), : len(own)] = own
    return out


def _own_noise(model: Model) -> Vector | None:
    robot = model.base if isinstance(model, WithBiases) else model
    return None if robot.noise_density is None else np.asarray(robot.noise_density)


def _covariance(
    numbers: list[float], names: Iterable[str], others: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the rows and columns of `names` of a canonical covariance or its diagonal."""
    full = np.asarray(numbers, dtype=float)
    full = np.diag(full) if full.size == STATES else full.reshape(STATES, STATES)
    names = list(names)
    own = [name for name in names if name not in others]
    chosen = [CANONICAL_STATES.index(_STANDS_FOR.get(name, name)) for name in own]
    out = np.diag([others.get(name, 0.0) for name in names])
    places = [names.index(name) for name in own]
    out[np.ix_(places, places)] = full[np.ix_(chosen, chosen)]
    return out
