"""reset, enable, toggle and set_pose."""

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    UPRIGHT,
    alone,
    dropped,
    estimator,
    feed,
    imu,
    mask,
    odometry,
    pose,
    queued,
    with_imu,
)

from ebm_mpc_ros.models import rotation

AHEAD = [lambda stamp: odometry(stamp, linear=(1, 0, 0))]


def test_reset_starts_over():
    made = estimator(input_timeout=0.5)
    feed(made, "odom0", AHEAD * 20)
    made.reset()
    now = START + SECOND
    assert made.to_publish(now) is None
    assert made.states["odom0"].received == 0
    out = feed(made, "odom0", [lambda s: odometry(s, linear=(3, 0, 0))], start=now)
    assert out.linear[0] == 3.0
    np.testing.assert_allclose(out.position, 0.0)


def test_after_a_reset_older_stamps_are_taken_again():
    made = estimator()
    feed(made, "odom0", AHEAD * 3)
    made.reset()
    made.receive("odom0", odometry(START), START + 200 * MS)
    assert dropped(made) == {}
    assert made.to_publish(START + 200 * MS) is not None


def test_after_a_reset_relative_poses_begin_anew():
    made = alone("odom0", ["x", "y", "z", "roll", "pitch", "yaw"], odom0_relative=True)
    feed(made, "odom0", [lambda s: odometry(s, position=(5, 0, 0))] * 3)
    made.reset()
    out = feed(made, "odom0", [lambda s: odometry(s, position=(9, 0, 0))], start=START + SECOND)
    np.testing.assert_allclose(out.position, 0.0, atol=1e-9)


def test_disabled_at_startup_nothing_is_taken_until_it_is_enabled():
    made = estimator(disabled_at_startup=True)
    assert feed(made, "odom0", AHEAD * 5) is None
    assert made.states["odom0"].received == 0
    made.enable()
    out = feed(made, "odom0", AHEAD, start=START + SECOND)
    assert out.linear[0] == 1.0


def test_switched_off_the_estimate_stays_and_its_stamp_goes_on():
    made = estimator()
    before = feed(made, "odom0", AHEAD * 20)
    assert made.toggle(on=False)
    assert not made.toggle(on=False)
    now = START + SECOND
    held = feed(made, "odom0", [lambda s: odometry(s, linear=(9, 0, 0))] * 20, start=now)
    assert held.stamp == now + 950 * MS
    np.testing.assert_array_equal(held.position, before.position)
    np.testing.assert_array_equal(held.linear, before.linear)
    assert made.toggle(on=True)
    after = feed(made, "odom0", AHEAD, start=now + 960 * MS)
    np.testing.assert_allclose(after.position[0] - before.position[0], 0.01, atol=1e-3)


def test_a_pose_that_is_set_is_where_the_estimate_goes_on_at_rest():
    made = estimator(odom0_config=mask("x", "vx"))
    feed(made, "odom0", AHEAD * 20)
    now = START + SECOND
    facing = rotation.from_rpy(*np.array([0.1, 0.2, 2.0]))
    variance = (0.5, 0.6, 0.7, 0.01, 0.02, 0.03)
    message = pose(now, position=(7, 8, 9), orientation=facing, variance=variance)
    assert made.set_pose(message, now + 10 * MS) == ""
    out = made.to_publish(now + 10 * MS)
    assert out.stamp == now + 10 * MS
    np.testing.assert_allclose(out.position, [7, 8, 9])
    np.testing.assert_allclose(out.quaternion, facing, atol=1e-9)
    np.testing.assert_array_equal(out.linear, 0.0)
    np.testing.assert_allclose(out.pose_covariance.diagonal()[:3], variance[:3])
    np.testing.assert_allclose(out.twist_covariance, np.eye(6) * 1e-6)


def test_the_covariance_of_a_set_attitude_keeps_its_axes_of_the_world():
    made = estimator()
    facing = rotation.from_rpy(*np.array([0.0, 0.0, 1.0]))
    variance = (0.1, 0.1, 0.1, 0.01, 0.04, 0.09)
    made.set_pose(pose(START, orientation=facing, variance=variance), START)
    covariance = made.to_publish(START).pose_covariance
    np.testing.assert_allclose(covariance[3:, 3:], np.diag(variance[3:]), atol=1e-12)


def test_messages_up_to_a_set_pose_are_old():
    made = with_imu("yaw", "vyaw")
    made.set_pose(pose(START), START)
    for stamp in (START - MS, START):
        made.receive("odom0", odometry(stamp), START + MS)
        made.receive("imu0", imu(stamp), START + MS)
    assert dropped(made) == {
        ("odom0", "stamp not after set_pose"): 2,
        ("imu0", "stamp not after set_pose"): 2,
    }
    assert set(made.stamp_problems) == {"odom0_timestamp", "imu0_timestamp"}
    made.receive("odom0", odometry(START + MS), START + MS)
    assert len(queued(made)) == 1


def test_what_was_queued_or_remembered_before_a_set_pose_is_forgotten():
    made = alone("odom0", ["x", "y", "z", "roll", "pitch", "yaw"], odom0_differential=True)
    feed(made, "odom0", [odometry] * 3)
    made.receive("odom0", odometry(START + 200 * MS, position=(1, 0, 0)), START + 200 * MS)
    assert queued(made)
    made.set_pose(pose(START + 200 * MS, position=(5, 0, 0)), START + 200 * MS)
    assert queued(made) == []
    message = [lambda s: odometry(s, position=(100, 0, 0))]
    out = feed(made, "odom0", message, start=START + 250 * MS)
    np.testing.assert_allclose(out.position, [5, 0, 0], atol=1e-6)
    np.testing.assert_allclose(out.linear, 0.0, atol=1e-6)


def test_a_set_pose_without_a_covariance_is_sure():
    made = estimator()
    made.set_pose(pose(START, position=(1, 0, 0), variance=(0,) * 6), START)
    out = made.to_publish(START)
    np.testing.assert_allclose(out.pose_covariance, np.eye(6) * 1e-6)


def test_a_set_pose_without_a_stamp_refuses_no_message():
    made = estimator()
    assert made.set_pose(pose(0, position=(1, 0, 0)), START) == ""
    made.receive("odom0", odometry(START), START + MS)
    assert dropped(made) == {}


def test_a_pose_in_another_frame_is_moved_before_it_is_set():
    made = estimator(static_transforms=["odom map 10 0 0 0 0 0"])
    assert made.set_pose(pose(START, position=(1, 0, 0), frame="map"), START) == ""
    np.testing.assert_allclose(made.to_publish(START).position, [11, 0, 0])


def test_a_pose_in_the_robots_own_frame_is_seen_from_where_it_is():
    made = estimator()
    facing = rotation.from_rpy(*np.array([0.0, 0.0, np.pi / 2]))
    made.set_pose(pose(START, position=(5, 0, 0), orientation=facing), START)
    now = START + MS
    assert made.set_pose(pose(now, position=(2, 0, 0), frame="base_link"), now) == ""
    np.testing.assert_allclose(made.to_publish(now).position, [5, 2, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (pose(START, frame="mars"), "no transform from 'mars' to 'odom'"),
        (pose(START, frame="base_link"), "no transform from 'base_link' to 'odom'"),
        (pose(START, orientation=(0, 0, 0, 0)), "quaternion not of unit length"),
        (pose(START, position=(np.nan, 0, 0)), "values not finite"),
        (pose(START, variance=(-1.0,) * 6), "covariance not positive definite"),
        (pose(START + 3600 * SECOND), "stamp in the future"),
    ],
)
def test_a_pose_that_can_not_be_set_changes_nothing_and_says_why(message, reason):
    made = estimator()
    assert made.set_pose(message, START) == reason
    assert dropped(made) == {("set_pose", reason): 1}
    assert made.to_publish(START) is None


def test_a_planar_robot_takes_its_part_of_a_set_pose():
    made = estimator(model="ackermann", odom0_config=mask("vx"))
    feed(made, "odom0", AHEAD * 3)
    facing = rotation.from_rpy(*np.array([0.0, 0.0, 0.5]))
    now = START + SECOND
    made.set_pose(pose(now, position=(1, 2, 3), orientation=facing), now)
    out = made.to_publish(now)
    np.testing.assert_allclose(out.position, [1, 2, 0])
    np.testing.assert_allclose(out.linear, 0.0)
    assert rotation.heading(out.quaternion) == pytest.approx(0.5)


def test_what_is_known_of_biases_outlives_a_set_pose():
    made = with_imu(
        *("yaw", "vyaw"),
        imu0_estimate_gyro_bias=True,
        static_transforms=[UPRIGHT],
        initial_estimate_covariance=[1.0] * 15,
    )
    still = [lambda s: imu(s, angular=(0, 0, 0.05), angular_variance=(1e-4,) * 3)]
    feed(made, "imu0", still * 200)

    def bias():
        belief = made.filter.estimate.belief
        n = made.model.state_names.index("imu0_gyro_z")
        value = made.model.h(belief.state)[made.model.output_names.index("imu0_gyro_z")]
        return value, belief.covariance[n, n]

    before = bias()
    assert before[0] > 0.005
    now = START + 20 * SECOND
    assert made.set_pose(pose(now), now) == ""
    assert bias() == before
