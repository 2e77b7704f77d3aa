"""Measurements of position from satellites, in a world frame that points east, north, up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.estimation.sensors import Projection, SensorSettings
from ebm_mpc_ros.estimation.terms import Offset

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import Transform
    from ebm_mpc_ros.estimation.geodesy import Datum

POSITION = range(3)


class FixPart:
    """East, north and up of an antenna on the robot."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._projection = Projection(sensor, POSITION.start, np.eye(3))

    def measurement(
        self, stamp: int, place: Datum, covariance: Matrix, datum: Datum, antenna: Transform
    ) -> Measurement | None:
        """Return the measurement of a fix, covariance (3, 3) in east, north, up.

        `datum` is the world frame's origin, `antenna` the antenna's pose in base_link. None where
        the mask takes nothing.

        Raises:
            BadMeasurementError: The covariance is impossible.
        """
        projection = self._projection
        if not projection.rows:
            return None
        arm: Vector = antenna.translation
        return Measurement(
            stamp,
            self._sensor.name,
            projection.rows,
            projection.values(datum.enu(place)),
            projection.covariance(covariance),
            self._sensor.pose_threshold,
            (Offset(tuple(projection.axes), arm),) if arm.any() else (),
        )
