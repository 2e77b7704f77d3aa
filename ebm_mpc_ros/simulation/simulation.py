"""A robot on a course, with its sensors, in simulated time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ebm_mpc_ros.simulation.robot import Robot, RobotSettings
from ebm_mpc_ros.simulation.sensors import (
    Imu,
    InertialSensor,
    Odometry,
    SensorSettings,
    WheelOdometry,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.simulation.courses import Course

_STOP = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """The robot, its sensors and the rules of its base.

    Raises:
        ValueError: A field is not finite or out of its range.
    """

    robot: RobotSettings = field(default_factory=RobotSettings)
    sensors: SensorSettings = field(default_factory=SensorSettings)
    command_timeout: float = 0.2
    """Time in s after the last command at which the base begins to brake."""
    truth_rate: float = 50.0
    """Rate of the ground truth in Hz."""

    def __post_init__(self) -> None:
        for name in ("command_timeout", "truth_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} is {value}, must be finite and > 0")


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """What the robot really does, at base_link."""

    stamp: float
    """Time in s."""
    position: NDArray[np.float64]
    """Position (3,) in m."""
    orientation: NDArray[np.float64]
    """Unit quaternion (4,), x y z w."""
    linear_velocity: NDArray[np.float64]
    """Velocity (3,) in the robot's axes in m/s."""
    angular_velocity: NDArray[np.float64]
    """Angular velocity (3,) in the robot's axes in rad/s."""
    touching: bool
    """Whether the robot has touched an obstacle since the sample before."""


Sample: TypeAlias = Imu | Odometry | GroundTruth


class Simulation:
    """Drives a course; whoever runs it sends commands and takes the samples.

    The base holds a command for `command_timeout`, then brakes at its own limit. The frame of
    the odometry is that of the course: it begins in the true start pose.

    Args:
        course: Where the robot starts, and the obstacles.
        seed: Seeds all noise: equal seeds and commands give equal samples, bit for bit.
        settings: The robot and its sensors.

    Raises:
        ValueError: A rate does not divide the rate of the simulation's steps.
    """

    def __init__(
        self, course: Course, seed: int, settings: SimulationSettings | None = None
    ) -> None:
        settings = settings or SimulationSettings()
        sensors = settings.sensors
        self.robot = Robot(settings.robot, course.obstacles, course.start)
        self.imu = InertialSensor(sensors, np.random.default_rng(seed))
        self.odometry = WheelOdometry(
            sensors, self.robot.wheel_radius, self.robot.wheel_separation, course.start
        )
        self.refused_commands = 0
        """How many commands were not finite."""
        self._imu_steps = self._period("imu_rate", sensors.imu_rate)
        self._odometry_steps = self._period("odometry_rate", sensors.odometry_rate)
        self._truth_steps = self._period("truth_rate", settings.truth_rate)
        self._timeout_steps = math.floor(settings.command_timeout / self.robot.timestep + 1e-9)
        self._steps = 0
        self._command = _STOP
        self._expiry = 0
        self._touched = False

    @property
    def time(self) -> float:
        """Simulated time in s."""
        return self.robot.time

    @property
    def command_expired(self) -> bool:
        """Whether the base brakes because the last command is too old."""
        return 0 < self._expiry <= self._steps

    def command(self, speed: float, turn_rate: float) -> bool:
        """Set the velocity to hold in m/s and rad/s; refuse one that is not finite.

        Returns:
            Whether the command was taken. One refused does not put off the timeout.
        """
        if not (math.isfinite(speed) and math.isfinite(turn_rate)):
            self.refused_commands += 1
            return False
        self._command = (speed, turn_rate)
        self._expiry = self._steps + self._timeout_steps
        return True

    def step(self) -> tuple[Sample, ...]:
        """Advance one timestep of the robot and return the samples due at its end."""
        robot = self.robot
        robot.step(self._command if self._steps < self._expiry else _STOP)
        self._steps += 1
        self._touched |= robot.touching
        samples: tuple[Sample, ...] = ()
        stamp = robot.time
        if self._steps % self._imu_steps == 0:
            angular_velocity = robot.twist[1]
            samples += (self.imu.measure(stamp, angular_velocity, robot.specific_force),)
        if self._steps % self._odometry_steps == 0:
            samples += (self.odometry.measure(stamp, robot.wheel_angles),)
        if self._steps % self._truth_steps == 0:
            samples += (GroundTruth(stamp, *robot.pose, *robot.twist, self._touched),)
            self._touched = False
        return samples

    def _period(self, name: str, rate: float) -> int:
        steps = round(1.0 / (rate * self.robot.timestep))
        if steps < 1 or not math.isclose(steps * rate * self.robot.timestep, 1.0):
            highest = 1.0 / self.robot.timestep
            raise ValueError(f"{name} is {rate}, must divide {highest:g} Hz, the rate of steps")
        return steps
