"""robot_localization's `use_control`: velocity commands as the accelerations they will cause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_TWIST = 6
_SIGN_TOLERANCE = 0.01


@dataclass(frozen=True, kw_only=True, eq=False)
class VelocityControl:
    """How the robot's base follows velocity commands, each (6,) in the order vx … vyaw.

    Attributes:
        mask: Which commands are used.
        timeout: A command older than this counts as zero, s.
        acceleration_limits: m/s² and rad/s².
        acceleration_gains: Acceleration per error of velocity, 1/s.
        deceleration_limits: m/s² and rad/s².
        deceleration_gains: 1/s.
    """

    mask: tuple[bool, ...]
    timeout: float
    acceleration_limits: Vector
    acceleration_gains: Vector
    deceleration_limits: Vector
    deceleration_gains: Vector

    def __post_init__(self) -> None:
        """Check lengths and ranges.

        Raises:
            ValueError: There are not six of each, or a limit is negative.
        """
        if len(self.mask) != _TWIST:
            raise ValueError(f"control_config has {len(self.mask)} entries: must have {_TWIST}")
        for what in ("acceleration", "deceleration"):
            for of in ("limits", "gains"):
                numbers = getattr(self, f"{what}_{of}")
                if numbers.shape != (_TWIST,) or not (numbers >= 0.0).all():
                    raise ValueError(f"{what}_{of} must be {_TWIST} numbers, at least 0")

    def acceleration(self, twist: Vector, command: Vector) -> Vector:
        """Return the acceleration (6,) of a robot that moves at `twist` and is told `command`.

        Towards the command by gain times error, within the limit; a command of the other sign
        brakes first, and braking has limits of its own.
        """
        error = command - twist
        target = np.where(np.abs(error) <= np.abs(command) + _SIGN_TOLERANCE, command, 0.0)
        brakes = np.abs(target) < np.abs(twist)
        limit = np.where(brakes, self.deceleration_limits, self.acceleration_limits)
        gain = np.where(brakes, self.deceleration_gains, self.acceleration_gains)
        return np.where(self.mask, np.clip(gain * error, -limit, limit), 0.0)
