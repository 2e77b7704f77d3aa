"""Messages of the estimator's inputs to measurements. Fields are read by name; no rclpy here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

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
    from collections.abc import Callable, Sequence

    from ebm_mpc_ros.estimation.ekf import Measurement
    from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector
    from ebm_mpc_ros.ros.frame_lookup import Frames


class Reading(NamedTuple):
    """What can be used of a message, and why each part of it that can't be can't."""

    measurements: list[Measurement]
    problems: list[str]


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
        self.pose = PosePart(sensor) if sensor.takes(_POSE) else None
        self._twist = TwistPart(sensor) if sensor.takes(_TWIST) else None
        self.parts = [part for part, on in (("pose", self.pose), ("twist", self._twist)) if on]

    def reset(self) -> None:
        """Start over."""
        if self.pose is not None:
            self.pose.reset()

    def follow(self, former: Any) -> None:
        """Go on from where an input of the same name was."""
        if self.pose is not None and former.pose is not None:
            self.pose.follow(former.pose)

    def measurements(self, stamp: int, message: Any) -> Reading:
        """Return what the message measures.

        Raises:
            UnknownFrameError: A transform is not known, and may still come.
        """

        def twist() -> Measurement | None:
            assert self._twist is not None  # noqa: S101
            mounting = self._frames.pose(self._frames.base, message.child_frame_id, stamp)
            values, covariance = _twist(message.twist.twist), square(message.twist.covariance, 6)
            found = self._twist.measurement(stamp, values, covariance, mounting)
            self._rest().note(stamp, *values)
            return found

        def pose() -> Measurement | None:
            assert self.pose is not None  # noqa: S101
            child = message.child_frame_id if self._use_child else ""
            return _pose(self.pose, self._frames, stamp, message, child)

        # What remembers comes last: a message that is to wait leaves no trace in it.
        wanted = ((self._twist, twist), (self.pose, pose))
        return _reading(self._frames, [read for part, read in wanted if part is not None])


class PoseInput:
    """geometry_msgs/PoseWithCovarianceStamped: the pose of base_link in header.frame_id."""

    type_name = "geometry_msgs/msg/PoseWithCovarianceStamped"
    parts = ("",)

    def __init__(self, sensor: SensorSettings, frames: Frames) -> None:
        """Fuse poses."""
        self._frames = frames
        self.pose = PosePart(sensor)

    def reset(self) -> None:
        """Start over."""
        self.pose.reset()

    def follow(self, former: Any) -> None:
        """Go on from where an input of the same name was."""
        self.pose.follow(former.pose)

    def measurements(self, stamp: int, message: Any) -> Reading:
        """Return what the message measures.

        Raises:
            UnknownFrameError: A transform is not known, and may still come.
        """
        return _reading(self._frames, [lambda: _pose(self.pose, self._frames, stamp, message, "")])


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

    def follow(self, former: Any) -> None:
        """Have nothing to go on from."""

    def measurements(self, stamp: int, message: Any) -> Reading:
        """Return what the message measures.

        Raises:
            UnknownFrameError: A transform is not known, and may still come.
        """

        def twist() -> Measurement | None:
            mounting = self._frames.pose(self._frames.base, message.header.frame_id, stamp)
            values, covariance = _twist(message.twist.twist), square(message.twist.covariance, 6)
            found = self._twist.measurement(stamp, values, covariance, mounting)
            self._rest().note(stamp, *values)
            return found

        return _reading(self._frames, [twist])


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
        self.attitude = AttitudePart(sensor) if sensor.takes(_ATTITUDE) else None
        self._gyro = GyroPart(sensor) if sensor.takes(_RATES) else None
        self._acceleration = AccelerationPart(sensor) if sensor.takes(_ACCELERATION) else None
        self.parts = [
            part
            for part, on in (
                ("pose", self.attitude),
                ("twist", self._gyro),
                ("acceleration", self._acceleration),
            )
            if on
        ]

    @property
    def measures_bias(self) -> bool:
        """Whether the gyro's bias at rest is wanted and not known yet."""
        calibration = self._calibration
        return calibration is not None and self._gyro is not None and not calibration.known

    def reset(self) -> None:
        """Start over; what is known of the gyro stays."""
        if self.attitude is not None:
            self.attitude.reset()

    def follow(self, former: Any) -> None:
        """Go on from where an input of the same name was."""
        if self.attitude is not None and former.attitude is not None:
            self.attitude.follow(former.attitude)

    def measurements(self, stamp: int, message: Any) -> Reading:
        """Return what the message measures.

        Raises:
            UnknownFrameError: The transform is not known, and may still come.
        """
        try:
            mounting = self._frames.pose(self._frames.base, message.header.frame_id, stamp)
        except UnknownFrameError as error:
            if self._frames.patient:
                raise
            return Reading([], [str(error)])
        attitude = quaternion(message.orientation)
        oriented = message.orientation_covariance[0] != _NO_DATA

        def gyro() -> Measurement | None:
            assert self._gyro is not None  # noqa: S101
            _present(message.angular_velocity_covariance, "angular velocity")
            rate = vector(message.angular_velocity)
            if self._calibration is not None:
                at_rest = self._rest().at_rest(stamp)
                rate = self._calibration.corrected(rate, at_rest=at_rest)
            covariance = square(message.angular_velocity_covariance, 3)
            return self._gyro.measurement(stamp, rate, covariance, mounting)

        def acceleration() -> Measurement | None:
            assert self._acceleration is not None  # noqa: S101
            _present(message.linear_acceleration_covariance, "linear acceleration")
            level = None
            # All zeros is what drivers without an orientation send.
            if oriented and self._sensor.remove_gravity and attitude.any():
                level = self._level(unit(attitude), mounting)
            force = vector(message.linear_acceleration)
            covariance = square(message.linear_acceleration_covariance, 3)
            return self._acceleration.measurement(stamp, force, covariance, mounting, level)

        def orientation() -> Measurement | None:
            assert self.attitude is not None  # noqa: S101
            _present(message.orientation_covariance, "orientation")
            covariance = square(message.orientation_covariance, 3)
            return self.attitude.measurement(stamp, attitude, covariance, mounting)

        wanted = (
            (self._gyro, gyro),
            (self._acceleration, acceleration),
            (self.attitude, orientation),
        )
        return _reading(self._frames, [read for part, read in wanted if part is not None])

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
        self._needs_altitude = sensor.takes(range(2, 3))
        self.warning = ""
        """What is wrong although fixes are used."""

    def reset(self) -> None:
        """Start over; the datum stays."""

    def follow(self, former: Any) -> None:
        """Have nothing to go on from."""

    def measurements(self, stamp: int, message: Any) -> Reading:
        """Return what the message measures.

        Raises:
            UnknownFrameError: The antenna's transform may still come.
        """
        return _reading(self._frames, [lambda: self._measurement(stamp, message)])

    def _measurement(self, stamp: int, message: Any) -> Measurement | None:
        if message.status.status == _NO_FIX:
            raise BadMeasurementError("no fix")
        place = self._place(message)
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
        return found

    def _place(self, message: Any) -> Datum:
        """Return where the antenna is; an altitude that nobody asks for may be missing."""
        altitude = float(message.altitude)
        if not (math.isfinite(altitude) or self._needs_altitude):
            altitude = self._datum[0].altitude if self._datum else 0.0
        try:
            return Datum(float(message.latitude), float(message.longitude), altitude)
        except ValueError as error:
            raise BadMeasurementError("no such place") from error


Input = OdomInput | PoseInput | TwistInput | ImuInput | NavSatInput

INPUT_TYPES = {
    "odom": OdomInput.type_name,
    "pose": PoseInput.type_name,
    "twist": TwistInput.type_name,
    "imu": ImuInput.type_name,
    "navsat": NavSatInput.type_name,
}
"""The message of each kind of input, such as nav_msgs/msg/Odometry."""


def _reading(frames: Frames, parts: Sequence[Callable[[], Measurement | None]]) -> Reading:
    """Return what the parts of a message measure; one that can't be used leaves the others."""
    reading = Reading([], [])
    absent = []
    for part in parts:
        try:
            found = part()
        except UnknownFrameError as error:
            if frames.patient:
                raise
            reading.problems.append(str(error))
        except _AbsentError as error:
            absent.append(str(error))
        except ValueError as error:
            reading.problems.append(str(error))
        else:
            if found is not None:
                reading.measurements.append(found)
    # A message may lack a part; one that lacks all that is wanted of it says nothing.
    return reading if any(reading) else Reading([], absent)


class _AbsentError(BadMeasurementError):
    """A message says that it has no such part."""


def _present(covariance: Any, what: str) -> None:
    if covariance[0] == _NO_DATA:
        raise _AbsentError(f"no {what}: its covariance begins with -1")


def _pose(
    part: PosePart, frames: Frames, stamp: int, message: Any, child: str
) -> Measurement | None:
    """Return what the pose of `child`, by default base_link, measures."""
    given = message.pose.pose
    # The difference of two poses is the same in any frame.
    frame = IDENTITY
    if not part.differential:
        frame = frames.pose(frames.world, message.header.frame_id, stamp)
    body = frames.pose(bare(child) or frames.base, frames.base, stamp)
    return part.measurement(
        stamp,
        vector(given.position),
        quaternion(given.orientation),
        square(message.pose.covariance, 6),
        frame,
        body,
    )


def _twist(twist: Any) -> Any:
    linear, angular = twist.linear, twist.angular
    return np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
