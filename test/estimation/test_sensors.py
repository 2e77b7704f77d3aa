"""Masks in the sensor's axes, and what a covariance must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.frames import Transform, parse_transform
from ebm_mpc_ros.estimation.sensors import (
    BadMeasurementError,
    Projection,
    SensorSettings,
    planar_constraint,
    unit,
)
from ebm_mpc_ros.models import CANONICAL_STATES, load_model

HUSKY = parse_transform("base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963")[2].matrix
"""Base x is the sensor's -z, base y its -x, base z its y."""
LEVEL = np.eye(3)
RATES, ACCELERATIONS = 9, 12


def names(projection, sensor):
    return [sensor.model.output_names[row] for row in projection.rows]


@pytest.mark.parametrize(
    ("mask", "fused"),
    [
        (("vroll", "vpitch"), ["vpitch", "vyaw"]),
        (("vroll",), ["vpitch"]),
        (("vyaw",), ["vroll"]),
        (("vroll", "vpitch", "vyaw"), ["vroll", "vpitch", "vyaw"]),
        (("ax", "vx"), []),
    ],
)
def test_a_mask_selects_the_axes_of_the_sensor(sensor, mask, fused):
    settings = sensor(*mask)
    assert names(Projection(settings, RATES, HUSKY), settings) == fused


def test_values_and_covariances_turn_with_the_sensor(sensor, spd):
    C = spd(3, np.random.default_rng(0))
    whole = Projection(sensor("ax", "ay", "az"), ACCELERATIONS, HUSKY)
    np.testing.assert_allclose(whole.values(np.array([1.0, 2.0, 3.0])), [-3, -1, 2], atol=1e-6)
    np.testing.assert_allclose(whole.covariance(C), HUSKY @ C @ HUSKY.T, atol=1e-12)
    part = Projection(sensor("ax", "ay"), ACCELERATIONS, HUSKY)
    np.testing.assert_allclose(part.values(np.array([1.0, 2.0, 3.0])), [-1, 2], atol=1e-6)
    expected = (HUSKY @ C @ HUSKY.T)[1:, 1:]
    np.testing.assert_allclose(part.covariance(C), expected, atol=1e-6)


def test_a_tilted_axis_has_a_part_in_two(sensor):
    turned = Transform.from_rpy([0, 0, 0, 0, 0, 0.3]).matrix
    settings = sensor("ax")
    found = Projection(settings, ACCELERATIONS, turned)
    assert names(found, settings) == ["ax", "ay"]
    # The whole vector is turned, and what the mask leaves out of it too.
    np.testing.assert_allclose(
        found.values(np.array([1.0, 2.0, 0.0])),
        [np.cos(0.3) - 2 * np.sin(0.3), np.sin(0.3) + 2 * np.cos(0.3)],
    )


def test_the_mask_can_turn_by_another_rotation_than_the_values(sensor):
    settings = sensor("roll", "pitch")
    found = Projection(settings, 3, HUSKY, mask_rotation=LEVEL)
    assert names(found, settings) == ["roll", "pitch"]
    np.testing.assert_allclose(found.values(np.array([1.0, 2.0, 3.0])), [-3, -1], atol=1e-6)


def test_a_shift_fuses_the_rate_of_what_is_masked(sensor):
    settings = sensor("x", "yaw")
    found = Projection(settings, 0, np.eye(6), shift=6)
    assert names(found, settings) == ["vx", "vyaw"]
    np.testing.assert_array_equal(found.values(np.arange(6.0)), [0.0, 5.0])


def test_a_smaller_model_leaves_out_what_it_lacks(sensor):
    settings = sensor(*CANONICAL_STATES, model="diff_drive")
    assert names(Projection(settings, 6, np.eye(6)), settings) == ["vx", "vyaw"]
    assert Projection(settings, ACCELERATIONS, LEVEL).rows == ()


def test_two_d_mode_leaves_out_what_it_holds_at_zero(sensor):
    settings = sensor(*CANONICAL_STATES, planar=True)
    found = Projection(settings, 0, np.eye(6))
    assert names(found, settings) == ["x", "y", "yaw"]


def test_two_d_mode_measures_zeros():
    model = load_model("rigid_body")
    found = planar_constraint(model, 7)
    held = [model.output_names[row] for row in found.rows]
    assert held == ["z", "roll", "pitch", "vz", "vroll", "vpitch", "az"]
    assert found.stamp == 7
    assert not found.values.any()
    np.testing.assert_array_equal(found.covariance, np.eye(7) * 1e-6)


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1.0, 0.0])
def test_what_the_mask_does_not_take_may_be_garbage(sensor, garbage):
    found = Projection(sensor("ay"), ACCELERATIONS, HUSKY)
    C = np.full((3, 3), garbage)
    C[1, 1] = 0.2
    np.testing.assert_allclose(found.values(np.array([garbage, 7.0, garbage])), [7.0])
    np.testing.assert_allclose(found.covariance(C), [[0.2]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(sensor, bad):
    found = Projection(sensor("ax", "ay"), ACCELERATIONS, HUSKY)
    with pytest.raises(BadMeasurementError, match=r"^values not finite$"):
        found.values(np.array([0.0, bad, 0.0]))


@pytest.mark.parametrize("rotation", [LEVEL, HUSKY])
@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({(1, 1): np.nan}, "covariance not finite"),
        ({(1, 1): np.inf}, "covariance not finite"),
        ({(1, 1): -0.1}, "covariance not positive definite"),
        ({(0, 1): 0.5, (1, 0): 0.5}, "covariance not positive definite"),
        ({(0, 1): 0.05}, "covariance not symmetric"),
        ({(1, 1): 0.0}, "variance of ay is 0 and odom0_variance not set"),
    ],
)
def test_an_impossible_covariance_is_refused_with_its_reason(sensor, rotation, entries, reason):
    found = Projection(sensor("ax", "ay"), ACCELERATIONS, rotation)
    C = np.eye(3) * 0.1
    for at, value in entries.items():
        C[at] = value
    for _ in range(2):
        with pytest.raises(BadMeasurementError, match=f"^{reason}$"):
            found.covariance(C)


def test_a_negative_variance_is_refused_though_it_drowns_in_others(sensor):
    turned = Transform.from_rpy([0, 0, 0, 0, 0, 0.3]).matrix
    found = Projection(sensor("vx", model="diff_drive"), 6, np.kron(np.eye(2), turned))
    with pytest.raises(BadMeasurementError, match="not positive definite"):
        found.covariance(np.diag([0.5, -0.01, 0.1, 0.1, 0.1, 0.1]))


def test_zero_variances_are_replaced_by_the_sensors_own_in_its_axes(sensor):
    variance = np.arange(15.0) + 1.0
    found = Projection(sensor("ax", "ay", default_variance=variance), ACCELERATIONS, HUSKY)
    C = np.diag([0.0, 0.5, 0.0])
    np.testing.assert_allclose(found.covariance(C), np.diag([13.0, 0.5]), atol=1e-5)
    np.testing.assert_array_equal(C, np.diag([0.0, 0.5, 0.0]))


def test_a_rate_by_differences_takes_the_variance_of_its_pose(sensor):
    variance = np.arange(15.0) + 1.0
    found = Projection(sensor("x", "yaw", default_variance=variance), 0, np.eye(6), shift=6)
    np.testing.assert_array_equal(found.covariance(np.zeros((6, 6))), np.diag([1.0, 6.0]))


@given(seed=st.integers(0, 2**32 - 1), yaw=st.floats(-3, 3))
def test_every_covariance_is_its_own(sensor, spd, seed, yaw):
    rng = np.random.default_rng(seed)
    R = Transform.from_rpy([0, 0, 0, 0.3, -0.2, yaw]).matrix
    found = Projection(sensor("ax", "ay", "az"), ACCELERATIONS, R)
    for C in (spd(3, rng), spd(3, rng)):
        np.testing.assert_allclose(found.covariance(C), R @ C @ R.T, atol=1e-12)
        # The same one again, as most sensors send, is not worked out again.
        assert found.covariance(C.copy()) is found.covariance(C)


@pytest.mark.parametrize(
    ("q", "reason"),
    [
        ((0.0, 0.0, 0.0, 0.0), "quaternion not of unit length"),
        ((0.0, 0.0, 0.0, 1.2), "quaternion not of unit length"),
        ((0.0, np.nan, 0.0, 1.0), "quaternion not finite"),
        ((np.inf, 0.0, 0.0, 1.0), "quaternion not finite"),
    ],
)
def test_an_impossible_quaternion_is_refused_with_its_reason(q, reason):
    with pytest.raises(BadMeasurementError, match=f"^{reason}$"):
        unit(np.array(q))


def test_a_quaternion_a_little_off_is_normalised():
    np.testing.assert_allclose(unit(np.array([0.0, 0.0, 0.63, 0.84])), [0, 0, 0.6, 0.8])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mask": (True,) * 14}, "odom0_config has 14 entries: must have 15"),
        ({"pose_threshold": 0.0}, "odom0 pose_threshold = 0.0: must be above 0"),
        ({"twist_threshold": np.nan}, "odom0 twist_threshold = nan"),
        ({"acceleration_threshold": -1.0}, "odom0 acceleration_threshold = -1.0"),
        ({"gravity": np.nan}, "gravity = nan"),
        ({"default_variance": np.ones(6)}, "odom0_variance must be 15 numbers"),
        ({"default_variance": -np.ones(15)}, "odom0_variance must be 15 numbers, at least 0"),
    ],
)
def test_impossible_settings_are_named(changes, named):
    given_ = {"name": "odom0", "model": load_model("rigid_body"), "mask": (True,) * 15} | changes
    with pytest.raises(ValueError, match=named):
        SensorSettings(**given_)
