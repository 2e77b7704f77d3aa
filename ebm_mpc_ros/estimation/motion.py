"""Measurements of velocities and accelerations, from the sensor's frame to base_link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.estimation.sensors import Projection, SensorSettings, bias_term
from ebm_mpc_ros.estimation.terms import Centripetal, Gravity, Term, lever_arm
from ebm_mpc_ros.models import rotation

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import Transform

TWIST, RATES, ACCELERATION = range(6, 12), range(9, 12), range(12, 15)


class TwistPart:
    """Linear and angular velocity; away from base_link the linear one has ω × r in it."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._mounting: Transform | None = None

    def measurement(
        self, stamp: int, twist: Vector, covariance: Matrix, mounting: Transform
    ) -> Measurement | None:
        """Return the measurement of a twist (6,), covariance (6, 6), in the sensor's frame.

        `mounting` is the sensor's pose in base_link. None where the mask takes nothing.

        Raises:
            BadMeasurementError: Values are not finite or the covariance is impossible.
        """
        if mounting is not self._mounting:
            self._mount(mounting)
        projection, sensor = self._projection, self._sensor
        if not projection.rows:
            return None
        return Measurement(
            stamp,
            sensor.name,
            projection.rows,
            projection.values(twist),
            projection.covariance(covariance),
            sensor.twist_threshold,
            self._terms,
        )

    def _mount(self, mounting: Transform) -> None:
        R = mounting.matrix
        both = np.zeros((6, 6))
        both[:3, :3] = both[3:, 3:] = R
        self._projection = Projection(self._sensor, TWIST.start, both)
        arm = np.zeros((6, 3))
        arm[:3] = -rotation.skew(mounting.translation)
        term = lever_arm(self._sensor.model, arm[self._projection.axes])
        self._terms: tuple[Term, ...] = () if term is None else (term,)
        self._mounting = mounting


class GyroPart:
    """Angular velocity of an IMU, with its bias where the model has one."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._mounting: Transform | None = None

    def measurement(
        self, stamp: int, rate: Vector, covariance: Matrix, mounting: Transform
    ) -> Measurement | None:
        """Return the measurement of a rate (3,), covariance (3, 3), in the sensor's frame.

        Raises:
            BadMeasurementError: Values are not finite or the covariance is impossible.
        """
        if mounting is not self._mounting:
            sensor = self._sensor
            self._projection = Projection(sensor, RATES.start, mounting.matrix)
            names = bias_names(sensor.name, "gyro")
            self._terms = tuple(bias_term(sensor, names, self._projection))
            self._mounting = mounting
        projection = self._projection
        if not projection.rows:
            return None
        return Measurement(
            stamp,
            self._sensor.name,
            projection.rows,
            projection.values(rate),
            projection.covariance(covariance),
            self._sensor.twist_threshold,
            self._terms,
        )


class AccelerationPart:
    """Specific force of an IMU: acceleration, gravity, ω × (ω × r), and its bias."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._mounting: Transform | None = None

    def measurement(
        self,
        stamp: int,
        force: Vector,
        covariance: Matrix,
        mounting: Transform,
        attitude: Vector | None,
    ) -> Measurement | None:
        """Return the measurement of a specific force (3,), covariance (3, 3), sensor's frame.

        `attitude` is the quaternion of base_link in the world for the gravity to remove; None for
        the filter's own.

        Raises:
            BadMeasurementError: Values are not finite or the covariance is impossible.
        """
        if mounting is not self._mounting:
            self._mount(mounting)
        projection, sensor = self._projection, self._sensor
        if not projection.rows:
            return None
        values, terms = projection.values(force), self._terms
        if sensor.remove_gravity:
            if attitude is None:
                terms = (*terms, self._gravity)
            else:
                up = rotation.matrix(attitude)[2]
                values = values - up[projection.axes] * sensor.gravity
        return Measurement(
            stamp,
            sensor.name,
            projection.rows,
            values,
            projection.covariance(covariance),
            sensor.acceleration_threshold,
            terms,
        )

    def _mount(self, mounting: Transform) -> None:
        sensor = self._sensor
        self._projection = Projection(sensor, ACCELERATION.start, mounting.matrix)
        axes = np.eye(3)[self._projection.axes]
        self._gravity = Gravity(axes, sensor.gravity)
        terms = bias_term(sensor, bias_names(sensor.name, "accelerometer"), self._projection)
        if mounting.translation.any():
            terms.append(Centripetal(axes, mounting.translation))
        self._terms: tuple[Term, ...] = tuple(terms)
        self._mounting = mounting


def bias_names(sensor: str, of: str) -> tuple[str, ...]:
    """Return the names of the three biases of a sensor's `gyro` or `accelerometer`."""
    return tuple(f"{sensor}_{of}_{axis}" for axis in "xyz")
