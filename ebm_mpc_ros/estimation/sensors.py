"""From what a sensor says in its own frame to a measurement of the robot's coordinates.

Masks, frames and the meaning of covariances are robot_localization's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.models import CANONICAL_STATES, rotation

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import Transform
    from ebm_mpc_ros.models import Model

STANDARD_GRAVITY = 9.80665
_POSE, _TWIST, _ACCELERATION = range(6), range(6, 12), range(12, 15)


class BadMeasurementError(ValueError):
    """A message can't be used; its text is the reason, without numbers, to be counted by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorSettings:
    """How one input is fused.

    Attributes:
        name: The input, odom0 or imu1, say.
        model: The robot; coordinates that it lacks are left out of the mask.
        mask: Fifteen booleans in the order of `CANONICAL_STATES`.
        pose_threshold: Rejection of pose measurements, sigmas.
        twist_threshold: Rejection of twist measurements, sigmas.
        acceleration_threshold: Rejection of accelerations, sigmas.
        remove_gravity: Whether an IMU's acceleration contains gravity, which is then removed.
        gravity: m/s².
        default_variance: Variances (15,) that replace a message's zeros; None where there are none.
    """

    name: str
    model: Model
    mask: tuple[bool, ...]
    pose_threshold: float = np.inf
    twist_threshold: float = np.inf
    acceleration_threshold: float = np.inf
    remove_gravity: bool = False
    gravity: float = STANDARD_GRAVITY
    default_variance: Vector | None = None

    def __post_init__(self) -> None:
        """Check the mask.

        Raises:
            ValueError: The mask hasn't fifteen entries.
        """
        if len(self.mask) != len(CANONICAL_STATES):
            raise ValueError(f"{self.name}_config must have {len(CANONICAL_STATES)} booleans")

    def selected(self, canonical: range) -> list[int]:
        """Return the canonical indices in that range that are masked in and that the model has."""
        known = self.model.state_names
        return [i for i in canonical if self.mask[i] and CANONICAL_STATES[i] in known]


def pose(
    sensor: SensorSettings,
    stamp: int,
    position: Vector,
    quaternion: Vector,
    covariance: Matrix,
    frame: Transform,
) -> Measurement | None:
    """Return the measurement of a pose (3,), (4,), covariance (6, 6), given in `frame`.

    `frame` is the pose of the message's frame in the world. None where the mask takes nothing.

    Raises:
        BadMeasurementError: Values are not finite, or the covariance or quaternion is impossible.
    """
    wanted = sensor.selected(_POSE)
    if not wanted:
        return None
    needs_attitude = any(i >= 3 for i in wanted)
    attitude = unit(quaternion) if needs_attitude else np.array([0.0, 0.0, 0.0, 1.0])
    R = frame.matrix
    turned = rotation.multiply(frame.quaternion, attitude)
    values = np.concatenate((R @ position + frame.translation, rotation.to_rpy(turned)))
    return _measurement(
        sensor, stamp, wanted, 0, values, _turned(covariance, R), sensor.pose_threshold
    )


def twist(
    sensor: SensorSettings,
    stamp: int,
    linear: Vector,
    angular: Vector,
    covariance: Matrix,
    mounting: Transform,
) -> Measurement | None:
    """Return the measurement of a twist (3,), (3,), covariance (6, 6), in the sensor's frame.

    `mounting` is the pose of the sensor in base_link, whose lever arm r adds r × ω to the velocity.

    Raises:
        BadMeasurementError: Values are not finite or the covariance is impossible.
    """
    wanted = sensor.selected(_TWIST)
    if not wanted:
        return None
    R = mounting.matrix
    rate = R @ angular
    velocity = R @ linear
    if mounting.translation.any() and any(i < 9 for i in wanted):
        velocity = velocity + np.cross(mounting.translation, rate)
    values = np.concatenate((velocity, rate))
    return _measurement(
        sensor, stamp, wanted, 6, values, _turned(covariance, R), sensor.twist_threshold
    )


def orientation(
    sensor: SensorSettings,
    stamp: int,
    quaternion: Vector,
    covariance: Matrix,
    mounting: Transform,
) -> Measurement | None:
    """Return the measurement of an IMU's orientation (4,), covariance (3, 3).

    The robot's attitude is the sensor's, composed with the inverse of its mounting.

    Raises:
        BadMeasurementError: Values are not finite, or the covariance or quaternion is impossible.
    """
    wanted = sensor.selected(range(3, 6))
    if not wanted:
        return None
    attitude = rotation.multiply(unit(quaternion), rotation.conjugate(mounting.quaternion))
    values = np.concatenate((np.zeros(3), rotation.to_rpy(attitude)))
    full = np.zeros((6, 6))
    full[3:, 3:] = mounting.matrix @ covariance @ mounting.matrix.T
    return _measurement(sensor, stamp, wanted, 0, values, full, sensor.pose_threshold)


def acceleration(
    sensor: SensorSettings,
    stamp: int,
    specific_force: Vector,
    covariance: Matrix,
    mounting: Transform,
    attitude: Vector,
) -> Measurement | None:
    """Return the measurement of an accelerometer (3,), covariance (3, 3), in the sensor's frame.

    `attitude` is the quaternion of base_link in the world, for the gravity to remove.

    Raises:
        BadMeasurementError: Values are not finite or the covariance is impossible.
    """
    wanted = sensor.selected(_ACCELERATION)
    if not wanted:
        return None
    R = mounting.matrix
    values = R @ specific_force
    if sensor.remove_gravity:
        values = values - rotation.matrix(attitude)[2] * sensor.gravity
    return _measurement(
        sensor, stamp, wanted, 12, values, R @ covariance @ R.T, sensor.acceleration_threshold
    )


def _measurement(
    sensor: SensorSettings,
    stamp: int,
    wanted: list[int],
    offset: int,
    values: Vector,
    covariance: Matrix,
    threshold: float,
) -> Measurement:
    local = np.asarray(wanted) - offset
    chosen = values[local]
    R = covariance[np.ix_(local, local)]
    if not np.isfinite(chosen).all():
        raise BadMeasurementError("values not finite")
    if not np.isfinite(R).all():
        raise BadMeasurementError("covariance not finite")
    variances = np.diagonal(R)
    unknown = np.flatnonzero(variances == 0.0)
    if unknown.size:
        if sensor.default_variance is None:
            name = CANONICAL_STATES[wanted[unknown[0]]]
            raise BadMeasurementError(f"variance of {name} is 0 and {sensor.name}_variance not set")
        R = R.copy()
        R[unknown, unknown] = sensor.default_variance[np.asarray(wanted)[unknown]]
    if np.abs(R - R.T).max() > 1e-6 * np.abs(R).max():
        raise BadMeasurementError("covariance not symmetric")
    if dpotrf(R, lower=1)[1]:
        raise BadMeasurementError("covariance not positive definite")
    known = sensor.model.state_names
    rows = np.array([known.index(CANONICAL_STATES[i]) for i in wanted], dtype=np.intp)
    return Measurement(stamp, sensor.name, rows, chosen, R, threshold)


def _turned(covariance: Matrix, R: Matrix) -> Matrix:
    """Return a covariance (6, 6) of two vectors with both turned by `R`."""
    blocks = np.zeros((6, 6))
    blocks[:3, :3] = blocks[3:, 3:] = R
    return blocks @ covariance @ blocks.T


def unit(quaternion: Vector) -> Vector:
    """Return a message's quaternion (4,) at unit length.

    Raises:
        BadMeasurementError: It is not finite, or too far from unit length to be a rotation.
    """
    norm = float(np.linalg.norm(quaternion))
    if not np.isfinite(norm):
        raise BadMeasurementError("quaternion not finite")
    if abs(norm - 1.0) > 0.1:
        raise BadMeasurementError("quaternion not of unit length")
    return quaternion / norm
