"""The robot's sensors: an IMU with bias and noise, encoders on wheels of the wrong size."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.models.base import wrap_angle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class SensorSettings:
    """Errors and rates of the sensors.

    Raises:
        ValueError: A field is not finite or out of its range.
    """

    gyro_sigma: float = 0.005
    """White noise of an angular velocity in rad/s, per sample and axis."""
    gyro_bias: float = 0.002
    """Size of the constant bias on each axis in rad/s; the seed draws its signs."""
    accelerometer_sigma: float = 0.05
    """White noise of a specific force in m/s², per sample and axis."""
    accelerometer_bias: float = 0.05
    """Size of the constant bias on each axis in m/s²; the seed draws its signs."""
    left_wheel_scale_error: float = 0.01
    """The odometry takes the left wheel's path for 1 + this times its length."""
    right_wheel_scale_error: float = -0.01
    """The same of the right wheel."""
    encoder_counts: int = 1000
    """Counts a turn of a wheel."""
    imu_rate: float = 100.0
    """Rate of the IMU in Hz."""
    odometry_rate: float = 50.0
    """Rate of the wheel odometry in Hz."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("scale_error"):
                good, allowed = -1.0 < value < 1.0, "between -1 and 1"
            elif field.name.endswith("rate"):
                good, allowed = 0.0 < value < math.inf, "finite and > 0"
            elif field.name == "encoder_counts":
                good, allowed = isinstance(value, int) and value >= 1, "an integer >= 1"
            else:
                good, allowed = 0.0 <= value < math.inf, "finite and >= 0"
            if not good:
                raise ValueError(f"{field.name} is {value}, must be {allowed}")


@dataclass(frozen=True, slots=True, eq=False)
class Imu:
    """What an IMU in base_link says; it gives no orientation."""

    stamp: float
    """Time in s."""
    angular_velocity: NDArray[np.float64]
    """Angular velocity (3,) in rad/s."""
    specific_force: NDArray[np.float64]
    """Acceleration less gravity (3,) in m/s²; +9.81 on z at rest."""


@dataclass(frozen=True, slots=True, eq=False)
class Odometry:
    """What the wheels say of the robot's motion."""

    stamp: float
    """Time in s."""
    pose: NDArray[np.float64]
    """Pose (3,): x, y, yaw in m and rad, integrated from the start."""
    pose_covariance: NDArray[np.float64]
    """Covariance (3, 3) of the pose."""
    twist: NDArray[np.float64]
    """Twist (2,) in base_link: vx, vyaw in m/s and rad/s, mean since the sample before."""
    twist_covariance: NDArray[np.float64]
    """Covariance (2, 2) of the twist."""


class InertialSensor:
    """Adds a constant bias and white noise to angular velocity and specific force.

    Args:
        settings: Sizes of bias and noise.
        rng: Draws the signs of the biases, then the noise.
    """

    def __init__(self, settings: SensorSettings, rng: np.random.Generator) -> None:
        self._rng = rng
        self._gyro_sigma = settings.gyro_sigma
        self._accelerometer_sigma = settings.accelerometer_sigma
        signs = rng.choice([-1.0, 1.0], size=(2, 3))
        self.gyro_bias: NDArray[np.float64] = settings.gyro_bias * signs[0]
        self.accelerometer_bias: NDArray[np.float64] = settings.accelerometer_bias * signs[1]
        self.angular_velocity_variance = settings.gyro_sigma**2 + settings.gyro_bias**2
        self.specific_force_variance = (
            settings.accelerometer_sigma**2 + settings.accelerometer_bias**2
        )

    def measure(
        self,
        stamp: float,
        angular_velocity: NDArray[np.float64],
        specific_force: NDArray[np.float64],
    ) -> Imu:
        """Return the sample for the true values (3,) in rad/s and m/s²."""
        noise = self._rng.standard_normal((2, 3))
        return Imu(
            stamp,
            angular_velocity + self.gyro_bias + self._gyro_sigma * noise[0],
            specific_force + self.accelerometer_bias + self._accelerometer_sigma * noise[1],
        )


class WheelOdometry:
    """Integrates encoder counts, believing each wheel to be of a slightly wrong size.

    The wheels' paths follow from differences of counts. A rounded count is wrong by a variance
    of 1/12, a difference of two by 1/6; the scale errors are unknown to the odometry, their size
    is its standard deviation of each wheel's scale.

    Args:
        settings: Scale errors and counts a turn.
        wheel_radius: Nominal radius in m.
        wheel_separation: Nominal separation in m.
        start: Pose x, y, yaw in m and rad that the integration begins with.
    """

    def __init__(
        self,
        settings: SensorSettings,
        wheel_radius: float,
        wheel_separation: float,
        start: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        scale_errors = np.array([settings.left_wheel_scale_error, settings.right_wheel_scale_error])
        nominal = 2.0 * math.pi * wheel_radius / settings.encoder_counts
        self._path_per_count = nominal * (1.0 + scale_errors)
        self._scale_sigma = np.abs(scale_errors)
        self._counts_per_radian = settings.encoder_counts / (2.0 * math.pi)
        self._period = 1.0 / settings.odometry_rate
        # (distance, turn) of the robot from the paths of its left and right wheel
        self._mixing = np.array([[0.5, 0.5], [-1.0 / wheel_separation, 1.0 / wheel_separation]])
        self._rounding = nominal * nominal / 6.0 * self._mixing @ self._mixing.T
        along, around = 0.5 * self._rounding.diagonal()
        self._pose_rounding = np.diag([along, along, around])
        self._counts = np.zeros(2)
        self._x, self._y, self._yaw = start
        # ∂ pose / ∂ scales of the left and right wheel
        self._sensitivity = np.zeros((3, 2))

    def measure(self, stamp: float, wheel_angles: NDArray[np.float64]) -> Odometry:
        """Return the sample one period after the last, the wheels being at angles (2,) in rad."""
        counts = np.rint(wheel_angles * self._counts_per_radian)
        paths = (counts - self._counts) * self._path_per_count
        self._counts = counts
        by_wheel = self._mixing * paths
        distance, turn = motion = by_wheel.sum(axis=1)
        middle = self._yaw + 0.5 * turn
        cos, sin = math.cos(middle), math.sin(middle)
        by_scale = self._sensitivity
        middle_by_scale = by_scale[2] + 0.5 * by_wheel[1]
        by_scale[0] += cos * by_wheel[0] - distance * sin * middle_by_scale
        by_scale[1] += sin * by_wheel[0] + distance * cos * middle_by_scale
        by_scale[2] += by_wheel[1]
        self._x += distance * cos
        self._y += distance * sin
        self._yaw += turn
        pose_error, path_error = by_scale * self._scale_sigma, by_wheel * self._scale_sigma
        return Odometry(
            stamp,
            np.array([self._x, self._y, wrap_angle(self._yaw)]),
            pose_error @ pose_error.T + self._pose_rounding,
            motion / self._period,
            (path_error @ path_error.T + self._rounding) / self._period**2,
        )
