"""Models by the name that a parameter file gives them."""

from __future__ import annotations

import importlib

from ebm_mpc_ros.models.base import Model
from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.models.rigid_body import RigidBody

_MODELS: dict[str, type[Model]] = {"diff_drive": DiffDrive, "rigid_body": RigidBody}


class ModelNotFoundError(ValueError):
    """No model goes by that name."""


def load_model(name: str) -> Model:
    """Return the model of a short name or of `module:Class`.

    Raises:
        ModelNotFoundError: The name is unknown, or its module or class can't be loaded.
    """
    if name in _MODELS:
        return _MODELS[name]()
    module_name, _, class_name = name.partition(":")
    if not class_name:
        known = ", ".join(_MODELS)
        raise ModelNotFoundError(f"model {name!r} is none of {known}, nor module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ModelNotFoundError(f"model {name!r}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Model)):
        raise ModelNotFoundError(f"model {name!r} is not a subclass of {Model.__qualname__}")
    return found()
