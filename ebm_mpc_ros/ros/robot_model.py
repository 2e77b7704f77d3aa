"""The parameters `model` and `wheelbase`, which all nodes share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.models import Model, load_model
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEELBASE = Parameter(
    name="wheelbase",
    kind="float",
    default=0.5,
    minimum=0.01,
    maximum=100.0,
    unit="m",
    description="Distance between the axles of model ackermann.",
)


def robot_model(name: str, options: Mapping[str, Any] | None = None) -> Model:
    """Return the model of that name, with those of the options that it takes.

    Raises:
        ParameterError: There is none.
    """
    try:
        return load_model(name, options)
    except ValueError as error:
        raise ParameterError(f"parameter model = {name}: {error}") from error
