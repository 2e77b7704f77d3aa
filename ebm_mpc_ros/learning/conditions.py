"""The condition of a policy: what a robot sees of its twist, its goal and the obstacles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.learning.normaliser import is_number
from ebm_mpc_ros.models.base import wrap_angle

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.recording import Floats
    from ebm_mpc_ros.models import Model

_TWIST = {"vx": "m/s", "vy": "m/s", "vyaw": "rad/s"}
_GOAL = {"goal_x": "m", "goal_y": "m", "goal_cos": "1", "goal_sin": "1"}
_INPUTS = {"ax": "m/s²", "ay": "m/s²", "alpha": "rad/s²", "steering_rate": "rad/s"}
_OBSTACLE = {"x": "1", "y": "1", "radius": "m"}


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What of the goal and the obstacles a policy sees.

    Attributes:
        look_ahead: How far along its path the goal lies, and how far off it counts at most, m.
        nearest: Number of obstacles, nearest first.
        obstacle_range: Clearance in m from which on an obstacle is not seen.

    Raises:
        ValueError: A field is out of its range.
    """

    look_ahead: float = 2.0
    nearest: int = 1
    obstacle_range: float = 3.0

    def __post_init__(self) -> None:
        for name in ("look_ahead", "obstacle_range"):
            if not is_number(getattr(self, name)) or getattr(self, name) <= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be a number above 0")
        if type(self.nearest) is not int or self.nearest < 0:
            raise ValueError(f"nearest is {self.nearest}, must be a whole number from 0 up")


def condition_units(model: Model, sight: Sight) -> dict[str, str]:
    """Return the units of a condition's columns, by their names in order."""
    twist = {name: unit for name, unit in _TWIST.items() if name in model.output_names}
    obstacles = {
        f"obstacle{k}_{name}": unit
        for k in range(sight.nearest)
        for name, unit in _OBSTACLE.items()
    }
    return {**twist, **_GOAL, **obstacles}


def input_units(model: Model) -> dict[str, str]:
    """Return the units of a model's inputs, by their names in order; of unknown ones nothing."""
    return {name: _INPUTS.get(name, "") for name in model.input_names}


def condition(model: Model, sight: Sight, states: Floats, goals: Floats, circles: Floats) -> Floats:
    """Return the conditions (T, C) at states (T, state_size).

    The goal is a pose in base_link, its position drawn in to `look_ahead`. An obstacle's
    direction (2,) and radius come times its nearness, 1 - clearance / `obstacle_range`: one out
    of sight is three zeros, as one that is not there.

    Args:
        model: The robot.
        sight: What is seen.
        states: States.
        goals: x, y, yaw of each state's goal (T, 3), m and rad, in the states' frame.
        circles: The obstacles (M, 3): x, y, radius in m, in the states' frame.
    """
    outputs, names = np.asarray(model.h(states)), model.output_names
    x, y, yaw = (outputs[:, names.index(name)] for name in ("x", "y", "yaw"))
    twist = [outputs[:, names.index(name)] for name in _TWIST if name in names]
    cos, sin = np.cos(yaw), np.sin(yaw)

    def seen(places: Floats) -> tuple[Floats, Floats]:
        """Return places (T or 1, k, 2) in base_link, and their distances (T, k)."""
        dx, dy = places[..., 0] - x[:, None], places[..., 1] - y[:, None]
        forward = cos[:, None] * dx + sin[:, None] * dy
        left = cos[:, None] * dy - sin[:, None] * dx
        return np.stack([forward, left], axis=-1), np.hypot(dx, dy)

    goal, far = seen(goals[:, None, :2])
    goal = goal[:, 0] * np.minimum(1.0, sight.look_ahead / np.maximum(far, 1e-9))
    turn = wrap_angle(goals[:, 2] - yaw)
    columns = [*twist, *goal.T, np.cos(turn), np.sin(turn)]
    obstacles = np.zeros((len(states), sight.nearest, 3))
    if len(circles) and sight.nearest:
        place, distance = seen(circles[None, :, :2])
        clearance = distance - circles[:, 2]
        order = np.argsort(clearance, axis=1, kind="stable")[:, : sight.nearest]
        near = np.maximum(1.0 - clearance / sight.obstacle_range, 0.0)
        direction = place / np.maximum(distance, 1e-9)[..., None]
        radius = np.broadcast_to(circles[:, 2, None], (*near.shape, 1))
        features = near[..., None] * np.concatenate([direction, radius], axis=-1)
        obstacles[:, : order.shape[1]] = np.take_along_axis(features, order[..., None], axis=1)
    return np.column_stack([*columns, obstacles.reshape(len(states), -1)])
