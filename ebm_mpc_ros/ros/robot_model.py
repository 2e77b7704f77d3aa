"""The parameter `model`, which all nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.models import Model, load_model
from ebm_mpc_ros.ros.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping


def robot_model(name: str, options: Mapping[str, Any] | None = None) -> Model:
    """Return the model of that name, with those of the options that it takes.

    Raises:
        ParameterError: There is none.
    """
    try:
        return load_model(name, options)
    except ValueError as error:
        raise ParameterError(f"parameter model = {name}: {error}") from error
