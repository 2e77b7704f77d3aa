"""What robot_localization's own tests of its topics ask for, on a clock of the tests' own."""

import math

import numpy as np
import pytest
from estimating import (
    MS,
    START,
    alone,
    dropped,
    feed,
    imu,
    mask,
    odometry,
    pose,
    twist,
)

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.estimator import Estimator

TWIST = ("vx", "vy", "vz", "vroll", "vpitch", "vyaw")
ATTITUDE = ("roll", "pitch", "yaw")
POSE = ("x", "y", "z", *ATTITUDE)
SURE = (1e-6,) * 6
QUARTER = math.pi / 2
# As there: a second of silence is nothing, and poses are trusted to stay where they are.
COMMON = {
    "sensor_timeout": 1000.0,
    "process_noise_covariance": [
        *(1e-6,) * 6,
        *(0.025, 0.025, 0.05, 0.002, 0.002, 0.004, 0.01, 0.01, 0.01),
    ],
}


def interface(name, names, **parameters):
    return alone(name, names, **COMMON, **parameters)


def moving(kind, **values):
    """A message of constant velocity."""
    if kind == "odom2":
        return lambda stamp: odometry(stamp, twist_variance=SURE, **values)
    return lambda stamp: twist(stamp, variance=SURE, **values)


def rpy(out):
    return np.array(rotation.to_rpy(out.quaternion))


def quaternion(*angles):
    return rotation.from_rpy(*np.array(angles, float))


@pytest.mark.parametrize("kind", ["odom0", "pose0"])
def test_only_what_the_mask_takes_of_a_pose_is_fused(kind):
    made = interface(kind, ["x", "z"])
    variance = (2.0, 2.0, 2.0, 0, 0, 0)

    def message(stamp):
        if kind == "odom0":
            return odometry(stamp, position=(20, 10, -40), pose_variance=variance)
        return pose(stamp, position=(20, 10, -40), variance=variance)

    out = feed(made, kind, [message] * 50, period=20 * MS)
    np.testing.assert_allclose(out.position, [20, 0, -40], atol=0.01)
    variances = out.pose_covariance.diagonal()
    assert variances[0] < 0.5
    assert variances[1] < 0.25
    assert variances[2] < 0.6
    assert dropped(made) == {}


@pytest.mark.parametrize("kind", ["odom2", "twist0"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_speed_of_5_for_20_seconds_leads_100_metres_on(kind, axis):
    made = interface(kind, TWIST)
    out = feed(made, kind, [moving(kind, linear=5.0 * np.eye(3)[axis])] * 401)
    np.testing.assert_allclose(out.linear, 5.0 * np.eye(3)[axis], atol=1e-3)
    np.testing.assert_allclose(out.position, 100.0 * np.eye(3)[axis], atol=0.05)


@pytest.mark.parametrize("kind", ["odom2", "twist0"])
def test_a_turn_leads_round_a_quarter_circle(kind):
    made = interface(kind, TWIST)
    out = feed(made, kind, [moving(kind, linear=(1, 0, 0), angular=(0, 0, QUARTER / 5))] * 101)
    radius = 5 / QUARTER
    np.testing.assert_allclose(out.position, [radius, radius, 0], atol=0.01)


@pytest.mark.parametrize("kind", ["odom2", "twist0"])
def test_rolled_onto_its_side_then_pitched_down_a_robot_drives_towards_minus_y(kind):
    made = interface(kind, TWIST)
    out = feed(
        made,
        kind,
        [moving(kind, angular=(-QUARTER / 5, 0, 0))] * 101
        + [moving(kind, angular=(0, QUARTER / 5, 0))] * 100
        + [moving(kind, linear=(3, 0, 0))] * 100,
    )
    np.testing.assert_allclose(out.position, [0, -15, 0], atol=0.3)
    assert out.linear[0] == pytest.approx(3.0, abs=1e-3)
    np.testing.assert_allclose(out.angular, 0.0, atol=1e-3)


def test_an_orientation_is_taken_as_it_is():
    made = interface("imu0", ATTITUDE)
    angles = (math.pi / 4, -math.pi / 4, QUARTER)

    def message(stamp):
        return imu(stamp, orientation=quaternion(*angles), orientation_variance=SURE[:3], frame="")

    out = feed(made, "imu0", [message] * 50, period=20 * MS)
    np.testing.assert_allclose(rpy(out), angles, atol=1e-3)
    assert (out.pose_covariance.diagonal()[3:] < 0.25).all()


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (ATTITUDE, {"orientation": (0.1, 0.2, 0.3, 0.4), "orientation_variance": (-1, 0, 0)}),
        (TWIST[3:], {"angular": (100,) * 3, "angular_variance": (-1, 0, 0)}),
        (("ax", "ay", "az"), {"acceleration": (1000,) * 3, "acceleration_variance": (-1, 0, 0)}),
    ],
)
def test_a_message_without_any_part_that_is_wanted_is_told(names, values):
    made = interface("imu0", names)
    out = feed(made, "imu0", [lambda stamp: imu(stamp, frame="", **values)] * 50, period=20 * MS)
    assert out is None
    ((_, reason),) = dropped(made)
    assert reason.endswith("its covariance begins with -1")


@pytest.mark.parametrize(("axis", "rate"), [(0, math.pi / 2), (1, -math.pi / 3), (2, math.pi / 4)])
def test_an_angular_velocity_for_a_second_turns_by_it(axis, rate):
    made = interface("imu1", TWIST[3:])

    def message(stamp):
        angular = rate * np.eye(3)[axis]
        return imu(stamp, angular=angular, angular_variance=SURE[:3], frame="base_link")

    out = feed(made, "imu1", [message] * 51, period=20 * MS)
    np.testing.assert_allclose(rotation.log(out.quaternion), rate * np.eye(3)[axis], atol=1e-3)
    assert out.twist_covariance[3 + axis, 3 + axis] < 1e-3
    assert out.pose_covariance[3 + axis, 3 + axis] < 0.1


def test_an_acceleration_for_a_second_then_none_moves_on_at_its_speed():
    made = interface("imu2", ("ax", "ay", "az"))

    def message(*acceleration):
        return lambda stamp: imu(
            stamp, acceleration=acceleration, acceleration_variance=SURE[:3], frame="base_link"
        )

    out = feed(made, "imu2", [message(1, -1, 1)] * 51, period=20 * MS)
    np.testing.assert_allclose(out.linear, [1, -1, 1], atol=0.05)
    out = feed(made, "imu2", [message(0, 0, 0)] * 50, period=20 * MS, start=START + 1020 * MS)
    np.testing.assert_allclose(out.position, [1.5, -1.5, 1.5], atol=0.1)


@pytest.mark.parametrize("kind", ["odom1", "pose1"])
def test_differences_of_poses_lead_on_from_where_the_robot_is(kind):
    made = interface(kind, POSE, **{f"{kind}_differential": True})

    def message(place, variance):
        if kind == "odom1":
            return lambda stamp: odometry(stamp, position=place, pose_variance=variance)
        return lambda stamp: pose(stamp, position=place, variance=variance)

    start, step = np.array([20.0, 10.0, -40.0]), np.array([0.01, 0.02, -0.03])
    unsure = (2.0, 2.0, 2.0, 0.2, 0.2, 0.2)
    out = feed(made, kind, [message(start, unsure)] * 10, period=100 * MS)
    np.testing.assert_allclose(out.position, 0.0, atol=1e-9)
    np.testing.assert_allclose(out.quaternion, [0, 0, 0, 1], atol=1e-9)
    steps = [message(start + (k + 1) * step, SURE) for k in range(100)]
    out = feed(made, kind, steps, start=START + 1000 * MS)
    np.testing.assert_allclose(out.position, [1, 2, -3], rtol=0.2)


def test_differences_of_orientations_turn_on_from_where_the_robot_is():
    made, _ = Estimator.from_parameters(
        COMMON
        | {"imu0": "/imu0", "imu0_config": mask(*ATTITUDE)}
        | {"imu1": "/imu1", "imu1_config": mask(*TWIST[3:])}
        | {"imu3": "/imu3", "imu3_config": mask(*ATTITUDE), "imu3_differential": True}
    )

    def message(angles):
        return lambda stamp: imu(
            stamp,
            orientation=quaternion(*angles),
            orientation_variance=(1e-5,) * 3,
            angular_variance=(0.02,) * 3,
            frame="base_link",
        )

    angles = np.array([QUARTER, -math.pi, -math.pi / 4])
    now = START
    for _ in range(10):
        for name in ("imu0", "imu1"):
            made.receive(name, message(angles)(now), now)
        made.to_publish(now)
        now += 100 * MS
    feed(made, "imu3", [message(angles)] * 10, period=100 * MS, start=now)
    turns = [[0, 0, -0.75 * math.pi / 100]] * 100 + [[QUARTER / 100, 0, 0]] * 100
    path = angles + np.cumsum(turns, axis=0)
    out = feed(made, "imu3", [message(at) for at in path], start=now + 1000 * MS)
    np.testing.assert_allclose(rotation.log(out.quaternion), 0.0, atol=0.2)


@pytest.mark.parametrize("kind", ["odom1", "pose1"])
def test_relative_poses_are_seen_from_the_first(kind):
    made = interface(kind, POSE, **{f"{kind}_relative": True})
    yaw = 1.0

    def message(ahead):
        place = np.array([20.0, 10.0, 0.0]) + ahead * np.array([math.cos(yaw), math.sin(yaw), 0])
        values = {"position": place, "orientation": quaternion(0, 0, yaw)}
        if kind == "odom1":
            return lambda stamp: odometry(stamp, pose_variance=SURE, **values)
        return lambda stamp: pose(stamp, variance=SURE, **values)

    out = feed(made, kind, [message(0.0)])
    np.testing.assert_allclose(out.position, 0.0, atol=1e-9)
    out = feed(made, kind, [message(0.1 * k) for k in range(1, 51)], start=START + 50 * MS)
    np.testing.assert_allclose(out.position, [5, 0, 0], atol=0.1)
    np.testing.assert_allclose(rpy(out), 0.0, atol=1e-3)


def test_a_relative_orientation_is_seen_from_the_first():
    made = interface("imu0", ATTITUDE, imu0_relative=True)

    def message(yaw):
        return lambda stamp: imu(
            stamp,
            orientation=quaternion(0, 0, yaw),
            orientation_variance=SURE[:3],
            frame="base_link",
        )

    out = feed(made, "imu0", [message(2.0 + 0.01 * k) for k in range(51)], period=20 * MS)
    np.testing.assert_allclose(rpy(out), [0, 0, 0.5], atol=0.05)
