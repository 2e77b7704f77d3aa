"""Poses as they are, as seen from the first, and by their rate of change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.ekf import Belief, update
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform
from ebm_mpc_ros.estimation.poses import PosePart
from ebm_mpc_ros.estimation.sensors import BadMeasurementError
from ebm_mpc_ros.models import CANONICAL_STATES, load_model, rotation

MS = 1_000_000
POSE, TWIST = CANONICAL_STATES[:6], CANONICAL_STATES[6:12]
FRAME = Transform.from_rpy([10.0, -3.0, 2.0, 0.3, -0.2, 1.9])
BODY = Transform.from_rpy([-0.4, 0.2, 0.1, 0.2, 0.1, -0.7])
MODEL = load_model("rigid_body")

places = st.lists(st.floats(-3, 3), min_size=6, max_size=6).map(Transform.from_rpy)


def measured(part, pose, covariance=None, frame=IDENTITY, body=IDENTITY, stamp=0):
    C = np.eye(6) * 0.1 if covariance is None else covariance
    return part.measurement(stamp, pose.translation, pose.quaternion, C, frame, body)


def at(measurement):
    """Return the pose that is measured."""
    assert measurement.rows == tuple(range(6))
    return Transform.from_rpy(measurement.values)


def apart(a, b):
    """Return how far two poses are from each other (6,)."""
    turn = rotation.multiply(a.quaternion, rotation.conjugate(b.quaternion))
    return np.concatenate((a.translation - b.translation, rotation.log(turn)))


def shaken(pose, noise):
    """Return a pose with an error (6,) along and about the axes of its frame."""
    turned = rotation.multiply(rotation.exp(noise[3:]), pose.quaternion)
    return Transform(pose.translation + noise[:3], np.asarray(turned))


def innovation(measurement, pose):
    """Return the innovation of a measurement in a robot at `pose`."""
    x = np.concatenate((pose.translation, pose.quaternion, np.zeros(9)))
    return update(MODEL, Belief(x, np.eye(15)), measurement).innovation


# Absolute


@given(pose=places, frame=places)
def test_a_pose_is_moved_into_the_world(sensor, pose, frame):
    found = measured(PosePart(sensor(*POSE)), pose, frame=frame)
    np.testing.assert_allclose(apart(at(found), frame @ pose), 0.0, atol=1e-7)


@given(pose=places, frame=places, body=places)
def test_the_pose_of_another_body_is_that_of_base_link_with_their_offset(sensor, pose, frame, body):
    found = measured(PosePart(sensor(*POSE)), pose, frame=frame, body=body)
    np.testing.assert_allclose(apart(at(found), frame @ pose @ body), 0.0, atol=1e-7)


@pytest.mark.parametrize("frame", [IDENTITY, FRAME])
@pytest.mark.parametrize("body", [IDENTITY, BODY])
@pytest.mark.parametrize("relative", [False, True])
def test_the_covariance_is_that_of_the_innovation(sensor, spd, derivative, frame, body, relative):
    rng = np.random.default_rng(1)
    C, pose = spd(6, rng), Transform.from_rpy(rng.normal(size=6))
    part = PosePart(sensor(*POSE, relative=relative))
    if relative:
        measured(part, Transform.from_rpy(rng.normal(size=6)), C, frame, body)
    exact = measured(part, pose, C, frame, body)
    true = at(exact)

    def noisy(noise):
        return innovation(measured(part, shaken(pose, noise), C, frame, body), true)

    J = derivative(noisy, 6)
    np.testing.assert_allclose(exact.covariance, J @ C @ J.T, atol=1e-5)


def test_a_body_far_ahead_moves_sideways_when_the_heading_is_off(sensor):
    C = np.diag([0.1, 0.2, 0.3, 1e-4, 1e-4, 0.01])
    ahead = Transform.from_rpy([3.0, 0, 0, 0, 0, 0])
    found = measured(PosePart(sensor("x", "y", "yaw")), IDENTITY, C, body=ahead)
    expected = [[0.1, 0, 0], [0, 0.2 + 9 * 0.01, 3 * 0.01], [0, 3 * 0.01, 0.01]]
    np.testing.assert_allclose(found.covariance, expected, atol=1e-12)


def test_the_mask_turns_with_the_frame(sensor):
    quarter = Transform.from_rpy([0, 0, 0, 0, 0, np.pi / 2])
    found = measured(PosePart(sensor("x", "roll")), IDENTITY, frame=quarter)
    assert [CANONICAL_STATES[row] for row in found.rows] == ["y", "pitch"]


@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_what_the_mask_does_not_take_may_be_garbage(sensor, garbage):
    C = np.full((6, 6), garbage)
    C[0, 0], C[5, 5], C[0, 5], C[5, 0] = 0.1, 0.2, 0.0, 0.0
    part = PosePart(sensor("x"))
    found = part.measurement(0, np.array([1.0, garbage, garbage]), np.full(4, garbage), C, IDENTITY)
    np.testing.assert_array_equal(found.values, [1.0])
    np.testing.assert_array_equal(found.covariance, [[0.1]])
    part = PosePart(sensor("yaw"))
    found = part.measurement(0, np.full(3, garbage), IDENTITY.quaternion, C, IDENTITY)
    np.testing.assert_array_equal(found.covariance, [[0.2]])


def test_a_planar_robot_takes_what_it_has(sensor):
    found = measured(PosePart(sensor(*POSE, model="diff_drive")), FRAME)
    np.testing.assert_allclose(found.values, [10.0, -3.0, 1.9])
    assert found.rows == (0, 1, 2)


def test_a_frame_that_moves_is_followed(sensor):
    part = PosePart(sensor(*POSE))
    for frame in (IDENTITY, FRAME, BODY):
        found = measured(part, BODY, frame=frame)
        np.testing.assert_allclose(apart(at(found), frame @ BODY), 0.0, atol=1e-7)


@pytest.mark.parametrize("mode", [{}, {"relative": True}, {"differential": True}])
def test_an_impossible_pose_is_refused_with_its_reason(sensor, mode):
    part, fine = PosePart(sensor(*POSE, **mode)), np.eye(6)
    nowhere, none = np.array([0.0, np.nan, 0.0]), np.zeros(4)
    for position, q, C, reason in (
        (nowhere, IDENTITY.quaternion, fine, "values not finite"),
        (np.zeros(3), none, fine, "quaternion not of unit length"),
        (np.zeros(3), IDENTITY.quaternion, -fine, "covariance not positive definite"),
        (np.zeros(3), IDENTITY.quaternion, np.full((6, 6), np.inf), "covariance not finite"),
    ):
        for body in (IDENTITY, BODY):
            with pytest.raises(BadMeasurementError, match=f"^{reason}$"):
                part.measurement(0, position, q, C, IDENTITY, body)


def test_a_mask_that_takes_nothing_measures_nothing(sensor):
    for mode in ({}, {"relative": True}, {"differential": True}):
        assert measured(PosePart(sensor("vx", **mode)), IDENTITY) is None
        assert measured(PosePart(sensor("z", model="omni", **mode)), IDENTITY) is None


# Relative


@given(first=places, pose=places, body=places)
def test_the_first_of_relative_poses_is_the_origin(sensor, first, pose, body):
    part = PosePart(sensor(*POSE, relative=True))
    found = measured(part, first, frame=FRAME, body=body)
    np.testing.assert_allclose(apart(at(found), FRAME), 0.0, atol=1e-7)
    found = measured(part, pose, frame=FRAME, body=body)
    seen = FRAME @ (first @ body).inverse() @ pose @ body
    np.testing.assert_allclose(apart(at(found), seen), 0.0, atol=1e-7)


def test_relative_covariances_turn_with_the_first_pose(sensor):
    C = np.diag([0.1, 0.4, 1, 1, 1, 0.5])
    part = PosePart(sensor("x", "y", "yaw", relative=True))
    quarter = Transform.from_rpy([5.0, 6.0, 0, 0, 0, np.pi / 2])
    measured(part, quarter, C)
    found = measured(part, quarter @ Transform.from_rpy([1.0, 2.0, 0, 0, 0, 0.3]), C)
    np.testing.assert_allclose(found.values, [1.0, 2.0, 0.3])
    np.testing.assert_allclose(found.covariance, np.diag([0.4, 0.1, 0.5]), atol=1e-12)


def test_the_mask_of_relative_poses_is_in_the_axes_of_the_frame(sensor):
    part = PosePart(sensor("x", relative=True))
    quarter = Transform.from_rpy([0, 0, 0, 0, 0, np.pi / 2])
    assert measured(part, quarter).rows == (0,)
    part.reset()
    assert measured(part, quarter, frame=quarter).rows == (1,)


def test_what_was_refused_is_no_origin(sensor):
    part = PosePart(sensor(*POSE, relative=True))
    with pytest.raises(BadMeasurementError):
        measured(part, FRAME, -np.eye(6))
    np.testing.assert_allclose(measured(part, BODY).values, 0.0, atol=1e-12)


def test_after_a_reset_the_next_pose_is_the_origin(sensor):
    part = PosePart(sensor(*POSE, relative=True))
    measured(part, FRAME)
    part.reset()
    np.testing.assert_allclose(measured(part, BODY).values, 0.0, atol=1e-12)


# Differential


def twist_of(rng):
    return rng.normal(size=3), rng.normal(size=3)


def after(pose, velocity, omega, dt):
    """Return where a constant twist of the body leads, in many small steps."""
    steps = 2000
    small = Transform(velocity * dt / steps, np.asarray(rotation.exp(omega * dt / steps)))
    for _ in range(steps):
        pose = pose @ small
    return pose


@pytest.mark.parametrize("body", [IDENTITY, BODY])
@pytest.mark.parametrize("frame", [IDENTITY, FRAME])
def test_differences_are_the_twist_of_base_link(sensor, body, frame):
    velocity, omega = twist_of(np.random.default_rng(2))
    part = PosePart(sensor(*POSE, differential=True))
    start = Transform.from_rpy(np.random.default_rng(3).normal(size=6))
    there = after(start, velocity, omega, 0.5)
    back = body.inverse()
    assert measured(part, start @ back, frame=frame, body=body) is None
    found = measured(part, there @ back, frame=frame, body=body, stamp=500 * MS)
    assert found.rows == tuple(range(6, 12))
    np.testing.assert_allclose(found.values, [*velocity, *omega], atol=1e-3)


def test_a_circle_is_driven_without_slipping_sideways(sensor):
    part = PosePart(sensor("x", "y", "yaw", model="omni", differential=True))
    for k in range(3):
        turn = 0.3 * k
        on = [2 * np.sin(turn), 2 - 2 * np.cos(turn), 0, 0, 0, turn]
        found = measured(part, Transform.from_rpy(on), stamp=200 * MS * k)
    np.testing.assert_allclose(found.values, [3.0, 0.0, 1.5], atol=1e-12)


def test_the_covariances_of_both_poses_turn_into_the_first_body_over_dt_squared(sensor):
    first, second = np.diag([0.1, 0.4, 1, 1, 1, 0.5]), np.diag([0.2, 0.3, 1, 1, 1, 0.25])
    part = PosePart(sensor("x", "y", "yaw", differential=True))
    turned = Transform.from_rpy([5.0, 6.0, 0, 0, 0, 0.5])
    measured(part, turned, first)
    found = measured(part, IDENTITY, second, stamp=500 * MS)
    R = turned.matrix
    expected = R.T @ np.diag([0.3, 0.7, 0.75]) @ R * 4.0
    np.testing.assert_allclose(found.covariance, expected, atol=1e-12)


def test_the_mask_of_differences_is_in_the_bodys_axes(sensor):
    part = PosePart(sensor("x", "yaw", differential=True))
    turned = Transform.from_rpy([0, 0, 0, 0, 0, 1.0])
    measured(part, turned)
    assert measured(part, turned, stamp=MS).rows == (6, 11)
    # The body's x is base_link's z, its z base_link's y.
    around = Transform(np.zeros(3), np.full(4, 0.5))
    measured(part, turned, body=around, stamp=2 * MS)
    assert measured(part, turned, body=around, stamp=3 * MS).rows == (8, 10)


@pytest.mark.parametrize("stamp", [0, -MS])
def test_time_that_does_not_go_on_gives_no_rate(sensor, stamp):
    part = PosePart(sensor("x", differential=True))
    measured(part, IDENTITY)
    with pytest.raises(BadMeasurementError, match="stamp not after the previous pose"):
        measured(part, FRAME, stamp=stamp)
    moved = Transform.from_rpy([0.5, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(measured(part, moved, stamp=100 * MS).values, [5.0])


def test_what_was_refused_is_no_previous_pose(sensor):
    part = PosePart(sensor("x", differential=True))
    for k, C in enumerate((-np.eye(6), np.eye(6), -np.eye(6), np.eye(6))):
        pose = Transform.from_rpy([0.1 * k, 0, 0, 0, 0, 0])
        if C[0, 0] < 0:
            with pytest.raises(BadMeasurementError):
                measured(part, pose, C, stamp=100 * MS * k)
        else:
            found = measured(part, pose, C, stamp=100 * MS * k)
    np.testing.assert_allclose(found.values, [1.0])
    np.testing.assert_allclose(found.covariance, [[2.0 / 0.2**2]])


def test_a_pose_that_does_not_go_with_the_last_one_starts_anew(sensor):
    part = PosePart(sensor("x", model="diff_drive", differential=True))
    across, along = np.diag([np.nan, 0.1, 1, 1, 1, 1]), np.diag([0.1, np.nan, 1, 1, 1, 1])
    quarter = Transform.from_rpy([0, 0, 0, 0, 0, np.pi / 2])
    measured(part, IDENTITY, along)
    with pytest.raises(BadMeasurementError, match="covariance not finite"):
        measured(part, quarter, across, stamp=MS)
    assert measured(part, quarter, across, stamp=2 * MS) is not None


def test_after_a_reset_there_is_no_difference_to_the_past(sensor):
    part = PosePart(sensor("x", differential=True))
    measured(part, FRAME)
    part.reset()
    assert measured(part, IDENTITY, stamp=MS) is None
