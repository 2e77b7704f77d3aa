"""Arrays to messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import (
    AccelWithCovarianceStamped,
    Point,
    Pose,
    PoseArray,
    PoseStamped,
    Quaternion,
    TransformStamped,
    TwistStamped,
    Vector3,
)
from nav_msgs.msg import Odometry as OdometryMessage
from nav_msgs.msg import Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.estimate_output import Acceleration, Broadcast, Odometry, Samples

    Numbers = Sequence[float] | NDArray[np.float64]


def to_time(stamp: int) -> Time:
    """Return a stamp in ns as a Time."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)


def to_point(values: Numbers) -> Point:
    """Return x, y, z (m) as a Point."""
    return Point(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def to_vector(values: Numbers) -> Vector3:
    """Return three numbers as a Vector3."""
    return Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def to_quaternion(values: Numbers) -> Quaternion:
    """Return x, y, z, w as a Quaternion."""
    x, y, z, w = values
    return Quaternion(x=float(x), y=float(y), z=float(z), w=float(w))


def yaw_quaternion(yaw: float) -> Quaternion:
    """Return a heading (rad) as a Quaternion."""
    return Quaternion(z=math.sin(0.5 * yaw), w=math.cos(0.5 * yaw))


def to_odometry(odometry: Odometry, frame: str, child: str) -> OdometryMessage:
    """Return an estimate as nav_msgs/Odometry."""
    message = OdometryMessage(child_frame_id=child)
    message.header.frame_id = frame
    message.header.stamp = to_time(odometry.stamp)
    message.pose.pose.position = to_point(odometry.position)
    message.pose.pose.orientation = to_quaternion(odometry.quaternion)
    message.pose.covariance = odometry.pose_covariance.ravel()
    message.twist.twist.linear = to_vector(odometry.linear)
    message.twist.twist.angular = to_vector(odometry.angular)
    message.twist.covariance = odometry.twist_covariance.ravel()
    return message


def to_poses(samples: Samples, frame: str) -> PoseArray:
    """Return particles as geometry_msgs/PoseArray."""
    message = PoseArray()
    message.header.frame_id = frame
    message.header.stamp = to_time(samples.stamp)
    for position, quaternion in zip(samples.positions, samples.quaternions, strict=True):
        pose = Pose(position=to_point(position), orientation=to_quaternion(quaternion))
        message.poses.append(pose)
    return message


def to_acceleration(acceleration: Acceleration, frame: str) -> AccelWithCovarianceStamped:
    """Return an estimated acceleration as geometry_msgs/AccelWithCovarianceStamped."""
    message = AccelWithCovarianceStamped()
    message.header.frame_id = frame
    message.header.stamp = to_time(acceleration.stamp)
    message.accel.accel.linear = to_vector(acceleration.linear)
    message.accel.accel.angular = to_vector(acceleration.angular)
    message.accel.covariance = acceleration.covariance.ravel()
    return message


def to_transform(broadcast: Broadcast) -> TransformStamped:
    """Return a frame's pose in another as geometry_msgs/TransformStamped."""
    message = TransformStamped(child_frame_id=broadcast.child)
    message.header.frame_id = broadcast.parent
    message.header.stamp = to_time(broadcast.stamp)
    message.transform.translation = to_vector(broadcast.pose.translation)
    message.transform.rotation = to_quaternion(broadcast.pose.quaternion)
    return message


def to_path(stamp: int, frame: str, poses: Iterable[Sequence[float]]) -> Path:
    """Return poses (x, y, yaw) as nav_msgs/Path."""
    path = Path()
    path.header.frame_id = frame
    path.header.stamp = to_time(stamp)
    for x, y, yaw in poses:
        pose = PoseStamped(header=path.header)
        pose.pose.position = Point(x=float(x), y=float(y))
        pose.pose.orientation = yaw_quaternion(float(yaw))
        path.poses.append(pose)
    return path


def to_command(
    stamp: int, frame: str, velocity: tuple[float, float, float], *, stamped: bool
) -> Any:
    """Return a velocity command, vx, vy (m/s) and vyaw (rad/s), as a TwistStamped or its Twist."""
    message = TwistStamped()
    message.header.frame_id = frame
    message.header.stamp = to_time(stamp)
    message.twist.linear.x, message.twist.linear.y, message.twist.angular.z = velocity
    return message if stamped else message.twist
