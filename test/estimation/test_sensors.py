"""From what a sensor says in its own frame to the robot's coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation import sensors
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, parse_transform
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, SensorSettings
from ebm_mpc_ros.models import CANONICAL_STATES, load_model, rotation

HUSKY = parse_transform("base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963")[2]
STAMP = 123
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
RANDOM = np.random.default_rng(0)

angles = st.floats(-3.1, 3.1)
attitudes = st.tuples(angles, st.floats(-1.5, 1.5), angles).map(
    lambda rpy: rotation.from_rpy(*np.array(rpy))
)


def sensor(*names, model="rigid_body", **changes):
    mask = tuple(state in names for state in CANONICAL_STATES)
    return SensorSettings(name="odom0", model=load_model(model), mask=mask, **changes)


def spd(size):
    root = RANDOM.normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def pose(settings, position=(1.0, 2.0, 3.0), q=LEVEL, covariance=None, frame=IDENTITY):
    C = np.eye(6) * 0.1 if covariance is None else covariance
    return sensors.pose(settings, STAMP, np.asarray(position, float), np.asarray(q), C, frame)


def twist(
    settings, linear=(1.0, 2.0, 3.0), angular=(4.0, 5.0, 6.0), covariance=None, mounting=IDENTITY
):
    C = np.eye(6) * 0.1 if covariance is None else covariance
    linear, angular = np.asarray(linear, float), np.asarray(angular, float)
    return sensors.twist(settings, STAMP, linear, angular, C, mounting)


def orientation(settings, q=LEVEL, covariance=None, mounting=IDENTITY):
    C = np.eye(3) * 0.1 if covariance is None else covariance
    return sensors.orientation(settings, STAMP, np.asarray(q), C, mounting)


def acceleration(settings, force=(1.0, 2.0, 3.0), covariance=None, mounting=IDENTITY, q=LEVEL):
    C = np.eye(3) * 0.1 if covariance is None else covariance
    return sensors.acceleration(settings, STAMP, np.asarray(force, float), C, mounting, q)


# Masks


def test_the_mask_selects_rows_and_values():
    z = pose(sensor("x", "z", "vx"))
    np.testing.assert_array_equal(z.rows, [0, 2])
    np.testing.assert_array_equal(z.values, [1.0, 3.0])
    assert (z.stamp, z.source) == (STAMP, "odom0")
    z = twist(sensor("x", "vy", "vyaw"))
    np.testing.assert_array_equal(z.rows, [7, 11])
    np.testing.assert_array_equal(z.values, [2.0, 6.0])


def test_a_smaller_model_leaves_out_what_it_lacks():
    z = twist(sensor(*CANONICAL_STATES, model="diff_drive"))
    np.testing.assert_array_equal(z.rows, [3, 4])
    np.testing.assert_array_equal(z.values, [1.0, 6.0])
    assert acceleration(sensor(*CANONICAL_STATES, model="diff_drive")) is None


def test_nothing_wanted_is_nothing_measured():
    nothing = sensor()
    assert pose(nothing) is twist(nothing) is orientation(nothing) is acceleration(nothing) is None


def test_each_kind_has_its_own_rejection_threshold():
    one = sensor(
        *CANONICAL_STATES, pose_threshold=2.0, twist_threshold=3.0, acceleration_threshold=4.0
    )
    assert pose(one).threshold == orientation(one).threshold == 2.0
    assert twist(one).threshold == 3.0
    assert acceleration(one).threshold == 4.0


# Frames


def test_a_pose_is_moved_into_the_world():
    frame = Transform.from_rpy([10.0, 0.0, 0.0, 0.0, 0.0, np.pi / 2])
    yaw = rotation.from_rpy(*np.array([0.0, 0.0, 0.3]))
    z = pose(sensor("x", "y", "yaw"), (1.0, 2.0, 0.0), yaw, frame=frame)
    np.testing.assert_allclose(z.values, [8.0, 1.0, np.pi / 2 + 0.3], atol=1e-12)


def test_a_twist_is_turned_into_the_body():
    z = twist(sensor(*CANONICAL_STATES), mounting=Transform(np.zeros(3), HUSKY.quaternion))
    np.testing.assert_allclose(z.values, [-3, -1, 2, -6, -4, 5], atol=1e-6)


@given(position=st.lists(st.floats(-2, 2), min_size=3, max_size=3), rate=st.floats(-3, 3))
def test_a_robot_that_turns_on_the_spot_has_no_velocity(position, rate):
    omega = np.array([0.0, 0.0, rate])
    mounting = Transform.from_rpy([*position, 0.4, -0.3, 2.0])
    at_sensor = np.cross(omega, position)
    back = mounting.matrix.T
    z = twist(sensor("vx", "vy", "vz"), back @ at_sensor, back @ omega, mounting=mounting)
    np.testing.assert_allclose(z.values, 0.0, atol=1e-12)


@given(attitude=attitudes)
def test_an_imu_orientation_is_composed_with_its_mounting(attitude):
    settings = sensor("roll", "pitch", "yaw")
    z = orientation(settings, rotation.multiply(attitude, HUSKY.quaternion), mounting=HUSKY)
    measured = rotation.from_rpy(*z.values)
    apart = rotation.multiply(measured, rotation.conjugate(attitude))
    np.testing.assert_allclose(rotation.log(apart), 0.0, atol=1e-7)


@given(attitude=attitudes, motion=st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_gravity_is_removed_at_any_attitude_and_mounting(attitude, motion):
    body_to_world = rotation.matrix(attitude)
    force = np.array(motion) + body_to_world.T @ [0.0, 0.0, 9.80665]
    settings = sensor("ax", "ay", "az", remove_gravity=True)
    z = acceleration(settings, HUSKY.matrix.T @ force, mounting=HUSKY, q=attitude)
    np.testing.assert_allclose(z.values, motion, atol=1e-9)


def test_gravity_stays_where_it_is_not_to_be_removed():
    z = acceleration(sensor("az"), (0.0, 0.0, 9.8))
    np.testing.assert_array_equal(z.values, [9.8])


def test_the_strength_of_gravity_is_a_setting():
    z = acceleration(sensor("az", remove_gravity=True, gravity=1.62), (0.0, 0.0, 1.62))
    np.testing.assert_array_equal(z.values, [0.0])


def test_covariances_turn_with_the_frame():
    R, C6, C3 = HUSKY.matrix, spd(6), spd(3)
    both = np.kron(np.eye(2), R)
    everything = sensor(*CANONICAL_STATES)
    bare = Transform(np.zeros(3), HUSKY.quaternion)
    for found, expected in (
        (pose(everything, covariance=C6, frame=bare), both @ C6 @ both.T),
        (twist(everything, covariance=C6, mounting=bare), both @ C6 @ both.T),
        (orientation(everything, covariance=C3, mounting=HUSKY), R @ C3 @ R.T),
        (acceleration(everything, covariance=C3, mounting=HUSKY), R @ C3 @ R.T),
    ):
        np.testing.assert_allclose(found.covariance, expected, atol=1e-9)
    part = twist(sensor("vy", "vyaw"), covariance=C6, mounting=bare)
    np.testing.assert_allclose(
        part.covariance, (both @ C6 @ both.T)[np.ix_([1, 5], [1, 5])], atol=1e-9
    )


# Garbage where the mask does not look


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1.0, 0.0])
def test_what_the_mask_does_not_take_may_be_garbage(garbage):
    C = np.full((6, 6), garbage)
    C[0, 0] = C[5, 5] = 0.1
    C[0, 5] = C[5, 0] = 0.0
    bad = (1.0, garbage, garbage)
    z = twist(sensor("vx", "vyaw"), bad, (garbage, garbage, 6.0), C)
    np.testing.assert_array_equal(z.values, [1.0, 6.0])
    np.testing.assert_array_equal(z.covariance, np.eye(2) * 0.1)
    np.testing.assert_array_equal(pose(sensor("x"), bad, np.full(4, garbage), C).values, [1.0])
    only_yaw = np.diag([garbage] * 5 + [0.1])
    z = pose(sensor("yaw"), np.full(3, garbage), covariance=only_yaw)
    np.testing.assert_array_equal(z.covariance, [[0.1]])


@pytest.mark.parametrize("garbage", [np.nan, np.inf])
def test_a_turned_sensor_looks_only_at_the_axes_it_needs(garbage):
    C = np.full((3, 3), garbage)
    C[1, 1] = 0.2
    force = (garbage, 7.0, garbage)
    z = acceleration(sensor("az"), force, C, mounting=HUSKY_EXACT)
    np.testing.assert_allclose(z.values, [7.0])
    np.testing.assert_allclose(z.covariance, [[0.2]])


HUSKY_EXACT = Transform.from_rpy([0, -0.3, 0.52, np.pi / 2, 0, -np.pi / 2])


def test_the_lever_arm_needs_the_rates_it_multiplies():
    ahead = Transform.from_rpy([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert twist(sensor("vx"), angular=[np.nan] * 3, mounting=ahead).values == [1.0]
    with pytest.raises(BadMeasurementError, match="values not finite"):
        twist(sensor("vy"), angular=[0.0, 0.0, np.nan], mounting=ahead)


# What is refused


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [pose, twist, acceleration])
def test_values_that_are_not_finite_are_refused(make, bad):
    with pytest.raises(BadMeasurementError, match=r"^values not finite$"):
        make(sensor("y", "vy", "ay"), (0.0, bad, 0.0))


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({(1, 1): np.nan}, "covariance not finite"),
        ({(1, 1): np.inf}, "covariance not finite"),
        ({(1, 1): -0.1}, "covariance not positive definite"),
        ({(0, 1): 0.5, (1, 0): 0.5}, "covariance not positive definite"),
        ({(0, 1): 0.05}, "covariance not symmetric"),
        ({(1, 1): 0.0}, "variance of {} is 0 and odom0_variance not set"),
    ],
)
def test_an_impossible_covariance_is_refused_with_its_reason(entries, reason):
    for make, names in (
        (pose, ("x", "y")),
        (twist, ("vx", "vy")),
        (orientation, ("roll", "pitch")),
        (acceleration, ("ax", "ay")),
    ):
        C = np.eye(3 if make in (orientation, acceleration) else 6) * 0.1
        for at, value in entries.items():
            C[at] = value
        expected = f"^{reason.format(names[1])}$"
        with pytest.raises(BadMeasurementError, match=expected):
            make(sensor(*names), covariance=C)


def test_zero_variances_are_replaced_by_the_configured_ones():
    variance = np.arange(15.0) + 1.0
    C = np.diag([0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    z = twist(sensor("vx", "vy", "vyaw", default_variance=variance), covariance=C)
    np.testing.assert_array_equal(z.covariance, np.diag([7.0, 0.5, 12.0]))


def test_a_zero_variance_of_a_turned_sensor_is_recognised():
    C = np.diag([0.3, 0.3, 0.0])
    with pytest.raises(BadMeasurementError, match="variance of ax is 0"):
        acceleration(sensor("ax", "ay", "az"), covariance=C, mounting=HUSKY_EXACT)


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
        orientation(sensor("yaw"), q)
    with pytest.raises(BadMeasurementError, match=f"^{reason}$"):
        pose(sensor("yaw"), q=q)


def test_a_quaternion_a_little_off_is_normalised():
    z = orientation(
        sensor("roll", "pitch", "yaw"), 1.05 * rotation.from_rpy(*np.array([0.1, 0.2, 0.3]))
    )
    np.testing.assert_allclose(z.values, [0.1, 0.2, 0.3], atol=1e-12)


def test_the_message_itself_is_not_written_to():
    C, force = np.diag([0.0, 0.1, 0.1]), np.ones(3)
    acceleration(sensor("ax", "ay", default_variance=np.ones(15)), force, C)
    np.testing.assert_array_equal(C, np.diag([0.0, 0.1, 0.1]))
    np.testing.assert_array_equal(force, np.ones(3))


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
