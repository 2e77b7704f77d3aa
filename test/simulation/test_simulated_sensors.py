"""The sensors' errors, against the numbers they are set to."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.simulation.sensors import InertialSensor, SensorSettings, WheelOdometry

RADIUS, SEPARATION = 0.08, 0.34
EXACT = SensorSettings(left_wheel_scale_error=0.0, right_wheel_scale_error=0.0)


def roll(odometry, left, right, samples):
    """Roll both wheels evenly to these path lengths in m and return all samples."""
    ends = np.array([left, right]) / RADIUS
    return [odometry.measure(k / 50.0, ends * k / samples) for k in range(1, samples + 1)]


@pytest.fixture(scope="module")
def inertial_errors():
    imu = InertialSensor(SensorSettings(), np.random.default_rng(1))
    rate, force = np.array([0.1, -0.2, 0.3]), np.array([1.0, 2.0, 9.81])
    samples = [imu.measure(0.0, rate, force) for _ in range(20_000)]
    return (
        imu,
        np.array([s.angular_velocity for s in samples]) - rate,
        np.array([s.specific_force for s in samples]) - force,
    )


def test_gyro_noise_and_bias_are_as_set(inertial_errors):
    imu, errors, _ = inertial_errors
    np.testing.assert_allclose(np.abs(imu.gyro_bias), 0.002)
    np.testing.assert_allclose(errors.mean(axis=0), imu.gyro_bias, atol=4 * 0.005 / 141)
    np.testing.assert_allclose(errors.std(axis=0), 0.005, rtol=0.02)
    mean_square = (errors**2).mean()
    assert mean_square == pytest.approx(imu.angular_velocity_variance, rel=0.02)


def test_accelerometer_noise_and_bias_are_as_set(inertial_errors):
    imu, _, errors = inertial_errors
    np.testing.assert_allclose(np.abs(imu.accelerometer_bias), 0.05)
    np.testing.assert_allclose(errors.mean(axis=0), imu.accelerometer_bias, atol=4 * 0.05 / 141)
    np.testing.assert_allclose(errors.std(axis=0), 0.05, rtol=0.02)
    mean_square = (errors**2).mean()
    assert mean_square == pytest.approx(imu.specific_force_variance, rel=0.02)


def test_inertial_noise_is_white_and_independent_between_axes(inertial_errors):
    errors = np.hstack(inertial_errors[1:])
    errors = (errors - errors.mean(axis=0)) / errors.std(axis=0)
    bound = 5.0 / math.sqrt(len(errors))
    assert np.abs((errors[1:] * errors[:-1]).mean(axis=0)).max() < bound
    correlation = np.corrcoef(errors.T) - np.eye(6)
    assert np.abs(correlation).max() < bound


def test_the_seed_draws_the_signs_of_the_biases():
    def sign(seed):
        return np.sign(InertialSensor(SensorSettings(), np.random.default_rng(seed)).gyro_bias[2])

    assert {sign(seed) for seed in range(20)} == {-1.0, 1.0}


def test_counts_are_rounded_to_the_nearest():
    odometry = WheelOdometry(EXACT, RADIUS, SEPARATION)
    count = 2.0 * math.pi / 1000
    still = odometry.measure(0.02, np.full(2, 0.49 * count))
    assert still.twist[0] == 0.0
    moved = odometry.measure(0.04, np.full(2, 0.51 * count))
    assert moved.twist[0] == pytest.approx(count * RADIUS * 50.0)


def test_rounding_errors_do_not_add_up():
    samples = roll(WheelOdometry(EXACT, RADIUS, SEPARATION), 10.0, 10.0, 500)
    path = [s.pose[0] for s in samples]
    resolution = 2.0 * math.pi * RADIUS / 1000
    np.testing.assert_allclose(path, 10.0 * np.arange(1, 501) / 500, atol=0.51 * resolution)


def test_rounding_errors_have_the_covariance_stated():
    odometry = WheelOdometry(EXACT, RADIUS, SEPARATION)
    rng = np.random.default_rng(2)
    travelled = np.cumsum(rng.uniform(0.2, 0.6, size=(20_000, 2)), axis=0)
    samples = [odometry.measure(0.0, angles) for angles in travelled]
    paths = np.diff(travelled, axis=0, prepend=0.0) * RADIUS * 50.0
    true = np.column_stack([paths.mean(axis=1), (paths[:, 1] - paths[:, 0]) / SEPARATION])
    errors = np.array([s.twist for s in samples]) - true
    stated = samples[0].twist_covariance
    np.testing.assert_allclose(errors.var(axis=0), stated.diagonal(), rtol=0.05)
    assert stated[0, 1] == pytest.approx(0.0, abs=1e-12)


def test_scale_errors_turn_a_straight_drive_into_an_arc():
    last = roll(WheelOdometry(SensorSettings(), RADIUS, SEPARATION), 5.0, 5.0, 250)[-1]
    turn = 5.0 * (0.99 - 1.01) / SEPARATION
    x, y = 5.0 / turn * math.sin(turn), 5.0 / turn * (1.0 - math.cos(turn))
    np.testing.assert_allclose(last.pose, [x, y, turn], atol=2e-3)
    np.testing.assert_allclose(last.twist, [1.0, turn / 5.0], atol=0.08)


@pytest.mark.parametrize("paths", [(5.0, 5.0), (4.0, 6.0), (-1.0, 1.0)])
def test_the_covariance_of_the_pose_is_that_of_the_scales(paths):
    def pose(left, right):
        settings = SensorSettings(left_wheel_scale_error=left, right_wheel_scale_error=right)
        return roll(WheelOdometry(settings, RADIUS, SEPARATION), *paths, 250)[-1].pose

    left = (pose(0.011, -0.01) - pose(0.009, -0.01)) / 0.002
    right = (pose(0.01, -0.009) - pose(0.01, -0.011)) / 0.002
    expected = 0.01**2 * (np.outer(left, left) + np.outer(right, right))
    last = roll(WheelOdometry(SensorSettings(), RADIUS, SEPARATION), *paths, 250)[-1]
    np.testing.assert_allclose(last.pose_covariance, expected, rtol=0.03, atol=1e-5)
    np.testing.assert_array_equal(last.pose_covariance, last.pose_covariance.T)
    assert np.linalg.eigvalsh(last.pose_covariance).min() > 0.0


def test_the_odometry_begins_in_its_start():
    odometry = WheelOdometry(EXACT, RADIUS, SEPARATION, (1.0, 2.0, math.pi / 2))
    last = roll(odometry, 1.0, 1.0, 50)[-1]
    np.testing.assert_allclose(last.pose, [1.0, 3.0, math.pi / 2], atol=1e-3)


def test_the_heading_stays_within_half_a_turn():
    last = roll(WheelOdometry(EXACT, RADIUS, SEPARATION), -0.6, 0.6, 100)[-1]
    assert last.pose[2] == pytest.approx(1.2 / SEPARATION - 2.0 * math.pi, abs=3e-3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gyro_sigma", -1.0),
        ("accelerometer_bias", math.nan),
        ("left_wheel_scale_error", -1.0),
        ("encoder_counts", 0),
        ("imu_rate", 0.0),
    ],
)
def test_settings_out_of_range_name_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        SensorSettings(**{field: value})
