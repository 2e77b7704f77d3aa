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


class _Pose(NamedTuple):
    """A pose of base_link and its covariance (6, 6) about the axes of the frame it is given in."""

    stamp: int
    pose: Transform
    covariance: Matrix

    def turned(self, R: Matrix) -> Matrix:
        """Return the covariance about axes turned by `R`."""
        both = _both(R)
        return both @ self.covariance @ both.T


class PosePart:
    """The pose of a body on the robot, from odometry or a localiser."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._whole = sensor.differential or sensor.relative
        self._frame: Transform | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the first and the last pose."""
        self._first: _Pose | None = None
        self._previous: _Pose | None = None

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
        if self._whole or body is not IDENTITY or sensor.takes(ATTITUDE):
            quaternion = unit(quaternion)
        given = _Pose(stamp, Transform(position, quaternion), covariance)
        if body is not IDENTITY:
            given = _of_base(given, body)
        if self._whole and not np.isfinite(position).all():
            raise BadMeasurementError("values not finite")
        if sensor.differential:
            previous, self._previous = self._previous, given
            return None if previous is None else self._rate(previous, given)
        if sensor.relative:
            self._first = self._first or given
            given = _seen_from(self._first, given)
        return self._absolute(given, frame)

    def _absolute(self, given: _Pose, frame: Transform) -> Measurement | None:
        if frame is not self._frame:
            self._projection = Projection(self._sensor, POSE.start, _both(frame.matrix))
            self._frame = frame
        projection = self._projection
        if not projection.rows:
            return None
        position, quaternion = given.pose
        values = projection.values(np.concatenate((position, np.zeros(3))))
        rpy: tuple[float, ...] | None = None
        for k, axis in enumerate(projection.axes):
            if axis < ATTITUDE.start:
                values[k] += frame.translation[axis]
            else:
                rpy = rpy or rotation.to_rpy(rotation.multiply(frame.quaternion, quaternion))
                values[k] = rpy[axis - ATTITUDE.start]
        R = projection.covariance(given.covariance)
        if rpy is not None:
            R = _about_heading(R, projection.axes, rpy[2])
        sensor = self._sensor
        return Measurement(
            given.stamp, sensor.name, projection.rows, values, R, sensor.pose_threshold
        )

    def _rate(self, previous: _Pose, given: _Pose) -> Measurement | None:
        """Return the measurement of the mean twist between two poses, R = (C₁ + C₂) / dt²."""
        dt = _interval(previous, given)
        R = previous.pose.matrix.T
        projection = Projection(
            self._sensor, POSE.start, _both(R), mask_rotation=np.eye(6), shift=_RATE
        )
        if not projection.rows:
            return None
        step = previous.pose.inverse() @ given.pose
        twist = np.concatenate((step.translation, rotation.log(step.quaternion))) / dt
        sensor = self._sensor
        return Measurement(
            given.stamp,
            sensor.name,
            projection.rows,
            twist[projection.axes],
            projection.covariance((previous.covariance + given.covariance) / dt**2),
            sensor.pose_threshold,
        )


class AttitudePart:
    """The orientation of an IMU, its covariance about its own axes."""

    def __init__(self, sensor: SensorSettings) -> None:
        """Fuse what the sensor's mask takes."""
        self._sensor = sensor
        self._mounting: Transform | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the first and the last attitude."""
        self._first: Vector | None = None
        self._previous: _Pose | None = None

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
            given = _Pose(stamp, Transform(IDENTITY.translation, attitude), covariance)
            previous, self._previous = self._previous, given
            if previous is None:
                return None
            dt = _interval(previous, given)
            step = rotation.multiply(rotation.conjugate(previous.pose.quaternion), attitude)
            values = np.asarray(rotation.log(step))[projection.axes] / dt
            R = projection.covariance((previous.covariance + covariance) / dt**2)
        else:
            if sensor.relative:
                self._first = attitude if self._first is None else self._first
                attitude = rotation.multiply(rotation.conjugate(self._first), attitude)
            values = np.array(rotation.to_rpy(attitude))[projection.axes]
            R = projection.covariance(covariance)
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


def _of_base(given: _Pose, body: Transform) -> _Pose:
    """Return the pose of base_link, which lies at `body` in the body whose pose is given."""
    arm = given.pose.matrix @ body.translation
    J = np.eye(6)
    J[:3, 3:] = -rotation.skew(arm)
    return _Pose(given.stamp, given.pose @ body, J @ given.covariance @ J.T)


def _seen_from(first: _Pose, given: _Pose) -> _Pose:
    return _Pose(given.stamp, first.pose.inverse() @ given.pose, given.turned(first.pose.matrix.T))


def _interval(previous: _Pose, given: _Pose) -> float:
    dt = seconds(given.stamp - previous.stamp)
    if dt <= 0.0:
        raise BadMeasurementError("stamp not after the previous pose")
    return dt


def _about_heading(R: Matrix, axes: list[int], yaw: float) -> Matrix:
    """Return R with roll and pitch, given about the world's axes, about those of the heading."""
    roll, pitch = ATTITUDE[0], ATTITUDE[1]
    if not (roll in axes and pitch in axes):
        return R
    i, j = axes.index(roll), axes.index(pitch)
    if R[i, i] == R[j, j] and R[i, j] == 0.0:
        return R
    turn = np.eye(len(axes))
    turn[np.ix_((i, j), (i, j))] = _about_z(yaw).T[:2, :2]
    return turn @ R @ turn.T


def _about_z(yaw: float) -> Matrix:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _both(R: Matrix) -> Matrix:
    """Return the matrix (6, 6) that turns two vectors by `R`."""
    blocks = np.zeros((6, 6))
    blocks[:3, :3] = blocks[3:, 3:] = R
    return blocks
