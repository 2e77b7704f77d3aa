"""Measurements of velocities and accelerations, from the sensor's frame to base_link."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.estimation.sensors import Projection, SensorSettings
from ebm_mpc_ros.estimation.terms import Centripetal, Gravity, Linear, Term, lever_arm
from ebm_mpc_ros.models import rotation

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import Transform

TWIST, RATES, ACCELERATION = range(6, 12), range(9, 12), range(12, 15)


class _MountedPart(ABC):
    """What a sensor measures in axes of its own, fixed to the robot."""

    def __init__(self, sensor: SensorSettings, threshold: float) -> None:
        self._sensor, self._threshold = sensor, threshold
        self._mounting: Transform | None = None

    def measurement(
        self, stamp: int, values: Vector, covariance: Matrix, mounting: Transform
    ) -> Measurement | None:
        """Return the measurement of `values` (d,), covariance (d, d), in the sensor's frame.

        `mounting` is the sensor's pose in base_link. None where the mask takes nothing.

        Raises:
            BadMeasurementError: Values are not finite or the covariance is impossible.
        """
        if mounting is not self._mounting:
            self._projection, self._terms = self._mounted(mounting)
            self._mounting = mounting
        projection = self._projection
        if not projection.rows:
            return None
        return Measurement(
            stamp,
            self._sensor.name,
            projection.rows,
            projection.values(values),
            projection.covariance(covariance),
            self._threshold,
            self._terms,
        )

    @abstractmethod
    def _mounted(self, mounting: Transform) -> tuple[Projection, tuple[Term, ...]]:
        """Return the way into base_link's axes, and what is measured beside the outputs."""

    def _bias(self, of: str, projection: Projection) -> list[Term]:
        """Return the term of the biases that the model has for this sensor."""
        names, outputs = bias_names(self._sensor.name, of), self._sensor.model.output_names
        if not all(name in outputs for name in names):
            return []
        return [Linear(tuple(outputs.index(name) for name in names), projection.matrix)]


class TwistPart(_MountedPart):
    """Linear and angular velocity (6,); away from base_link the linear one has ω × r in it."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        super().__init__(sensor, sensor.twist_threshold)

    def _mounted(self, mounting: Transform) -> tuple[Projection, tuple[Term, ...]]:
        R = mounting.matrix
        both, arm = np.zeros((6, 6)), np.zeros((6, 3))
        both[:3, :3] = both[3:, 3:] = R
        arm[:3] = -rotation.skew(mounting.translation)
        projection = Projection(self._sensor, TWIST.start, both)
        term = lever_arm(self._sensor.model, arm[projection.axes])
        return projection, () if term is None else (term,)


class GyroPart(_MountedPart):
    """Angular velocity (3,) of an IMU, with its bias where the model has one."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        super().__init__(sensor, sensor.twist_threshold)

    def _mounted(self, mounting: Transform) -> tuple[Projection, tuple[Term, ...]]:
        projection = Projection(self._sensor, RATES.start, mounting.matrix)
        return projection, tuple(self._bias("gyro", projection))


class AccelerationPart(_MountedPart):
    """Specific force (3,) of an IMU: acceleration, gravity, ω × (ω × r), and its bias."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        super().__init__(sensor, sensor.acceleration_threshold)

    def measurement(
        self,
        stamp: int,
        values: Vector,
        covariance: Matrix,
        mounting: Transform,
        attitude: Vector | None = None,
    ) -> Measurement | None:
        """Return the measurement of a specific force (3,), covariance (3, 3), sensor's frame.

        `attitude` is the quaternion of base_link in the world for the gravity to remove; None for
        the filter's own.

        Raises:
            BadMeasurementError: Values are not finite or the covariance is impossible.
        """
        found, sensor = super().measurement(stamp, values, covariance, mounting), self._sensor
        if found is None or not sensor.remove_gravity:
            return found
        if attitude is None:
            return replace(found, terms=(*found.terms, self._gravity))
        up = rotation.matrix(attitude)[2]
        return replace(found, values=found.values - up[self._projection.axes] * sensor.gravity)

    def _mounted(self, mounting: Transform) -> tuple[Projection, tuple[Term, ...]]:
        projection = Projection(self._sensor, ACCELERATION.start, mounting.matrix)
        axes = np.eye(3)[projection.axes]
        self._gravity = Gravity(axes, self._sensor.gravity)
        terms = self._bias("accelerometer", projection)
        if mounting.translation.any():
            terms.append(Centripetal(axes, mounting.translation))
        return projection, tuple(terms)


def bias_names(sensor: str, of: str) -> tuple[str, ...]:
    """Return the names of the three biases of a sensor's `gyro` or `accelerometer`."""
    return tuple(f"{sensor}_{of}_{axis}" for axis in "xyz")
