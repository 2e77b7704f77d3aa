"""The parameters `model`, `wheelbase` and `model_checkpoint`, which make the robot's model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.learning.checkpoint import Checkpoint, CheckpointError, load
from ebm_mpc_ros.learning.learned_model import learned_model
from ebm_mpc_ros.models import Model, ModelError, load_model
from ebm_mpc_ros.resources import resolved
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

LEARNED = "learned"
"""The parameter `model` of what a checkpoint holds."""

WHEELBASE = Parameter(
    name="wheelbase",
    kind="float",
    default=0.5,
    minimum=0.01,
    maximum=100.0,
    unit="m",
    description="Distance between the axles of model ackermann.",
)
MODEL_CHECKPOINT = Parameter(
    name="model_checkpoint",
    kind="str",
    default="",
    description=(
        "What train made of a transition about the robot that model names, a path or "
        "package://NAME/PATH. With model learned the file names it."
    ),
)


def robot_model(name: str, options: Mapping[str, Any] | None = None) -> Model:
    """Return the model of that name, with those of the options that it takes.

    Raises:
        ParameterError: There is none, or its checkpoint is none for it.
    """
    values = {**(options or {}), "model": name}
    if is_learned(values):
        return _learned(values, None if name == LEARNED else name)
    try:
        return load_model(name, options)
    except ModelError as error:
        raise ParameterError(f"parameter model = {name}: {error}") from error


def is_learned(values: Mapping[str, Any]) -> bool:
    """Return whether a table's values ask for a learned model."""
    return values["model"] == LEARNED or bool(values.get(MODEL_CHECKPOINT.name))


def nominal_name(values: Mapping[str, Any]) -> str:
    """Return the parameter `model`, or the name of the model that a learned one is about.

    Raises:
        ParameterError: The checkpoint can't be read.
    """
    name: str = values["model"]
    return _checkpoint(values).contract.model if name == LEARNED else name


def check_step(model: Model, dt: float) -> None:
    """Check that a parameter dt is a whole multiple of the step that a model is made for.

    Raises:
        ParameterError: It is not.
    """
    if model.step is None:
        return
    count = round(dt / model.step)
    if count < 1 or abs(dt - count * model.step) > 1e-6 * dt:
        raise ParameterError(
            f"parameter dt = {dt:g}: must be {model.step:g}, the step that the checkpoint was "
            "trained for, or a whole multiple of it"
        )


def _learned(values: Mapping[str, Any], nominal: str | None) -> Model:
    try:
        return learned_model(_checkpoint(values), values, nominal)
    except CheckpointError as error:
        raise ParameterError(f"parameter {MODEL_CHECKPOINT.name}: {error}") from error


def _checkpoint(values: Mapping[str, Any]) -> Checkpoint:
    name = MODEL_CHECKPOINT.name
    if not values.get(name):
        raise ParameterError(f"parameter {name}: must be a file with model = {LEARNED}")
    try:
        return load(resolved(values[name]))
    except (CheckpointError, FileNotFoundError) as error:
        raise ParameterError(f"parameter {name}: {error}") from error
