"""What must not reach the state: dropped, counted by input and reason, told."""

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    Lines,
    alone,
    command,
    dropped,
    estimator,
    feed,
    imu,
    mask,
    odometry,
    pose,
    queued,
    twist,
    with_imu,
)

from ebm_mpc_ros.estimation.frames import parse_transform
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.estimator_health import EstimatorHealth

NAN = float("nan")
LOPSIDED = np.eye(6) + 0.5 * np.eye(6, k=5)
INDEFINITE = np.ones((6, 6)) + np.diag([1.0, -0.5, 1.0, 1.0, 1.0, 1.0])
VARIANCES = [
    ((0.0,) * 6, "variance of {first} is 0 and {name}_variance not set"),
    ((-1e-3,) * 6, "covariance not positive definite"),
    ((NAN,) * 6, "covariance not finite"),
    ((np.inf,) * 6, "covariance not finite"),
    (LOPSIDED, "covariance not symmetric"),
    (
        np.ones((6, 6)) + np.diag([1.0, -0.5, 1.0, 1.0, 1.0, 1.0]),
        "covariance not positive definite",
    ),
]


def odom(stamp, given):
    return odometry(stamp, pose_variance=given, twist_variance=given)


def as_imu(stamp, given):
    """An IMU whose three covariances are the last three rows and columns of one for six."""
    part = given[3:] if np.ndim(given) == 1 else np.asarray(given)[:3, :3]
    return imu(
        stamp,
        orientation_variance=part,
        angular_variance=part,
        acceleration_variance=part,
        frame="base_link",
    )


SENDERS = {
    "odom0": (odom, ("x", "y", "z", "roll", "pitch", "yaw"), "x"),
    "odom1": (odom, ("vx", "vy", "vz", "vroll", "vpitch", "vyaw"), "vx"),
    "pose0": (lambda s, c: pose(s, variance=c), ("x", "y", "z", "roll", "pitch", "yaw"), "x"),
    "twist0": (
        lambda s, c: twist(s, variance=c),
        ("vx", "vy", "vz", "vroll", "vpitch", "vyaw"),
        "vx",
    ),
}


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize(("given", "reason"), VARIANCES)
def test_an_impossible_covariance_drops_the_message(name, given, reason):
    send, names, first = SENDERS[name]
    made = alone(name, names)
    made.receive(name, send(START, (0.1,) * 6), START)
    before = made.advance(START)
    for k in (1, 2):
        made.receive(name, send(START + k * MS, given), START + k * MS)
    expected = reason.format(name=name, first=first)
    assert dropped(made) == {(name, expected): 2}
    assert made.states[name].last_problem == expected
    assert made.advance(START + 3 * MS) is before


@pytest.mark.parametrize(
    "names", [("roll", "pitch", "yaw"), ("vroll", "vpitch", "vyaw"), ("ax", "ay", "az")]
)
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ((0.0,) * 6, "variance of {first} is 0 and imu0_variance not set"),
        ((NAN,) * 6, "covariance not finite"),
        ((-2.0,) * 6, "covariance not positive definite"),
        (np.eye(6) + 0.5 * np.eye(6, k=1), "covariance not symmetric"),
    ],
)
def test_an_impossible_covariance_of_an_imu_drops_the_message(names, given, reason):
    made = alone("imu0", names)
    made.receive("imu0", as_imu(START, given), START)
    assert dropped(made) == {("imu0", reason.format(first=names[0])): 1}
    assert queued(made) == []


@pytest.mark.parametrize("size", [0, 9, 35, 37])
def test_a_covariance_of_the_wrong_size_drops_the_message(size):
    made = estimator()
    message = odometry(START)
    message.twist.covariance = np.zeros(size)
    made.receive("odom0", message, START)
    assert dropped(made) == {("odom0", f"covariance has {size} numbers: must have 36"): 1}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: alone("odom0", ["x"]), lambda s: odometry(s, position=(NAN, 0, 0))),
        (lambda: alone("odom0", ["vx"]), lambda s: odometry(s, linear=(np.inf, 0, 0))),
        (lambda: alone("pose0", ["y"]), lambda s: pose(s, position=(0, NAN, 0))),
        (lambda: alone("twist0", ["vyaw"]), lambda s: twist(s, angular=(0, 0, NAN))),
        (
            lambda: alone("imu0", ["vyaw"]),
            lambda s: imu(s, angular=(0, 0, NAN), frame="base_link"),
        ),
        (
            lambda: alone("imu0", ["ax"]),
            lambda s: imu(s, acceleration=(-np.inf, 0, 0), frame="base_link"),
        ),
    ],
)
def test_a_value_that_is_not_finite_drops_the_message(made, message):
    made = made()
    (name,) = made.inputs
    made.receive(name, message(START), START)
    assert dropped(made) == {(name, "values not finite"): 1}


def test_a_value_that_nothing_uses_may_be_anything():
    made = estimator()
    message = odometry(START, position=(NAN,) * 3, linear=(1, NAN, NAN), orientation=(0,) * 4)
    message.pose.covariance[:] = NAN
    made.receive("odom0", message, START)
    assert dropped(made) == {}
    assert len(queued(made)) == 1


def test_a_bad_part_of_a_message_leaves_the_others():
    made = estimator(odom0_config=mask("x", "vx"))
    made.receive("odom0", odometry(START, linear=(NAN, 0, 0)), START)
    (part,) = queued(made)
    assert [made.model.output_names[row] for row in part.rows] == ["x"]
    assert dropped(made) == {("odom0", "values not finite"): 1}


def test_differences_of_poses_need_no_transform_of_their_frame():
    made = estimator(odom0_config=mask("x"), odom0_differential=True)
    for k in range(2):
        stamp = START + k * SECOND
        made.receive("odom0", odometry(stamp, position=(k, 0, 0), frame="nowhere"), stamp)
    assert dropped(made) == {}
    (rate,) = queued(made)
    assert rate.values == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("quaternion", "reason"),
    [
        ((0, 0, 0, 0), "quaternion not of unit length"),
        ((0, 0, 0, 2), "quaternion not of unit length"),
        ((NAN, 0, 0, 1), "quaternion not finite"),
        ((np.inf, 0, 0, 1), "quaternion not finite"),
    ],
)
@pytest.mark.parametrize("name", ["odom0", "pose0", "imu0"])
def test_a_quaternion_that_is_no_rotation_drops_the_message(name, quaternion, reason):
    made = alone(name, ["roll", "pitch", "yaw"])
    send = {"odom0": odometry, "pose0": pose, "imu0": imu}[name]
    frame = "base_link" if name == "imu0" else "odom"
    made.receive(name, send(START, orientation=quaternion, frame=frame), START)
    assert dropped(made) == {(name, reason): 1}


def test_a_quaternion_nearly_of_unit_length_is_made_so():
    made = alone("pose0", ["yaw"])
    made.receive("pose0", pose(START, orientation=(0, 0, 0.68, 0.68)), START)
    out = made.to_publish(START)
    assert np.linalg.norm(out.quaternion) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "names", "message"),
    [
        ("odom0", ["x"], lambda s: odometry(s, frame="mars")),
        ("odom0", ["vx"], lambda s: odometry(s, child="mars")),
        ("pose0", ["x"], lambda s: pose(s, frame="mars")),
        ("twist0", ["vx"], lambda s: twist(s, frame="mars")),
        ("imu0", ["vyaw"], lambda s: imu(s, frame="mars")),
    ],
)
def test_a_frame_that_nobody_knows_drops_the_message(name, names, message):
    made = alone(name, names)
    made.receive(name, message(START), START)
    ((source, reason),) = dropped(made)
    assert source == name
    assert reason.startswith("no transform from 'mars' to '")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (command(NAN, 0.0), "values not finite"),
        (command(1e300, 0.0), "absurdly fast"),
        (command(1.0, 0.0, START + 3600 * SECOND), "stamp in the future"),
        (command(1.0, 0.0, START, frame="map"), "not in base_link"),
    ],
)
def test_a_bad_command_is_dropped_and_counted(message, reason):
    made = estimator(model="diff_drive", use_control=True)
    made.command(message, START)
    assert dropped(made) == {("cmd_vel", reason): 1}


def test_what_is_dropped_is_told_in_the_diagnostics_and_once_in_the_log():
    made, log = with_imu("vyaw"), Lines()
    health = EstimatorHealth(made, log, lambda topic: 1)
    for k in range(5):
        now = START + k * MS
        made.receive("odom0", odometry(now, linear=(NAN, 0, 0)), now)
        made.receive("imu0", imu(now, frame="mars"), now)
        made.receive("imu0", imu(now + 3600 * SECOND), now)
        made.to_publish(now)
        health.watch(now, now)
    assert sorted(log.lines) == [
        "imu0 (/imu): message dropped: no transform from 'mars' to 'base_link'",
        "imu0 (/imu): message dropped: stamp in the future",
        "odom0 (/odom): message dropped: values not finite",
    ]
    figures = health.figures()
    assert figures["odom0 dropped: values not finite"] == 5
    assert figures["imu0 dropped: stamp in the future"] == 5
    assert figures["imu0_timestamp"].startswith("stamp in the future")
    assert "imu0_timestamp" not in health.figures()
    condition = health.condition()
    assert condition.level == Level.ERROR
    assert "odom0 (/odom): values not finite" in condition.message


def test_a_drop_is_no_longer_told_once_it_is_long_past():
    made, log = estimator(), Lines()
    health = EstimatorHealth(made, log, lambda topic: 1)
    feed(made, "odom0", [odometry] * 3)
    made.receive("odom0", odometry(START), START + SECOND)
    health.watch(START + SECOND, START)
    assert health.condition() == (
        Level.WARN,
        "messages dropped, most so far: odom0: stamp repeated",
    )
    health.watch(START + 7 * SECOND, START + 6 * SECOND)
    assert health.condition() == (Level.OK, "estimating")


def test_a_variance_of_zero_that_only_a_tilt_brings_in_is_no_matter():
    tilted = parse_transform("base_link m 0 0 0 0 0.02 0")
    made = estimator(imu0="/imu", imu0_config=mask("vyaw"))
    made.transforms.add(*tilted)
    made.receive("imu0", imu(START, angular_variance=(0, 0, 0.01), frame="m"), START)
    assert dropped(made) == {}
    assert len(queued(made)) == 1


def test_fully_correlated_axes_are_fused():
    made = estimator(odom0_config=mask("x", "y"))
    message = odometry(START)
    message.pose.covariance[[0, 1, 6, 7]] = 1.0
    made.receive("odom0", message, START)
    assert dropped(made) == {}
    assert len(queued(made)) == 1


def test_a_pose_without_attitude_may_be_seen_from_the_first():
    made = estimator(odom0_config=mask("x", "y"), odom0_relative=True)
    for k in range(2):
        message = odometry(START + k * SECOND, position=(5 + k, 0, 0), orientation=(0, 0, 0, 0))
        made.receive("odom0", message, START + k * SECOND)
    assert dropped(made) == {}
    assert queued(made)[-1].values == pytest.approx([1.0, 0.0])
