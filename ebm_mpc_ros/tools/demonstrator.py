"""Who drives the demonstrations: our controller, led past an obstacle on a side that is drawn."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.control import (
    PathFollower,
    ReferencePath,
    led_around,
    model_reference,
    planar_outputs,
)
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.base import wrap_angle
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import command_limits, follower_settings

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from ebm_mpc_ros.simulation.courses import Course

    Vector = NDArray[np.float64]

MODEL = load_model("diff_drive")
SPEED = 0.8
"""Speed (m/s) at which demonstrations cruise."""
_VALUES, _ = read(
    MPC_PARAMETERS, {"horizon": 40, "obstacle_clearance": 0.25, "cruise_speed": SPEED}
)
PERIOD: float = _VALUES["dt"]
"""Time between two commands in s."""
LIMITS = command_limits(_VALUES, MODEL)
_FOLLOWER = follower_settings(_VALUES, MODEL)
_ASIDE = 2.0


class Demonstrator:
    """Drives a course to its end, past its obstacles on a side that `choose` draws."""

    def __init__(self, course: Course) -> None:
        """Take the course."""
        self._course, self._obstacles = course, course.obstacles
        self._settings = controller_settings(_VALUES, MODEL)
        self._controller = Controller(self._settings)
        self._follower = PathFollower(ReferencePath(course.points), _FOLLOWER)
        self.side = 1.0
        """1 for left, -1 for right."""

    @property
    def finished(self) -> bool:
        """Whether the end is reached."""
        return self._follower.finished

    def choose(self, state: Vector, rng: Generator) -> None:
        """Draw the side, or take that on which the robot is on its way past; forget the plan."""
        self._controller.forget()
        x, y, yaw, *_ = planar_outputs(MODEL, state)
        progress, offset, heading = self._beside_way(x, y)
        for cx, cy, radius in self._obstacles:
            at, aside, _ = self._beside_way(cx, cy)
            if at < progress:
                continue
            turned = wrap_angle(yaw - heading)
            away = np.cos(turned) * (aside - offset) - np.sin(turned) * (at - progress)
            free = abs(away) < 0.5 * (radius + self._settings.distance)
            self.side = float(rng.choice([-1.0, 1.0]) if free else -np.sign(away))

    def _beside_way(self, x: float, y: float) -> tuple[float, float, float]:
        """Return how far along its way a place is and to its left, m, and the way's heading."""
        points, segments = self._course.points[:-1], self._course.segments
        nearest = int(np.hypot(*(points - [x, y]).T).argmin())
        dx, dy = segments[nearest]
        heading = math.atan2(dy, dx)
        along = float(self._course.lengths[:nearest].sum())
        px, py = np.array([x, y]) - points[nearest]
        return along, math.cos(heading) * py - math.sin(heading) * px, heading

    def drive(self, state: Vector) -> Vector | None:
        """Return the input (m,); None for a stop."""
        horizon = self._settings.problem.horizon
        planar = self._follower.reference(planar_outputs(MODEL, state), PERIOD, horizon)
        if self.finished:
            return None
        left = np.column_stack([-np.sin(planar[:, 2]), np.cos(planar[:, 2])])
        led = led_around(
            planar,
            self._obstacles,
            PERIOD,
            clearance=self._settings.distance,
            lateral_acceleration=self._settings.lateral_acceleration,
            plan=planar[:, :2] + self.side * _ASIDE * left,
        )
        reference = model_reference(MODEL, led)
        return self._controller.tick(state, reference, self._obstacles, led[:, :2]).input

    def sent(self, time: float, u: Vector) -> None:
        """Note the input (m,) sent at a time in s."""
        self._controller.sent(round(1e9 * time), u)
