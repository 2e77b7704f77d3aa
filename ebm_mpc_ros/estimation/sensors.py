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
_ROUNDING = 1e-12


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
        """Check lengths and ranges.

        Raises:
            ValueError: The mask or the variances haven't fifteen entries, or a number is out of
                range.
        """
        states = len(CANONICAL_STATES)
        if len(self.mask) != states:
            raise ValueError(f"{self.name}_config has {len(self.mask)} entries: must have {states}")
        for of in ("pose_threshold", "twist_threshold", "acceleration_threshold"):
            if not getattr(self, of) > 0.0:
                raise ValueError(f"{self.name} {of} = {getattr(self, of)}: must be above 0")
        if not 0.0 <= self.gravity < np.inf:
            raise ValueError(f"gravity = {self.gravity}: must be finite, at least 0")
        variance = self.default_variance
        if variance is not None and not (variance.shape == (states,) and (variance >= 0.0).all()):
            raise ValueError(f"{self.name}_variance must be {states} numbers, at least 0")

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
    R = _matrix(frame)
    values = np.empty(6)
    places = [i for i in wanted if i < 3]
    if places:
        values[places] = _product(R[places], position) + frame.translation[places]
    if len(places) < len(wanted):
        values[3:] = rotation.to_rpy(rotation.multiply(frame.quaternion, unit(quaternion)))
    spread = _propagated(_of_both(R)[wanted], covariance)
    return _measurement(sensor, stamp, wanted, values[wanted], spread, sensor.pose_threshold)


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
    rows = [i - 6 for i in wanted]
    blocks = _of_both(_matrix(mounting))
    spread = _propagated(blocks[rows], covariance)
    blocks[:3, 3:] = rotation.skew(mounting.translation) @ blocks[3:, 3:]
    values = _product(blocks[rows], np.concatenate((linear, angular)))
    return _measurement(sensor, stamp, wanted, values, spread, sensor.twist_threshold)


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
    wanted = sensor.selected(_POSE[3:])
    if not wanted:
        return None
    rows = [i - 3 for i in wanted]
    attitude = rotation.multiply(unit(quaternion), rotation.conjugate(mounting.quaternion))
    values = np.array(rotation.to_rpy(attitude))[rows]
    spread = _propagated(_matrix(mounting)[rows], covariance)
    return _measurement(sensor, stamp, wanted, values, spread, sensor.pose_threshold)


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
    rows = [i - 12 for i in wanted]
    R = _matrix(mounting)[rows]
    values = _product(R, specific_force)
    if sensor.remove_gravity:
        values -= rotation.matrix(attitude)[2, rows] * sensor.gravity
    spread = _propagated(R, covariance)
    return _measurement(sensor, stamp, wanted, values, spread, sensor.acceleration_threshold)


def _measurement(
    sensor: SensorSettings,
    stamp: int,
    wanted: list[int],
    values: Vector,
    R: Matrix,
    threshold: float,
) -> Measurement:
    unknown = np.flatnonzero(np.diagonal(R) == 0.0)
    if unknown.size:
        if sensor.default_variance is None:
            name = CANONICAL_STATES[wanted[unknown[0]]]
            raise BadMeasurementError(f"variance of {name} is 0 and {sensor.name}_variance not set")
        R[unknown, unknown] = sensor.default_variance[np.asarray(wanted)[unknown]]
    if np.abs(R - R.T).max() > 1e-6 * np.abs(R).max():
        raise BadMeasurementError("covariance not symmetric")
    if dpotrf(R, lower=1)[1]:
        raise BadMeasurementError("covariance not positive definite")
    known = sensor.model.state_names
    rows = np.array([known.index(CANONICAL_STATES[i]) for i in wanted], dtype=np.intp)
    return Measurement(stamp, sensor.name, rows, values, R, threshold)


def _matrix(frame: Transform) -> Matrix:
    """Return the frame's rotation matrix with exact zeros where its axes are at right angles."""
    R = frame.matrix
    R[np.abs(R) < _ROUNDING] = 0.0
    return R


def _of_both(R: Matrix) -> Matrix:
    """Return the matrix (6, 6) that turns two vectors by `R`."""
    blocks = np.zeros((6, 6))
    blocks[:3, :3] = blocks[3:, 3:] = R
    return blocks


def _product(M: Matrix, values: Vector) -> Vector:
    """Return M v, without a look at the entries of v that M has no use for."""
    used = M.any(axis=0)
    values = values[used]
    if not np.isfinite(values).all():
        raise BadMeasurementError("values not finite")
    return M[:, used] @ values


def _propagated(M: Matrix, covariance: Matrix) -> Matrix:
    """Return M C Mᵀ, without a look at the entries of C that M has no use for."""
    used = np.flatnonzero(M.any(axis=0))
    covariance = covariance[used[:, None], used]
    if not np.isfinite(covariance).all():
        raise BadMeasurementError("covariance not finite")
    M = M[:, used]
    return M @ covariance @ M.T


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
