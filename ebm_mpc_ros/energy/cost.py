"""What a plan costs: weights, bounds and obstacle clearance."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PlanCost:
    """Settings of `PlanEnergy`: diagonals of the weights, soft bounds, clearance.

    Attributes:
        state_weight: Diagonal of Q, one for each of the model's states.
        terminal_weight: Diagonal of Q_N.
        input_weight: Diagonal of R, one for each of the model's inputs.
        state_lower: Lower bounds of the states, -inf where there is none.
        state_upper: Upper bounds of the states, inf where there is none.
        input_lower: Lower bounds of the inputs.
        input_upper: Upper bounds of the inputs.
        state_bound_weight: w of ½ w hinge² for each state beyond its bounds.
        input_bound_weight: The same for each input. Far above R it makes sampling slow.
        obstacle_weight: w of ½ w hinge² where the clearance falls below the margin, in 1/m².
        robot_radius: Radius of the circle about (x, y) that covers the robot, in m.
        margin: Clearance below which an obstacle costs, in m.

    Raises:
        ValueError: A field is out of its range, or lengths disagree.
    """

    state_weight: tuple[float, ...]
    terminal_weight: tuple[float, ...]
    input_weight: tuple[float, ...]
    state_lower: tuple[float, ...]
    state_upper: tuple[float, ...]
    input_lower: tuple[float, ...]
    input_upper: tuple[float, ...]
    state_bound_weight: float = 50.0
    input_bound_weight: float = 5.0
    obstacle_weight: float = 1500.0
    robot_radius: float = 0.2
    margin: float = 0.15

    def __post_init__(self) -> None:
        """Check every field."""
        states, inputs = len(self.state_weight), len(self.input_weight)
        for name, size in (
            ("terminal_weight", states),
            ("state_lower", states),
            ("state_upper", states),
            ("input_lower", inputs),
            ("input_upper", inputs),
        ):
            if len(getattr(self, name)) != size:
                raise ValueError(f"{name} has {len(getattr(self, name))} values, allowed is {size}")
        for name in ("state_weight", "terminal_weight"):
            if not all(0 <= value < math.inf for value in getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are numbers from 0 up")
        if not all(0 < value < math.inf for value in self.input_weight):
            raise ValueError(f"input_weight is {self.input_weight}, allowed are positive numbers")
        for name in (
            "state_bound_weight",
            "input_bound_weight",
            "obstacle_weight",
            "robot_radius",
            "margin",
        ):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are numbers from 0 up")
        for kind in ("state", "input"):
            lower, upper = getattr(self, f"{kind}_lower"), getattr(self, f"{kind}_upper")
            if not all(low < high for low, high in zip(lower, upper, strict=True)):
                raise ValueError(f"{kind}_upper is {upper}, allowed is above {kind}_lower {lower}")
