"""Messages as rclpy and rosbags have them, by field names only."""

from types import SimpleNamespace

import numpy as np
import pytest

SECOND = 1_000_000_000


def header(stamp, frame):
    time = SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND)
    return SimpleNamespace(stamp=time, frame_id=frame)


def xyz(values):
    return SimpleNamespace(**dict(zip("xyzw", values, strict=False)))


def diagonal(variances):
    return np.diag(np.asarray(variances, float)).ravel()


class Messages:
    """Builders with sensible defaults."""

    @staticmethod
    def odometry(
        stamp,
        *,
        position=(0, 0, 0),
        orientation=(0, 0, 0, 1),
        linear=(0, 0, 0),
        angular=(0, 0, 0),
        pose_variance=(0.1,) * 6,
        twist_variance=(0.1,) * 6,
        frame="odom",
        child="base_link",
    ):
        return SimpleNamespace(
            header=header(stamp, frame),
            child_frame_id=child,
            pose=SimpleNamespace(
                pose=SimpleNamespace(position=xyz(position), orientation=xyz(orientation)),
                covariance=diagonal(pose_variance),
            ),
            twist=SimpleNamespace(
                twist=SimpleNamespace(linear=xyz(linear), angular=xyz(angular)),
                covariance=diagonal(twist_variance),
            ),
        )

    @staticmethod
    def imu(
        stamp,
        *,
        orientation=(0, 0, 0, 1),
        angular=(0, 0, 0),
        acceleration=(0, 0, 9.80665),
        orientation_variance=(0.1,) * 3,
        angular_variance=(0.1,) * 3,
        acceleration_variance=(0.1,) * 3,
        frame="imu_link",
    ):
        return SimpleNamespace(
            header=header(stamp, frame),
            orientation=xyz(orientation),
            orientation_covariance=diagonal(orientation_variance),
            angular_velocity=xyz(angular),
            angular_velocity_covariance=diagonal(angular_variance),
            linear_acceleration=xyz(acceleration),
            linear_acceleration_covariance=diagonal(acceleration_variance),
        )

    @staticmethod
    def command(speed, rate, stamp=None):
        twist = SimpleNamespace(linear=xyz((speed, 0, 0)), angular=xyz((0, 0, rate)))
        if stamp is None:
            return twist
        return SimpleNamespace(header=header(stamp, "base_link"), twist=twist)


@pytest.fixture
def messages():
    return Messages
