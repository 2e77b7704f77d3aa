"""What the tests of the estimator share: messages as rclpy and rosbags have them, estimators."""

from types import SimpleNamespace

import numpy as np

from ebm_mpc_ros.models import CANONICAL_STATES
from ebm_mpc_ros.ros.estimator import Estimator

MS = 1_000_000
SECOND = 1000 * MS
START = 50 * SECOND
UPRIGHT = "base_link imu_link 0 0 0 0 0 0"
HUSKY = "base_link imu_link 0 -0.3 0.52 1.5707963267948966 0 -1.5707963267948966"


def mask(*names):
    return [state in names for state in CANONICAL_STATES]


def xyz(values):
    return SimpleNamespace(**dict(zip("xyzw", values, strict=False)))


def covariance(given):
    """A diagonal or a matrix, row by row."""
    given = np.asarray(given, float)
    return (np.diag(given) if given.ndim == 1 else given).ravel()


def header(stamp, frame):
    time = SimpleNamespace(sec=stamp // SECOND, nanosec=stamp % SECOND)
    return SimpleNamespace(stamp=time, frame_id=frame)


def _pose(position, orientation, variance):
    pose = SimpleNamespace(position=xyz(position), orientation=xyz(orientation))
    return SimpleNamespace(pose=pose, covariance=covariance(variance))


def _twist(linear, angular, variance):
    twist = SimpleNamespace(linear=xyz(linear), angular=xyz(angular))
    return SimpleNamespace(twist=twist, covariance=covariance(variance))


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
        pose=_pose(position, orientation, pose_variance),
        twist=_twist(linear, angular, twist_variance),
    )


def pose(stamp, *, position=(0, 0, 0), orientation=(0, 0, 0, 1), variance=(0.1,) * 6, frame="odom"):
    return SimpleNamespace(header=header(stamp, frame), pose=_pose(position, orientation, variance))


def twist(stamp, *, linear=(0, 0, 0), angular=(0, 0, 0), variance=(0.1,) * 6, frame="base_link"):
    return SimpleNamespace(header=header(stamp, frame), twist=_twist(linear, angular, variance))


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
        orientation_covariance=covariance(orientation_variance),
        angular_velocity=xyz(angular),
        angular_velocity_covariance=covariance(angular_variance),
        linear_acceleration=xyz(acceleration),
        linear_acceleration_covariance=covariance(acceleration_variance),
    )


def fix(stamp, place, *, variance=(1.0, 1.0, 4.0), status=0, covariance_type=2, frame="gps"):
    latitude, longitude, altitude = place
    return SimpleNamespace(
        header=header(stamp, frame),
        status=SimpleNamespace(status=status),
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        position_covariance=covariance(variance),
        position_covariance_type=covariance_type,
    )


def command(speed, rate, stamp=None, frame="base_link"):
    told = SimpleNamespace(linear=xyz((speed, 0, 0)), angular=xyz((0, 0, rate)))
    return told if stamp is None else SimpleNamespace(header=header(stamp, frame), twist=told)


def estimator(*, lookup=None, observer=None, **parameters):
    """An estimator of those parameters; by default odom0 measures vx and vyaw."""
    given = {"odom0": "/odom", "odom0_config": mask("vx", "vyaw")} | parameters
    made, unknown = Estimator.from_parameters(given, observer, lookup)
    assert not unknown
    return made


def with_imu(*names, **parameters):
    parameters = {"static_transforms": [HUSKY]} | parameters
    return estimator(imu0="/imu", imu0_config=mask(*names), **parameters)


def alone(name, names, **parameters):
    """An estimator with one input, which measures the states `names`."""
    given = {name: f"/{name}", f"{name}_config": mask(*names)} | parameters
    made, unknown = Estimator.from_parameters(given)
    assert not unknown
    return made


def feed(made, name, messages, *, period=50 * MS, start=START):
    """Give an input a message a period, each at its own time with a tick, and return the last.

    `messages` are functions of a stamp.
    """
    out, now = None, start
    for k, message in enumerate(messages):
        now = start + k * period
        made.receive(name, message(now), now)
        out = made.to_publish(now) or out
    return out


def dropped(made):
    return dict(made.filter.dropped)


def queued(made):
    return list(made.filter._queue)


class Lines:
    """A log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def warning(self, text):
        self.lines.append(text)

    error = warning
