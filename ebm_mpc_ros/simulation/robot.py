"""The robot's body and base: a MuJoCo model that takes velocity commands."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import mujoco
import numpy as np

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import OBSTACLE_HEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROBOT_RADIUS = 0.2
"""Radius in m of the circle about base_link that holds the robot."""

_SETTLING_TIME = 0.5
_PAYLOAD_HALF_SIZES = (0.08, 0.08, 0.05)
_PAYLOAD_CENTRE = (-0.04, 0.0, 0.19)


@dataclass(frozen=True, kw_only=True)
class RobotSettings:
    """What differs from robot to robot, and the limits of its base controller.

    Raises:
        ValueError: A field is not finite or out of its range.
    """

    wheel_friction: float = 0.8
    """Coulomb friction of the driven wheels on the floor."""
    payload_mass: float = 0.0
    """Mass in kg of a box on top of the chassis."""
    acceleration: float = 2.0
    """Limit in m/s² on the change of speed, braking included."""
    angular_acceleration: float = 6.0
    """Limit in rad/s² on the change of turn rate."""
    max_speed: float = 1.5
    """Limit in m/s on the speed, forwards and backwards."""
    max_turn_rate: float = 2.5
    """Limit in rad/s on the turn rate."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), field.name == "payload_mass"
            if not math.isfinite(value) or value < 0.0 or (value == 0.0 and not least):
                allowed = "finite and >= 0" if least else "finite and > 0"
                raise ValueError(f"{field.name} is {value}, must be {allowed}")


class Robot:
    """A differential-drive robot among obstacles, stepped by `timestep`.

    Its base takes the velocity commanded, limits the speed and its change, and turns it into
    wheel speeds by the nominal geometry; torque-limited servos do the rest.

    Args:
        settings: Friction, payload and limits.
        obstacles: Cylinders (M, 3): x, y, radius in m.
        start: Pose x, y, yaw in m and rad; the robot stands there, settled on its wheels.

    Raises:
        ValueError: An obstacle or the start is not finite, or a radius is not positive.
    """

    def __init__(
        self,
        settings: RobotSettings,
        obstacles: NDArray[np.float64] | Sequence[Sequence[float]] = (),
        start: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        cylinders = np.asarray(obstacles, dtype=np.float64).reshape(-1, 3)
        if not np.isfinite(cylinders).all() or not (cylinders[:, 2] > 0.0).all():
            raise ValueError(f"obstacles are {cylinders.tolist()}, must be finite, radii > 0")
        if len(start) != 3 or not np.isfinite(start).all():
            raise ValueError(f"start is {start}, must be three finite numbers")
        self._settings = settings
        self._model = _compose(settings, cylinders)
        self._data = mujoco.MjData(self._model)
        self._qpos: NDArray[np.float64] = self._data.qpos
        self._qvel: NDArray[np.float64] = self._data.qvel
        self._ctrl: NDArray[np.float64] = self._data.ctrl
        self.timestep = float(self._model.opt.timestep)
        self.wheel_radius = float(self._model.geom("left_wheel").size[0])
        self.wheel_separation = float(
            self._model.body("left_wheel").pos[1] - self._model.body("right_wheel").pos[1]
        )
        self._max_change = (
            settings.acceleration * self.timestep,
            settings.angular_acceleration * self.timestep,
        )
        self._speed = self._turn_rate = 0.0
        self._steps = 0
        self._previous_velocity = np.zeros(3)
        self._settle(start)

    def step(self, command: tuple[float, float]) -> None:
        """Advance one timestep under a command (m/s, rad/s).

        Raises:
            ValueError: The command is not finite.
        """
        speed, turn_rate = command
        if not (math.isfinite(speed) and math.isfinite(turn_rate)):
            raise ValueError(f"command is {command}, must be finite")
        self._speed = _approach(self._speed, speed, self._settings.max_speed, self._max_change[0])
        self._turn_rate = _approach(
            self._turn_rate, turn_rate, self._settings.max_turn_rate, self._max_change[1]
        )
        difference = 0.5 * self.wheel_separation * self._turn_rate
        self._ctrl[0] = (self._speed - difference) / self.wheel_radius
        self._ctrl[1] = (self._speed + difference) / self.wheel_radius
        self._previous_velocity[:] = self._qvel[:3]
        mujoco.mj_step(self._model, self._data)
        self._steps += 1

    @property
    def time(self) -> float:
        """Simulated time in s."""
        return self._steps * self.timestep

    @property
    def pose(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position (3,) of base_link in m and its orientation (4,), x y z w."""
        w, x, y, z = self._qpos[3:7]
        return self._qpos[:3].copy(), np.array([x, y, z, w])

    @property
    def twist(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Linear (3,) and angular velocity (3,) of base_link in its own axes, m/s and rad/s."""
        return self._in_body(self._qvel[:3]), self._qvel[3:6].copy()

    @property
    def specific_force(self) -> NDArray[np.float64]:
        """Acceleration less gravity (3,) of base_link in its own axes, m/s²; +9.81 on z at rest.

        It is the mean over the last timestep.
        """
        acceleration = (self._qvel[:3] - self._previous_velocity) / self.timestep
        return self._in_body(acceleration - self._model.opt.gravity)

    @property
    def wheel_angles(self) -> NDArray[np.float64]:
        """Angles (2,) in rad by which the left and the right wheel have turned."""
        return self._qpos[7:9].copy()

    @property
    def wheel_rates(self) -> NDArray[np.float64]:
        """Turn rates (2,) of the left and the right wheel in rad/s."""
        return self._qvel[6:8].copy()

    @property
    def touching(self) -> bool:
        """Whether the robot touched an obstacle during the last step."""
        # The floor is geom 0 and comes first in its contacts; the robot can't touch itself.
        return bool(self._data.contact.geom[:, 0].any())

    def _settle(self, start: Sequence[float]) -> None:
        """Let the wheels take the weight, then put the robot on its start at time zero."""
        for _ in range(round(_SETTLING_TIME / self.timestep)):
            mujoco.mj_step(self._model, self._data)
        x, y, yaw = start
        self._qpos[:2] = x, y
        turn = np.array([math.cos(0.5 * yaw), 0.0, 0.0, math.sin(0.5 * yaw)])
        mujoco.mju_mulQuat(self._qpos[3:7], turn, self._qpos[3:7].copy())
        self._qpos[7:9] = 0.0
        self._qvel[:] = 0.0

    def _in_body(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        inverse, out = np.empty(4), np.empty(3)
        mujoco.mju_negQuat(inverse, self._qpos[3:7])
        mujoco.mju_rotVecQuat(out, vector, inverse)
        return out


def _compose(settings: RobotSettings, cylinders: NDArray[np.float64]) -> mujoco.MjModel:
    spec = mujoco.MjSpec.from_file(str(share_directory() / "worlds" / "diff_drive.xml"))
    for wheel in ("left_wheel", "right_wheel"):
        spec.geom(wheel).friction[0] = settings.wheel_friction
    if settings.payload_mass > 0.0:
        spec.body("base_link").add_body(name="payload", pos=_PAYLOAD_CENTRE).add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=_PAYLOAD_HALF_SIZES,
            mass=settings.payload_mass,
        )
    for x, y, radius in cylinders:
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[radius, 0.5 * OBSTACLE_HEIGHT, 0.0],
            pos=[x, y, 0.5 * OBSTACLE_HEIGHT],
            material="obstacle",
        )
    return spec.compile()


def _approach(value: float, target: float, bound: float, change: float) -> float:
    target = min(max(target, -bound), bound)
    return min(max(target, value - change), value + change)
