"""How fast a path is driven: limits, and the speeds at which bends ahead can be met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.control.problem import check_count, check_positive

if TYPE_CHECKING:
    from ebm_mpc_ros.control.path import ReferencePath

Vector = NDArray[np.float64]

_STRAIGHT = 1e-9


@dataclass(frozen=True, kw_only=True)
class FollowerSettings:
    """How a path is driven.

    Attributes:
        cruise_speed: Highest speed in m/s, above 0.
        reverse_speed: Highest speed backwards in m/s, at least 0; 0 or None where the robot
            doesn't drive backwards.
        max_lateral_acceleration: Highest v²κ in m/s², above 0; slows in bends.
        max_yaw_rate: Highest vκ in rad/s, above 0; slows in bends.
        max_acceleration: Highest gain and loss of speed in m/s², above 0.
        window_ahead: How far ahead of the progress the robot is looked for in m, above 0.
        window_behind: How far behind it in m, above 0.
        heading_weight: Metres that a radian of heading error counts for in the first search.
        goal_tolerance: Arc length before a stop or the end that counts as arrived in m, above 0;
            from the end's own point the robot may be twice as far.
        turning_radius: Radius of the arcs of a path to a goal in m, above 0.
        laps: Laps of a closed path, at least 1; None for endless.

    Raises:
        ValueError: A field is out of its range.
    """

    cruise_speed: float
    reverse_speed: float | None = None
    max_lateral_acceleration: float = 1.0
    max_yaw_rate: float = 2.0
    max_acceleration: float = 0.5
    window_ahead: float = 2.0
    window_behind: float = 0.3
    heading_weight: float = 1.0
    goal_tolerance: float = 0.05
    turning_radius: float = 0.5
    laps: int | None = 1

    def __post_init__(self) -> None:
        for name in (
            *("cruise_speed", "max_lateral_acceleration", "max_yaw_rate", "max_acceleration"),
            *("window_ahead", "window_behind", "heading_weight", "goal_tolerance"),
            "turning_radius",
        ):
            check_positive(name, getattr(self, name))
        if self.reverse_speed:
            check_positive("reverse_speed", self.reverse_speed)
        if self.laps is not None:
            check_count("laps", self.laps)


def speed_limit(path: ReferencePath, settings: FollowerSettings) -> float:
    """Return the highest speed (m/s) in the direction in which the path is driven.

    Raises:
        ValueError: The path is to be driven backwards, which the settings don't allow.
    """
    return check_reversing(settings) if path.backwards else settings.cruise_speed


def check_reversing(settings: FollowerSettings) -> float:
    """Return the highest speed backwards in m/s; raise ValueError where there is none."""
    if not settings.reverse_speed:
        raise ValueError("it is to be driven backwards, which this robot must not do")
    return settings.reverse_speed


def speed_profile(path: ReferencePath, settings: FollowerSettings) -> Vector:
    """Return the highest speeds (j,) at the stations from which the slower ones can be met."""
    bend = np.maximum(np.abs(path.curvatures), _STRAIGHT)
    speed = np.minimum(speed_limit(path, settings), settings.max_yaw_rate / bend)
    squared = np.minimum(speed * speed, settings.max_lateral_acceleration / bend)
    gain = 2.0 * settings.max_acceleration * path.spacing
    if path.closed:
        squared = np.concatenate([squared, squared[1:]])
    # v²ⱼ = min over k ≥ j of v²ₖ + 2a(sₖ - sⱼ)
    rise = gain * np.arange(len(squared))
    reachable = np.minimum.accumulate((squared + rise)[::-1])[::-1] - rise
    speeds: Vector = np.sqrt(reachable[: len(path.stations)])
    return speeds
