"""What a path asks of any robot: pose and twist on the plane, and the model's states for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]

PLANAR_NAMES = ("x", "y", "yaw", "vx", "vy", "vyaw")
"""The columns of a planar state: pose in the world (m, rad), twist in the body (m/s, rad/s)."""

_NEEDED = ("x", "y", "yaw", "vx", "vyaw")


def model_reference(model: Model, planar: Vector) -> Vector:
    """Return the model's states (…, state_size) whose outputs are the planar ones (…, 6).

    Other outputs are zero. Yaw stays as it is, beyond half a turn too.

    Raises:
        ValueError: The model measures no planar pose and twist.
    """
    names = _outputs(model)
    if names == PLANAR_NAMES:
        return np.asarray(model.state(planar))
    outputs = np.zeros((*planar.shape[:-1], len(names)))
    for column, name in enumerate(PLANAR_NAMES):
        if name in names:
            outputs[..., names.index(name)] = planar[..., column]
    return np.asarray(model.state(outputs))


def planar_outputs(model: Model, states: Vector) -> Vector:
    """Return the planar states (…, 6) of the model's (…, state_size), with vy 0 where it has none.

    Yaw is continuous along the last axis but one.

    Raises:
        ValueError: The model measures no planar pose and twist.
    """
    names = _outputs(model)
    outputs = np.asarray(model.h(states))
    planar = np.zeros((*outputs.shape[:-1], len(PLANAR_NAMES)))
    for column, name in enumerate(PLANAR_NAMES):
        if name in names:
            planar[..., column] = outputs[..., names.index(name)]
    if planar.ndim > 1:
        yaw = planar[..., 2]
        if np.any(np.abs(yaw[..., 1:] - yaw[..., :-1]) > np.pi):
            planar[..., 2] = np.unwrap(yaw)
    return planar


def checked_planar(state: ArrayLike) -> list[float]:
    """Return a planar state (6,) as floats; raise ValueError unless they are finite."""
    given = np.asarray(state, dtype=np.float64)
    numbers: list[float] = given.tolist()
    if given.shape != (len(PLANAR_NAMES),) or not all(map(math.isfinite, numbers)):
        raise ValueError(f"state is {numbers}: {len(PLANAR_NAMES)} finite numbers are wanted")
    return numbers


def _outputs(model: Model) -> tuple[str, ...]:
    names = tuple(model.output_names)
    lacking = [name for name in _NEEDED if name not in names]
    if lacking:
        raise ValueError(
            f"model is {type(model).__name__}, without the outputs {', '.join(lacking)}: "
            f"a robot on a plane measures {', '.join(_NEEDED)}"
        )
    return names
