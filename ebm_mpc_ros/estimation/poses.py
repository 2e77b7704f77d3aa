"""Measurements of poses: as they are, as seen from the first, or by their rate of change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, Projection, SensorSettings, unit
from ebm_mpc_ros.estimation.time import seconds
from ebm_mpc_ros.models import rotation

POSE, ATTITUDE = range(6), range(3, 6)
_RATE = 6


class _Kept(NamedTuple):
    """A pose of base_link, its covariance, and the way of that into base_link's axes there."""

    stamp: int
    pose: Transform
    covariance: Matrix
    projection: Projection


class _Differences:
    """Mean twists between poses, R = (C₁ + C₂) / dt²."""

    def __init__(self, sensor: SensorSettings) -> None:
        self._sensor = sensor
        self._last: _Kept | None = None

    def measurement(
        self, stamp: int, pose: Transform, covariance: Matrix, projection: Projection
    ) -> Measurement | None:
        """Return the measurement of the twist since the last pose, None at the first.

        Raises:
            BadMeasurementError: The covariance is impossible, or time doesn't go on.
        """
        projection.covariance(covariance)
        last = self._last
        if last is not None and stamp <= last.stamp:
            raise BadMeasurementError("stamp not after the previous pose")
        self._last = _Kept(stamp, pose, covariance, projection)
        if last is None:
            return None
        dt = seconds(stamp - last.stamp)
        step, projection = last.pose.inverse() @ pose, last.projection
        turn = rotation.log(step.quaternion)
        # Constant in axes that turn with the body: t = J(turn) v dt.
        way = np.linalg.solve(rotation.left_jacobian(turn), step.translation)
        twist = np.concatenate((way, turn))[-projection.matrix.shape[1] :] / dt
        C = projection.covariance(last.covariance) + projection.covariance(covariance)
        sensor = self._sensor
        return Measurement(
            stamp,
            sensor.name,
            projection.rows,
            twist[projection.axes],
            C / dt**2,
            sensor.pose_threshold,
        )


class PosePart:
    """The pose of a body on the robot, from odometry or a localiser."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._whole = sensor.differential or sensor.relative
        self.differential = sensor.differential
        self.reset()

    def reset(self) -> None:
        """Forget the first and the last pose."""
        self._first: Transform | None = None
        self._frame: Transform | None = None
        self._differences = _Differences(self._sensor)

    def follow(self, former: PosePart) -> None:
        """Go on seeing poses from where a former part saw them."""
        self._first = former._first

    def measurement(
        self,
        stamp: int,
        position: Vector,
        quaternion: Vector,
        covariance: Matrix,
        frame: Transform,
        body: Transform = IDENTITY,
    ) -> Measurement | None:
        """Return the measurement of a pose (3,), (4,), covariance (6, 6).

        `frame` is the pose of the message's frame in the world, `body` the pose of base_link in
        the body whose pose it is. None where there is nothing to fuse, as at the first of
        differences.

        Raises:
            BadMeasurementError: Values are not finite, or the covariance or quaternion is
                impossible.
        """
        sensor = self._sensor
        if not sensor.takes(POSE):
            return None
        if sensor.takes(ATTITUDE):
            quaternion = unit(quaternion)
        elif self._whole or body is not IDENTITY:
            # All zeros is what drivers without an attitude send.
            quaternion = unit(quaternion) if quaternion.any() else IDENTITY.quaternion
        if self._whole and not np.isfinite(position).all():
            raise BadMeasurementError("values not finite")
        pose = Transform(position, quaternion)
        if body is not IDENTITY:
            covariance = _moved(covariance, pose.matrix @ body.translation)
            pose = pose @ body
        if sensor.differential:
            return self._rate(stamp, pose, covariance, body)
        return self._absolute(stamp, pose, covariance, frame)

    def _absolute(
        self, stamp: int, pose: Transform, covariance: Matrix, frame: Transform
    ) -> Measurement | None:
        sensor = self._sensor
        first = pose if self._first is None else self._first
        if frame is not self._frame or self._first is None:
            self._place = frame @ first.inverse() if sensor.relative else frame
            self._projection = Projection(
                sensor,
                POSE.start,
                _both(self._place.matrix),
                mask_rotation=_both(frame.matrix),
            )
            self._frame = frame
        place, projection = self._place, self._projection
        if not projection.rows:
            return None
        values = projection.values(np.concatenate((pose.translation, np.zeros(3))))
        R = projection.covariance(covariance)
        rpy: tuple[float, ...] | None = None
        for k, axis in enumerate(projection.axes):
            if axis < ATTITUDE.start:
                values[k] += place.translation[axis]
            else:
                rpy = rpy or rotation.to_rpy(rotation.multiply(place.quaternion, pose.quaternion))
                values[k] = rpy[axis - ATTITUDE.start]
        if rpy is not None:
            R = _turned(R, projection.axes, ATTITUDE[:2], _about_z(-rpy[2])[:2, :2])
        self._first = first
        return Measurement(stamp, sensor.name, projection.rows, values, R, sensor.pose_threshold)

    def _rate(
        self, stamp: int, pose: Transform, covariance: Matrix, body: Transform
    ) -> Measurement | None:
        """Return the measurement of the mean twist since the previous pose.

        The mask's axes are those of the body whose pose is given.
        """
        projection = Projection(
            self._sensor,
            POSE.start,
            _both(pose.matrix.T),
            mask_rotation=_both(body.matrix.T),
            shift=_RATE,
        )
        if not projection.rows:
            return None
        return self._differences.measurement(stamp, pose, covariance, projection)


class AttitudePart:
    """The orientation of an IMU, its covariance about its own axes."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._mounting: Transform | None = None
        self._R, self._turns = np.zeros((0, 0)), False
        self.reset()

    def reset(self) -> None:
        """Forget the first and the last attitude."""
        self._first: Vector | None = None
        self._differences = _Differences(self._sensor)

    def follow(self, former: AttitudePart) -> None:
        """Go on seeing attitudes from where a former part saw them."""
        self._first = former._first

    def measurement(
        self, stamp: int, quaternion: Vector, covariance: Matrix, mounting: Transform
    ) -> Measurement | None:
        """Return the measurement of an orientation (4,), covariance (3, 3).

        The robot's attitude is the sensor's composed with the inverse of its mounting. The mask's
        roll and pitch are turned by the mounting's yaw, as in robot_localization.

        Raises:
            BadMeasurementError: Values are not finite, or the covariance or quaternion is
                impossible.
        """
        sensor = self._sensor
        if not sensor.takes(ATTITUDE):
            return None
        if mounting is not self._mounting:
            self._mount(mounting)
        projection = self._projection
        if not projection.rows:
            return None
        attitude = np.asarray(rotation.multiply(unit(quaternion), self._back))
        if sensor.differential:
            pose = Transform(IDENTITY.translation, attitude)
            return self._differences.measurement(stamp, pose, covariance, projection)
        R = projection.covariance(covariance)
        if sensor.relative:
            self._first = attitude if self._first is None else self._first
            attitude = rotation.multiply(rotation.conjugate(self._first), attitude)
        rpy = rotation.to_rpy(attitude)
        if R is not self._R:
            self._R, self._turns = R, len(R) == len(ATTITUDE) and not _alike(R)
        if self._turns:
            tilt = _about_z(-rpy[2]) @ rotation.matrix(attitude)
            R = _turned(R, projection.axes, range(3), tilt)
        values = np.array(rpy)[projection.axes]
        return Measurement(stamp, sensor.name, projection.rows, values, R, sensor.pose_threshold)

    def _mount(self, mounting: Transform) -> None:
        yaw = float(rotation.heading(mounting.quaternion))
        self._projection = Projection(
            self._sensor,
            ATTITUDE.start,
            mounting.matrix,
            mask_rotation=_about_z(yaw),
            shift=_RATE if self._sensor.differential else 0,
        )
        self._back = rotation.conjugate(mounting.quaternion)
        self._mounting = mounting


def _moved(covariance: Matrix, arm: Vector) -> Matrix:
    """Return the covariance (6, 6) of a pose `arm` away, along the message's axes.

    Raises:
        BadMeasurementError: It is not finite; every entry has a part in it.
    """
    if not np.isfinite(covariance).all():
        raise BadMeasurementError("covariance not finite")
    J = np.eye(6)
    J[:3, 3:] = -rotation.skew(arm)
    return J @ covariance @ J.T


def _turned(R: Matrix, axes: list[int], which: range, turn: Matrix) -> Matrix:
    """Return R with the axes `which` turned, if all of them are fused."""
    places = [k for k, axis in enumerate(axes) if axis in which]
    if len(places) < len(which):
        return R
    whole = np.eye(len(axes))
    whole[np.ix_(places, places)] = turn
    return np.asarray(whole @ R @ whole.T)


def _alike(R: Matrix) -> bool:
    """Return whether R is the same about every axis, so that no turn changes it."""
    return bool(np.abs(R - R[0, 0] * np.eye(len(R))).max() <= 1e-9 * R[0, 0])


def _about_z(yaw: float) -> Matrix:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _both(R: Matrix) -> Matrix:
    """Return the matrix (6, 6) that turns two vectors by `R`."""
    blocks = np.zeros((6, 6))
    blocks[:3, :3] = blocks[3:, 3:] = R
    return blocks
