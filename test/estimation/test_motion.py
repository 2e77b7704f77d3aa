"""Velocities and accelerations from the sensor's frame to base_link."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.biases import WithBiases
from ebm_mpc_ros.estimation.ekf import Belief, update
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, parse_transform
from ebm_mpc_ros.estimation.motion import AccelerationPart, GyroPart, TwistPart, bias_names
from ebm_mpc_ros.estimation.sensors import BadMeasurementError
from ebm_mpc_ros.models import CANONICAL_STATES, load_model, rotation

HUSKY = parse_transform("base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963")[2]
STAMP = 123
GRAVITY = 9.80665
PARTS = [(TwistPart, 6), (GyroPart, 3), (AccelerationPart, 3)]

positions = st.lists(st.floats(-2, 2), min_size=3, max_size=3)
rates = st.lists(st.floats(-3, 3), min_size=3, max_size=3)
angles = st.lists(st.floats(-3, 3), min_size=3, max_size=3)


def innovation(model, x, measurement):
    """Return what the filter makes of a measurement at state x."""
    return update(model, Belief(x, np.eye(len(model.state_names))), measurement).innovation


def state(model, **outputs):
    values = np.array([float(outputs.get(name, 0.0)) for name in model.output_names])
    return np.asarray(model.state(values))


@pytest.mark.parametrize(("part", "size"), PARTS)
def test_a_mask_that_takes_nothing_measures_nothing(sensor, part, size):
    found = part(sensor("x")).measurement(STAMP, np.ones(size), np.eye(size), HUSKY)
    assert found is None


@pytest.mark.parametrize(
    ("part", "size", "threshold"),
    [(TwistPart, 6, 3.0), (GyroPart, 3, 3.0), (AccelerationPart, 3, 4.0)],
)
def test_each_kind_has_its_rejection_threshold_stamp_and_source(sensor, part, size, threshold):
    settings = sensor(
        *CANONICAL_STATES,
        name="imu3",
        pose_threshold=2.0,
        twist_threshold=3.0,
        acceleration_threshold=4.0,
    )
    found = part(settings).measurement(STAMP, np.ones(size), np.eye(size), IDENTITY)
    assert (found.stamp, found.source, found.threshold) == (STAMP, "imu3", threshold)


def test_a_turned_gyro_measures_what_its_axes_say(sensor):
    part = GyroPart(sensor("vroll", "vpitch"))
    found = part.measurement(STAMP, np.array([1.0, 2.0, np.nan]), np.diag([0.1, 0.2, -1]), HUSKY)
    assert [CANONICAL_STATES[row] for row in found.rows] == ["vpitch", "vyaw"]
    np.testing.assert_allclose(found.values, [-1.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(found.covariance, np.diag([0.1, 0.2]), atol=1e-6)


def test_a_twist_turns_both_its_vectors(sensor, spd):
    C = spd(6, np.random.default_rng(0))
    bare = Transform(np.zeros(3), HUSKY.quaternion)
    found = TwistPart(sensor(*CANONICAL_STATES)).measurement(STAMP, np.arange(1.0, 7.0), C, bare)
    np.testing.assert_allclose(found.values, [-3, -1, 2, -6, -4, 5], atol=1e-6)
    both = np.kron(np.eye(2), HUSKY.matrix)
    np.testing.assert_allclose(found.covariance, both @ C @ both.T, atol=1e-12)
    assert found.terms == ()


def test_a_sensor_that_moves_on_the_robot_is_followed(sensor):
    part = GyroPart(sensor("vroll", "vpitch", "vyaw"))
    for mounting in (IDENTITY, HUSKY, IDENTITY):
        found = part.measurement(STAMP, np.array([1.0, 2.0, 3.0]), np.eye(3), mounting)
        np.testing.assert_allclose(found.values, mounting.matrix @ [1, 2, 3], atol=1e-12)


@given(position=positions, omega=rates, velocity=positions, rpy=angles)
def test_a_speed_sensor_off_the_centre_is_explained_by_the_turn(
    sensor, position, omega, velocity, rpy
):
    model, mounting = load_model("rigid_body"), Transform.from_rpy([*position, *rpy])
    back = mounting.matrix.T
    twist = np.concatenate((back @ (velocity + np.cross(omega, position)), back @ omega))
    part = TwistPart(sensor("vx", "vy", "vz"))
    found = part.measurement(STAMP, twist, np.eye(6), mounting)
    x = state(model, **dict(zip(CANONICAL_STATES[6:12], [*velocity, *omega], strict=True)))
    np.testing.assert_allclose(innovation(model, x, found), 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["diff_drive", "omni", "ackermann", "rigid_body"])
def test_a_robot_that_turns_on_the_spot_has_no_speed(sensor, name):
    model, rate = load_model(name), 0.7
    left = Transform.from_rpy([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    part = TwistPart(sensor("vx", model=model))
    found = part.measurement(STAMP, np.array([-0.5 * rate, 0, 0, 0, 0, 0]), np.eye(6), left)
    if name == "ackermann":  # It can't; its wheels at full lock come near.
        x = np.array([0.0, 0.0, 0.0, 1e-3, np.arctan(model.wheelbase * rate / 1e-3)])
        assert innovation(model, x, found) == pytest.approx(-1e-3)
    else:
        assert innovation(model, state(model, vyaw=rate), found) == pytest.approx(0.0)


def test_the_lever_arm_is_the_states_own_turn_and_no_measured_one(sensor):
    ahead = Transform.from_rpy([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    twist = np.array([1.0, 0.5, 0.0, np.nan, np.nan, np.nan])
    model = load_model("rigid_body")
    found = TwistPart(sensor("vy")).measurement(STAMP, twist, np.eye(6), ahead)
    assert innovation(model, state(model, vyaw=0.3), found) == pytest.approx(0.2)


def test_values_that_are_not_finite_are_refused(sensor):
    for part, size in PARTS:
        values = np.zeros(size)
        values[1] = np.nan
        with pytest.raises(BadMeasurementError, match=r"^values not finite$"):
            part(sensor(*CANONICAL_STATES)).measurement(STAMP, values, np.eye(size), IDENTITY)


# Gravity


@given(rpy=angles, motion=rates)
def test_the_messages_attitude_says_where_gravity_points(sensor, rpy, motion):
    attitude = rotation.from_rpy(*np.array(rpy))
    force = np.array(motion) + rotation.matrix(attitude).T @ [0.0, 0.0, GRAVITY]
    part = AccelerationPart(sensor("ax", "ay", "az", remove_gravity=True))
    level = Transform(np.zeros(3), HUSKY.quaternion)
    found = part.measurement(STAMP, HUSKY.matrix.T @ force, np.eye(3), level, attitude)
    np.testing.assert_allclose(found.values, motion, atol=1e-9)
    assert found.terms == ()


@given(rpy=angles, motion=rates, turn=rates)
def test_without_one_gravity_goes_by_the_estimate(sensor, rpy, motion, turn):
    model = load_model("rigid_body")
    outputs = dict(zip(CANONICAL_STATES[3:6], rpy, strict=True))
    outputs |= dict(zip(CANONICAL_STATES[9:], [*turn, *motion], strict=True))
    up = rotation.matrix(rotation.from_rpy(*np.array(rpy)))[2]
    whirl = np.cross(turn, np.cross(turn, HUSKY.translation))
    force = HUSKY.matrix.T @ (np.array(motion) + up * GRAVITY + whirl)
    part = AccelerationPart(sensor("ax", "ay", "az", remove_gravity=True))
    found = part.measurement(STAMP, force, np.eye(3), HUSKY, None)
    error = innovation(model, state(model, **outputs), found)
    np.testing.assert_allclose(error, 0.0, atol=1e-9)


def test_gravity_stays_where_it_is_not_to_be_removed(sensor):
    part = AccelerationPart(sensor("az"))
    for attitude in (None, IDENTITY.quaternion):
        found = part.measurement(STAMP, np.array([0, 0, 9.8]), np.eye(3), IDENTITY, attitude)
        np.testing.assert_array_equal(found.values, [9.8])
        assert found.terms == ()


def test_the_strength_of_gravity_is_a_setting(sensor):
    part = AccelerationPart(sensor("az", remove_gravity=True, gravity=1.62))
    force = np.array([0.0, 0.0, 1.62])
    found = part.measurement(STAMP, force, np.eye(3), IDENTITY, IDENTITY.quaternion)
    np.testing.assert_array_equal(found.values, [0.0])
    found = part.measurement(STAMP, force, np.eye(3), IDENTITY, None)
    model = load_model("rigid_body")
    assert innovation(model, state(model), found) == pytest.approx(0.0)


# Biases


@pytest.mark.parametrize(
    ("part", "of", "masked"),
    [
        (GyroPart, "gyro", ("vroll", "vpitch", "vyaw")),
        (AccelerationPart, "accelerometer", ("ax", "ay", "az")),
    ],
)
def test_a_bias_is_measured_in_the_sensors_axes(sensor, part, of, masked):
    model = WithBiases(load_model("rigid_body"), bias_names("imu0", of))
    bias = np.array([0.1, -0.2, 0.3])
    x = state(model, **dict(zip(bias_names("imu0", of), bias, strict=True)))
    level = Transform(np.zeros(3), HUSKY.quaternion)
    own = part(sensor(*masked, model=model, name="imu0"))
    found = own.measurement(STAMP, bias, np.eye(3), level)
    np.testing.assert_allclose(innovation(model, x, found), 0.0, atol=1e-12)
    other = part(sensor(*masked, model=model, name="imu1"))
    assert other.measurement(STAMP, bias, np.eye(3), level).terms == ()


def test_a_planar_robots_bias_is_that_of_the_axis_that_points_up(sensor):
    model = WithBiases(load_model("diff_drive"), bias_names("imu0", "gyro"))
    part = GyroPart(sensor("vroll", "vpitch", "vyaw", model=model, name="imu0"))
    found = part.measurement(STAMP, np.array([0.0, 0.02, 0.0]), np.eye(3), HUSKY)
    x = state(model, imu0_gyro_y=0.02)
    assert found.rows == (4,)
    assert innovation(model, x, found) == pytest.approx(0.0)
