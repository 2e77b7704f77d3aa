"""Messages of the estimator's inputs to measurements. Fields are read by name; no rclpy here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.estimation.fixes import FixPart
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, UnknownFrameError, bare
from ebm_mpc_ros.estimation.geodesy import Datum
from ebm_mpc_ros.estimation.motion import AccelerationPart, GyroPart, TwistPart
from ebm_mpc_ros.estimation.poses import AttitudePart, PosePart
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, SensorSettings, unit
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import quaternion, square, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.estimation.ekf import Measurement
    from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector
    from ebm_mpc_ros.ros.frame_lookup import Frames

Found = list["Measurement | None"]
"""Measurements of one message, none of them used if one can't be; None where a part has none."""

_NO_DATA = -1.0
_UNKNOWN = 0
_NO_FIX = -1
_POSE, _TWIST = range(6), range(6, 12)
_ATTITUDE, _RATES, _ACCELERATION = range(3, 6), range(9, 12), range(12, 15)


class OdomInput:
    """nav_msgs/Odometry: a pose in header.frame_id, a twist in child_frame_id."""

    type_name = "nav_msgs/msg/Odometry"

    def __init__(
        self,
        sensor: SensorSettings,
        frames: Frames,
        rest: Callable[[], RestDetector],
        *,
        use_child: bool,
    ) -> None:
        """Fuse pose and twist; with `use_child` the pose is that of child_frame_id."""
        self._frames, self._rest, self._use_child = frames, rest, use_child
        self._pose = PosePart(sensor) if sensor.takes(_POSE) else None
        self._twist = TwistPart(sensor) if sensor.takes(_TWIST) else None
        self.parts = [part for part, on in (("pose", self._pose), ("twist", self._twist)) if on]

    def reset(self) -> None:
        """Start over."""
        if self._pose is not None:
            self._pose.reset()

    def measurements(self, stamp: int, message: Any) -> Found:
        """Return what the message measures.

        Raises:
            BadMeasurementError: It can't be used.
            UnknownFrameError: No transform to its frame is known.
        """
        frames, child = self._frames, message.child_frame_id
        found: Found = []
        if self._twist is not None:
            mounting = frames.pose(frames.base, child, stamp)
            twist = _twist(message.twist.twist)
            covariance = square(message.twist.covariance, 6)
            found.append(self._twist.measurement(stamp, twist, covariance, mounting))
        # What remembers comes last: a message that can't be used leaves no trace in it.
        if self._pose is not None:
            body = child if self._use_child else ""
            found.append(_pose(self._pose, frames, stamp, message, body))
        if self._twist is not None:
            self._rest().note(stamp, *twist)
        return found


class PoseInput:
    """geometry_msgs/PoseWithCovarianceStamped: the pose of base_link in header.frame_id."""

    type_name = "geometry_msgs/msg/PoseWithCovarianceStamped"
    parts = ("",)

    def __init__(self, sensor: SensorSettings, frames: Frames) -> None:
        """Fuse poses."""
        self._frames = frames
        self._pose = PosePart(sensor)

    def reset(self) -> None:
        """Start over."""
        self._pose.reset()

    def measurements(self, stamp: int, message: Any) -> Found:
        """Return what the message measures.

        Raises:
            BadMeasurementError: It can't be used.
            UnknownFrameError: No transform to its frame is known.
        """
        return [_pose(self._pose, self._frames, stamp, message, "")]


class TwistInput:
    """geometry_msgs/TwistWithCovarianceStamped: a twist in header.frame_id."""

    type_name = "geometry_msgs/msg/TwistWithCovarianceStamped"
    parts = ("",)

    def __init__(
        self, sensor: SensorSettings, frames: Frames, rest: Callable[[], RestDetector]
    ) -> None:
        """Fuse twists."""
        self._frames, self._rest = frames, rest
        self._twist = TwistPart(sensor)

    def reset(self) -> None:
        """Start over."""

    def measurements(self, stamp: int, message: Any) -> Found:
        """Return what the message measures.

        Raises:
            BadMeasurementError: It can't be used.
            UnknownFrameError: No transform to its frame is known.
        """
        mounting = self._frames.pose(self._frames.base, message.header.frame_id, stamp)
        twist = _twist(message.twist.twist)
        covariance = square(message.twist.covariance, 6)
        found = self._twist.measurement(stamp, twist, covariance, mounting)
        self._rest().note(stamp, *twist)
        return [found]


class ImuInput:
    """sensor_msgs/Imu: orientation, angular velocity and specific force of header.frame_id."""

    type_name = "sensor_msgs/msg/Imu"

    def __init__(
        self,
        sensor: SensorSettings,
        frames: Frames,
        rest: Callable[[], RestDetector],
        calibration: GyroBias | None,
    ) -> None:
        """Fuse what the mask takes, the gyro without the bias that is measured at rest."""
        self._sensor, self._frames = sensor, frames
        self._rest, self._calibration = rest, calibration
        self._attitude = AttitudePart(sensor) if sensor.takes(_ATTITUDE) else None
        self._gyro = GyroPart(sensor) if sensor.takes(_RATES) else None
        self._acceleration = AccelerationPart(sensor) if sensor.takes(_ACCELERATION) else None
        self.parts = [
            part
            for part, on in (
                ("pose", self._attitude),
                ("twist", self._gyro),
                ("acceleration", self._acceleration),
            )
            if on
        ]

    def reset(self) -> None:
        """Start over; what is known of the gyro stays."""
        if self._attitude is not None:
            self._attitude.reset()

    def measurements(self, stamp: int, message: Any) -> Found:
        """Return what the message measures.

        Raises:
            BadMeasurementError: It can't be used.
            UnknownFrameError: No transform to its frame is known.
        """
        mounting = self._frames.pose(self._frames.base, message.header.frame_id, stamp)
        oriented = message.orientation_covariance[0] != _NO_DATA
        found: Found = []
        if self._gyro is not None and message.angular_velocity_covariance[0] != _NO_DATA:
            rate = vector(message.angular_velocity)
            if self._calibration is not None:
                at_rest = self._rest().at_rest(stamp)
                rate = self._calibration.corrected(rate, at_rest=at_rest)
            covariance = square(message.angular_velocity_covariance, 3)
            found.append(self._gyro.measurement(stamp, rate, covariance, mounting))
        if self._acceleration is not None and message.linear_acceleration_covariance[0] != _NO_DATA:
            level = None
            if oriented and self._sensor.remove_gravity:
                level = self._level(unit(quaternion(message.orientation)), mounting)
            force = vector(message.linear_acceleration)
            covariance = square(message.linear_acceleration_covariance, 3)
            found.append(self._acceleration.measurement(stamp, force, covariance, mounting, level))
        # What remembers comes last: a message that can't be used leaves no trace in it.
        if oriented and self._attitude is not None:
            attitude = quaternion(message.orientation)
            covariance = square(message.orientation_covariance, 3)
            found.append(self._attitude.measurement(stamp, attitude, covariance, mounting))
        return found

    def _level(self, attitude: Any, mounting: Transform) -> Any:
        """Return base_link's attitude as the IMU's orientation has it.

        One that is relative to its start counts as the robot's, as in robot_localization.
        """
        if self._sensor.relative:
            return attitude
        return np.asarray(rotation.multiply(attitude, rotation.conjugate(mounting.quaternion)))


class NavSatInput:
    """sensor_msgs/NavSatFix: the position of an antenna, on a datum that the inputs share."""

    type_name = "sensor_msgs/msg/NavSatFix"
    parts = ("",)

    def __init__(self, sensor: SensorSettings, frames: Frames, datum: list[Datum]) -> None:
        """Fuse fixes; the first one becomes the datum where that is empty."""
        self._fix, self._frames, self._datum = FixPart(sensor), frames, datum
        self.warning = ""
        """What is wrong although fixes are used."""

    def reset(self) -> None:
        """Start over; the datum stays."""

    def measurements(self, stamp: int, message: Any) -> Found:
        """Return what the message measures.

        Raises:
            BadMeasurementError: It can't be used.
            UnknownFrameError: The antenna's transform may still come.
        """
        if message.status.status == _NO_FIX:
            raise BadMeasurementError("no fix")
        place = _place(message)
        covariance = square(message.position_covariance, 3)
        if message.position_covariance_type == _UNKNOWN:
            covariance = np.zeros((3, 3))
        base, frame = self._frames.base, message.header.frame_id
        try:
            antenna = self._frames.pose(base, frame, stamp)
            self.warning = ""
        except UnknownFrameError as error:
            if self._frames.patient:
                raise
            antenna = IDENTITY
            self.warning = f"{error}: its antenna is taken to be at {base}"
        datum = self._datum[0] if self._datum else place
        found = self._fix.measurement(stamp, place, covariance, datum, antenna)
        if not self._datum:
            self._datum.append(place)
        return [found]


Input = OdomInput | PoseInput | TwistInput | ImuInput | NavSatInput

INPUT_TYPES = {
    "odom": OdomInput.type_name,
    "pose": PoseInput.type_name,
    "twist": TwistInput.type_name,
    "imu": ImuInput.type_name,
    "navsat": NavSatInput.type_name,
}
"""The message of each kind of input, such as nav_msgs/msg/Odometry."""


def _pose(part: PosePart, frames: Frames, stamp: int, message: Any, child: str) -> Any:
    """Return what the pose of `child`, by default base_link, measures."""
    given = message.pose.pose
    body = frames.pose(bare(child) or frames.base, frames.base, stamp)
    return part.measurement(
        stamp,
        vector(given.position),
        quaternion(given.orientation),
        square(message.pose.covariance, 6),
        frames.pose(frames.world, message.header.frame_id, stamp),
        body,
    )


def _twist(twist: Any) -> Any:
    linear, angular = twist.linear, twist.angular
    return np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])


def _place(message: Any) -> Datum:
    numbers = (message.latitude, message.longitude, message.altitude)
    try:
        return Datum(*(float(number) for number in numbers))
    except ValueError as error:
        raise BadMeasurementError("no such place") from error
