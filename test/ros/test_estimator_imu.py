"""IMUs: parts that are missing, gravity, mountings, biases."""

import numpy as np
import pytest
from estimating import (
    MS,
    START,
    UPRIGHT,
    alone,
    dropped,
    feed,
    imu,
    mask,
    odometry,
    queued,
    with_imu,
)

from ebm_mpc_ros.estimation.frames import parse_transform
from ebm_mpc_ros.models import CANONICAL_STATES, rotation

GRAVITY = np.array([0, 0, 9.80665])


@pytest.mark.parametrize(
    ("field", "lost"),
    [
        ("orientation_variance", {3, 4, 5}),
        ("angular_variance", {9, 10, 11}),
        ("acceleration_variance", {12, 13, 14}),
    ],
)
def test_a_covariance_that_starts_with_minus_one_leaves_out_that_part(field, lost):
    made = with_imu(*CANONICAL_STATES)
    made.receive("imu0", imu(START, **{field: (-1, 0, 0)}), START)
    rows = {int(row) for part in queued(made) for row in part.rows}
    assert rows == {3, 4, 5, 9, 10, 11, 12, 13, 14} - lost
    assert dropped(made) == {}


def test_masks_are_in_the_axes_of_the_sensor():
    made = with_imu("vroll", "vpitch")
    mounting = made.transforms.lookup("base_link", "imu_link")
    made.receive("imu0", imu(START, angular=mounting.matrix.T @ [1.0, 2.0, 3.0]), START)
    (part,) = queued(made)
    names = [made.model.output_names[row] for row in part.rows]
    assert names == ["vpitch", "vyaw"]
    np.testing.assert_allclose(part.values, [2.0, 3.0], atol=1e-12)


def test_a_rotated_imu_at_rest_feels_no_acceleration_at_any_attitude():
    made = with_imu("ax", "ay", "az", imu0_remove_gravitational_acceleration=True)
    body = rotation.from_rpy(*np.array([0.3, -0.2, 1.0]))
    mounting = made.transforms.lookup("base_link", "imu_link")
    sensor = rotation.multiply(body, mounting.quaternion)
    force = rotation.matrix(sensor).T @ GRAVITY
    made.receive("imu0", imu(START, orientation=sensor, acceleration=force), START)
    np.testing.assert_allclose(queued(made)[0].values, 0.0, atol=1e-12)


def test_without_an_orientation_gravity_goes_by_the_estimate():
    angles = np.array([0.3, -0.2, 1.0])
    made = with_imu(
        *("ax", "ay", "az"),
        imu0_remove_gravitational_acceleration=True,
        initial_state=[0.0] * 3 + angles.tolist() + [0.0] * 9,
    )
    mounting = made.transforms.lookup("base_link", "imu_link")
    body = rotation.from_rpy(*angles)
    force = rotation.matrix(rotation.multiply(body, mounting.quaternion)).T @ GRAVITY

    def message(stamp):
        return imu(stamp, orientation_variance=(-1, 0, 0), acceleration=force)

    out = feed(made, "imu0", [message] * 10)
    np.testing.assert_allclose(made.acceleration(made.published).linear, 0.0, atol=1e-9)
    np.testing.assert_allclose(rotation.to_rpy(out.quaternion), angles, atol=1e-9)


def test_a_relative_orientation_counts_as_the_robots_when_gravity_is_removed():
    made = with_imu(
        "ax", "ay", "az", imu0_remove_gravitational_acceleration=True, imu0_relative=True
    )
    mounting = made.transforms.lookup("base_link", "imu_link")
    body = rotation.from_rpy(*np.array([0.3, -0.2, 1.0]))
    force = rotation.matrix(rotation.multiply(body, mounting.quaternion)).T @ GRAVITY
    made.receive("imu0", imu(START, orientation=body, acceleration=force), START)
    np.testing.assert_allclose(queued(made)[0].values, 0.0, atol=1e-12)


def test_without_removal_gravity_stays_in():
    made = alone("imu0", ["az"])
    feed(made, "imu0", [lambda stamp: imu(stamp, frame="base_link")] * 20)
    assert made.acceleration(made.published).linear[2] == pytest.approx(9.8, abs=0.1)


def test_an_orientation_that_nothing_uses_may_be_garbage():
    made = with_imu("vyaw", "ax")
    message = imu(START, orientation=(0, 0, 0, 0), orientation_variance=(np.nan,) * 3)
    made.receive("imu0", message, START)
    assert dropped(made) == {}
    assert len(queued(made)) == 2


def test_gravity_needs_an_orientation_that_is_one():
    made = with_imu("vyaw", "ax", imu0_remove_gravitational_acceleration=True)
    made.receive("imu0", imu(START, orientation=(0, 0, 0, 2)), START)
    assert dropped(made) == {("imu0", "quaternion not of unit length"): 1}
    (gyro,) = queued(made)
    assert set(gyro.rows) <= {9, 10, 11}


def test_an_orientation_of_zeros_is_none_and_the_filters_own_is_level():
    made = with_imu("vyaw", "ax", imu0_remove_gravitational_acceleration=True)
    made.receive("imu0", imu(START, orientation=(0, 0, 0, 0)), START)
    assert dropped(made) == {}
    assert len(queued(made)) == 2


def test_the_gyro_has_no_lever_arm():
    made = alone("imu0", ["vroll", "vpitch", "vyaw"], static_transforms=["base_link m 1 2 3 0 0 0"])
    made.receive("imu0", imu(START, angular=(0, 0, 2.0), frame="m"), START)
    out = made.to_publish(START)
    np.testing.assert_allclose(out.angular, [0, 0, 2])
    np.testing.assert_allclose(out.linear, 0.0)


BIAS = np.array([0.01, -0.02, 0.03])


def standing(made, ticks, *, speed=0.0, turn=0.0, start=START):
    """Wheels and a biased gyro at 100 Hz; returns the end of it."""
    for k in range(ticks):
        now = start + k * 10 * MS
        made.receive("odom0", odometry(now, linear=(speed, 0, 0)), now)
        made.receive("imu0", imu(now, angular=BIAS + np.array([0, 0, turn])), now)
        made.advance(now)
    return now


def last_rate(made, angular, now):
    made.receive("imu0", imu(now, angular=angular), now)
    (rate,) = queued(made)[-1].values
    return rate


def test_a_gyro_is_calibrated_while_the_robot_stands():
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])
    now = standing(made, 200)
    assert last_rate(made, BIAS + np.array([0, 0, 0.5]), now + MS) == pytest.approx(0.5, abs=1e-12)


def test_what_a_turning_robot_measures_is_no_bias():
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])
    now = standing(made, 200, speed=1.0, turn=0.5)
    assert last_rate(made, BIAS, now + MS) == pytest.approx(BIAS[2])


def test_the_estimate_waits_for_the_calibration_unless_the_robot_moves():
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])
    now = standing(made, 100)
    assert made.to_publish(now) is None
    assert made.held_back(now) == ["imu0 (/imu): measuring its gyro's bias at rest"]
    now = standing(made, 1, speed=0.5, start=now + 10 * MS)
    assert made.held_back(now) == []
    now = standing(made, 150, start=now + 10 * MS)
    assert made.held_back(now) == []


def test_a_calibrated_gyro_starts_its_rest_anew_after_a_reset_and_keeps_its_bias():
    made = with_imu("vyaw", imu0_calibrate_at_rest=True, static_transforms=[UPRIGHT])
    now = standing(made, 50)
    before = last_rate(made, (0, 0, 0.05), now + MS)
    made.reset()
    assert last_rate(made, (0, 0, 0.09), now + 2 * MS) == pytest.approx(before + 0.04)


def test_the_bias_of_a_gyro_is_estimated_beside_a_heading():
    made = with_imu(
        "vyaw",
        imu1="/compass",
        imu1_config=mask("yaw"),
        imu0_estimate_gyro_bias=True,
        static_transforms=[UPRIGHT],
        process_noise_covariance=[1e-4] * 15,
        initial_estimate_covariance=[1.0] * 15,
    )
    for k in range(1000):
        now = START + k * 20 * MS
        heading = rotation.from_rpy(*np.array([0, 0, 0.3 * k * 0.02]))
        compass = imu(now, orientation=heading, orientation_variance=(1e-4,) * 3)
        made.receive("imu1", compass, now)
        if k:
            gyro = imu(now, angular=(0, 0, 0.3 + 0.05), angular_variance=(1e-4,) * 3)
            made.receive("imu0", gyro, now)
        out = made.to_publish(now)
    bias = made.model.output_names.index("imu0_gyro_z")
    belief = made.filter.estimate.belief
    assert made.model.h(belief.state)[bias] == pytest.approx(0.05, abs=2e-3)
    assert out.angular[2] == pytest.approx(0.3, abs=2e-3)
    assert out.pose_covariance.shape == (6, 6)


def test_a_heading_may_count_for_its_rate_alone():
    made = with_imu("yaw", imu0_differential=True, static_transforms=[UPRIGHT])

    def message(stamp):
        heading = rotation.from_rpy(*np.array([0, 0, 2.0 + 0.1 * (stamp - START) * 1e-9]))
        return imu(stamp, orientation=heading, orientation_variance=(1e-8,) * 3)

    out = feed(made, "imu0", [message] * 100)
    assert rotation.heading(out.quaternion) == pytest.approx(0.495, abs=0.02)
    assert out.angular[2] == pytest.approx(0.1, abs=1e-3)


def test_an_imu_away_from_base_link_feels_the_turn():
    text = "base_link imu_link 0.5 0 0 0 0 0"
    made = with_imu("ax", "ay", "vyaw", static_transforms=[text])
    _, _, mounting = parse_transform(text)

    def message(stamp):
        centripetal = -(2.0**2) * mounting.translation
        return imu(
            stamp,
            angular=(0, 0, 2.0),
            acceleration=centripetal,
            angular_variance=(1e-6,) * 3,
            acceleration_variance=(1e-6,) * 3,
        )

    feed(made, "imu0", [message] * 50)
    np.testing.assert_allclose(made.acceleration(made.published).linear, 0.0, atol=0.02)
