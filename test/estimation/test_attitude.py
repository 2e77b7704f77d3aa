"""The orientation of an IMU, mounted any way, at any attitude; and the filter through vertical."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, parse_transform
from ebm_mpc_ros.estimation.poses import AttitudePart
from ebm_mpc_ros.estimation.sensors import BadMeasurementError
from ebm_mpc_ros.models import CANONICAL_STATES, load_model, rotation

HUSKY = parse_transform("base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963")[2]
MS = 1_000_000
MODEL = load_model("rigid_body")
RPY = ("roll", "pitch", "yaw")

angles = st.lists(st.floats(-3.1, 3.1), min_size=3, max_size=3).map(np.array)


def quaternion(*rpy):
    return rotation.from_rpy(*np.array(rpy, dtype=float))


def turned(rpy):
    return Transform(np.zeros(3), quaternion(*rpy))


def measured(part, q, covariance=None, mounting=IDENTITY, stamp=0):
    C = np.eye(3) * 0.1 if covariance is None else covariance
    return part.measurement(stamp, np.asarray(q, float), C, mounting)


def apart(measurement, attitude):
    """Return how far the measured attitude is from another."""
    found = quaternion(*measurement.values)
    return rotation.log(rotation.multiply(found, rotation.conjugate(attitude)))


@given(attitude=angles, mounting=angles)
def test_the_attitude_is_the_sensors_without_its_mounting(sensor, attitude, mounting):
    attitude, mounting = quaternion(*attitude), turned(mounting)
    q = rotation.multiply(attitude, mounting.quaternion)
    found = measured(AttitudePart(sensor(*RPY)), q, mounting=mounting)
    np.testing.assert_allclose(apart(found, attitude), 0.0, atol=1e-6)


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-9, 0.5 * np.pi + 0.2])
def test_a_robot_that_points_up_or_down_has_an_attitude_too(sensor, pitch):
    attitude = rotation.multiply(quaternion(0.4, 0.0, 0.0), quaternion(0.0, pitch, 0.0))
    q = rotation.multiply(attitude, HUSKY.quaternion)
    found = measured(AttitudePart(sensor(*RPY)), q, mounting=HUSKY)
    np.testing.assert_allclose(apart(found, attitude), 0.0, atol=1e-7)


@pytest.mark.parametrize("rpy", [(0, 0, 0), (0.3, -0.9, 2.0), (0.0, np.pi / 2 - 0.01, 0.5)])
@pytest.mark.parametrize("mounting", [IDENTITY, HUSKY])
@pytest.mark.parametrize("relative", [False, True])
def test_the_covariance_is_that_of_the_innovation(sensor, spd, derivative, rpy, mounting, relative):
    C, q = spd(3, np.random.default_rng(0)), quaternion(*rpy)
    part = AttitudePart(sensor(*RPY, relative=relative))
    measured(part, mounting.quaternion, np.eye(3), mounting)

    def with_error(about_own_axes):
        own = rotation.multiply(q, mounting.quaternion)
        return measured(part, rotation.multiply(own, rotation.exp(about_own_axes)), C, mounting)

    x = np.concatenate((np.zeros(3), q, np.zeros(9)))
    belief = Belief(x, np.eye(15))
    J = derivative(lambda e: update(MODEL, belief, with_error(e)).innovation, 3)
    np.testing.assert_allclose(with_error(np.zeros(3)).covariance, J @ C @ J.T, atol=1e-5)


def test_the_mask_turns_with_the_yaw_of_the_mounting_alone(sensor):
    sideways, on_its_side = turned((0, 0, np.pi / 2)), turned((np.pi / 2, 0, 0))
    for mounting, masked, fused in (
        (sideways, ("roll",), ["pitch"]),
        (sideways, ("roll", "yaw"), ["pitch", "yaw"]),
        (on_its_side, ("roll", "yaw"), ["roll", "yaw"]),
    ):
        found = measured(AttitudePart(sensor(*masked)), mounting.quaternion, mounting=mounting)
        assert [CANONICAL_STATES[row] for row in found.rows] == fused


@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_what_the_mask_does_not_take_may_be_garbage(sensor, garbage):
    C = np.full((3, 3), garbage)
    C[2, 2] = 0.2
    found = measured(AttitudePart(sensor("yaw")), quaternion(0.1, 0.2, 0.3), C)
    np.testing.assert_allclose(found.values, [0.3])
    np.testing.assert_array_equal(found.covariance, [[0.2]])


def test_an_impossible_orientation_is_refused_with_its_reason(sensor):
    for mode in ({}, {"relative": True}, {"differential": True}):
        part = AttitudePart(sensor(*RPY, **mode))
        for q, C, reason in (
            (np.zeros(4), np.eye(3), "quaternion not of unit length"),
            (np.full(4, np.nan), np.eye(3), "quaternion not finite"),
            (IDENTITY.quaternion, -np.eye(3), "covariance not positive definite"),
            (IDENTITY.quaternion, np.zeros((3, 3)), "variance of roll is 0 and odom0_variance"),
        ):
            with pytest.raises(BadMeasurementError, match=reason):
                measured(part, q, C)
        # None of them was kept as the first or the last.
        found = measured(part, HUSKY.quaternion)
        if part._sensor.relative:
            np.testing.assert_allclose(found.values, 0.0, atol=1e-12)
        if part._sensor.differential:
            assert found is None


def test_a_mask_that_takes_nothing_measures_nothing(sensor):
    assert measured(AttitudePart(sensor("vyaw")), IDENTITY.quaternion) is None
    planar = AttitudePart(sensor("roll", "pitch", model="diff_drive"))
    assert measured(planar, IDENTITY.quaternion) is None


@given(first=angles, second=angles)
def test_relative_attitudes_are_seen_from_the_first(sensor, first, second):
    part = AttitudePart(sensor(*RPY, relative=True))
    first, second = quaternion(*first), quaternion(*second)
    found = measured(part, rotation.multiply(first, HUSKY.quaternion), mounting=HUSKY)
    np.testing.assert_allclose(apart(found, IDENTITY.quaternion), 0.0, atol=1e-6)
    found = measured(part, rotation.multiply(second, HUSKY.quaternion), mounting=HUSKY)
    seen = rotation.multiply(rotation.conjugate(first), second)
    np.testing.assert_allclose(apart(found, seen), 0.0, atol=1e-6)
    part.reset()
    found = measured(part, rotation.multiply(second, HUSKY.quaternion), mounting=HUSKY)
    np.testing.assert_allclose(apart(found, IDENTITY.quaternion), 0.0, atol=1e-6)


@given(start=angles, omega=st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(np.array))
def test_differences_are_the_angular_velocity_about_base_links_axes(sensor, start, omega):
    part, q = AttitudePart(sensor(*RPY, differential=True)), quaternion(*start)
    assert measured(part, rotation.multiply(q, HUSKY.quaternion), mounting=HUSKY) is None
    q = rotation.multiply(q, rotation.exp(omega * 0.1))
    C = np.diag([0.1, 0.2, 0.3])
    found = measured(part, rotation.multiply(q, HUSKY.quaternion), C, HUSKY, 100 * MS)
    assert found.rows == (9, 10, 11)
    np.testing.assert_allclose(found.values, omega, atol=1e-6)
    np.testing.assert_allclose(np.diagonal(found.covariance), [40, 20, 30], atol=1e-4)


def test_a_compass_can_be_used_for_its_rate_alone(sensor):
    part = AttitudePart(sensor("yaw", model="diff_drive", differential=True))
    C = np.diag([np.nan, np.nan, 0.02])
    measured(part, quaternion(0, 0, 3.1), C)
    found = measured(part, quaternion(0, 0, -3.1), C, stamp=200 * MS)
    assert found.rows == (4,)
    np.testing.assert_allclose(found.values, [(2 * np.pi - 6.2) / 0.2])
    np.testing.assert_allclose(found.covariance, [[0.04 / 0.2**2]])
    with pytest.raises(BadMeasurementError, match="stamp not after the previous pose"):
        measured(part, IDENTITY.quaternion, C, stamp=200 * MS)


# Through vertical


def looping(rng, part, *, steps=200, dt=0.02):
    """Pitch through vertical with a gyro and a noisy attitude; yield error, P and steepness."""
    gyro, compass = 0.02, 0.1
    noise = np.diag([1e-6] * 9 + [1e-3] * 3 + [1e-6] * 3)
    start = np.concatenate((np.zeros(3), quaternion(0.0, 0.0, 1.0), np.zeros(9)))
    start[11] = 2.0
    P = np.diag([1e-4] * 3 + [0.04] * 3 + [1e-4] * 3 + [0.01] * 3 + [1e-4] * 3)
    x = MODEL.plus(start, rng.normal(size=15) * np.sqrt(P.diagonal()))
    belief = Belief(start, P)
    for k in range(steps):
        x = MODEL.f(x, np.zeros(0), dt, rng.normal(size=15) * np.sqrt(noise.diagonal() * dt))
        belief = predict(MODEL, belief, np.zeros(0), dt, noise)
        rates = x[10:13] + gyro * rng.normal(size=3)
        z = Measurement(0, "gyro", (9, 10, 11), rates, np.eye(3) * gyro**2)
        belief = update(MODEL, belief, z).belief
        if k % 5 == 0:
            q = rotation.multiply(x[3:7], rotation.exp(compass * rng.normal(size=3)))
            z = measured(part, q, np.eye(3) * compass**2)
            belief = update(MODEL, belief, z).belief
        yield MODEL.minus(x, belief.state), belief.covariance, abs(rotation.matrix(x[3:7])[2, 0])


@pytest.mark.parametrize("masked", [RPY, ("roll", "pitch")])
def test_a_robot_that_pitches_through_vertical_keeps_a_right_estimate(sensor, masked):
    seeds, attitude = 10, slice(3, 6)
    steep, within, nees = [], [], []
    for seed in range(seeds):
        rng, part = np.random.default_rng(seed), AttitudePart(sensor(*masked))
        for error, covariance, climb in looping(rng, part):
            assert np.linalg.eigvalsh(covariance).min() > 0.0
            e, P = error[attitude], covariance[attitude, attitude]
            within.append((np.abs(e) <= 3.0 * np.sqrt(P.diagonal())).all())
            nees.append(e @ np.linalg.solve(P, e))
            steep.append(climb > 0.97)
    within, nees = np.array(within), np.array(nees).reshape(seeds, -1).mean(axis=0)
    assert 200 < np.sum(steep) < 1000
    assert within.mean() > 0.98
    assert within[steep].mean() > 0.96
    low, high = chi2.interval(0.95, 3 * seeds)
    assert np.mean((nees > low / seeds) & (nees < high / seeds)) > 0.8
