"""Models by the name that a parameter file gives them."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

from ebm_mpc_ros.models.ackermann import Ackermann
from ebm_mpc_ros.models.base import CANONICAL_STATES, Model
from ebm_mpc_ros.models.checking import ModelError, check_model
from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.models.omni import Omni
from ebm_mpc_ros.models.rigid_body import RigidBody

if TYPE_CHECKING:
    from collections.abc import Mapping

_MODELS: dict[str, type[Model]] = {
    "ackermann": Ackermann,
    "diff_drive": DiffDrive,
    "omni": Omni,
    "rigid_body": RigidBody,
}
_WANTED = ("state_names", "input_names", "noise_names", "state_size")


class ModelNotFoundError(ModelError):
    """No model goes by that name."""


def load_model(name: str, options: Mapping[str, float] | None = None) -> Model:
    """Return the model of a short name or of `module:Class`.

    Args:
        name: The model's name.
        options: Values by name, of which the model takes its `option_names`.

    Raises:
        ModelNotFoundError: The name is unknown, or its module or class can't be loaded.
        ModelError: An option's value is none that the model allows, the model lacks something, or
            the functions of a `module:Class` disagree; see `check_model`. What else these raise is
            let through.
    """
    found = _MODELS[name] if name in _MODELS else _imported(name)
    values = options or {}
    lacking: list[str] = []
    if inspect.isabstract(found):
        lacking = sorted(found.__abstractmethods__)
    else:
        chosen = {option: values[option] for option in found.option_names if option in values}
        model = _made(name, found, chosen)
        lacking = [wanted for wanted in _WANTED if not hasattr(model, wanted)]
    if lacking:
        raise ModelError(f"model {name!r} lacks {', '.join(lacking)}")
    strange = [output for output in model.output_names if output not in CANONICAL_STATES]
    if strange:
        known = " ".join(CANONICAL_STATES)
        raise ModelError(f"model {name!r} has the output {strange[0]}, which is none of {known}")
    if name not in _MODELS:
        try:
            check_model(model)
        except ModelError as error:
            raise ModelError(f"model {name!r}: {error}") from error
    return model


def _made(name: str, found: type[Model], options: Mapping[str, float]) -> Model:
    try:
        inspect.signature(found).bind(**options)
    except TypeError as error:
        raise ModelError(f"model {name!r}: its __init__ does not fit: {error}") from error
    try:
        return found(**options)
    except ValueError as error:
        raise ModelError(str(error)) from error


def _imported(name: str) -> type[Model]:
    module_name, _, class_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)):
        known = ", ".join(_MODELS)
        raise ModelNotFoundError(f"model {name!r} is none of {known}, nor module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ModelNotFoundError(f"model {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise ModelNotFoundError(f"model {name!r} is not a subclass of {Model.__qualname__}")
    return found
