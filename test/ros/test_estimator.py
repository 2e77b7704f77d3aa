"""Messages in, estimates out."""

import numpy as np
import pytest
from estimating import (
    MS,
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
    twist,
    with_imu,
)

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.estimator import Estimator

QUARTER = "odom map 10 0 0 0 0 1.5707963267948966"


def test_an_odometry_starts_the_estimate():
    made = estimator(odom0_config=mask("x", "y", "yaw", "vx", "vyaw"))
    half = np.array([0.0, 0.0, np.sin(0.2), np.cos(0.2)])
    message = odometry(
        START, position=(1, 2, 0), orientation=half, linear=(0.5, 0, 0), angular=(0, 0, 0.1)
    )
    made.receive("odom0", message, START)
    out = made.odometry(made.advance(START))
    assert out.stamp == START
    np.testing.assert_allclose(out.position, [1, 2, 0], atol=1e-9)
    np.testing.assert_allclose(out.quaternion, half, atol=1e-9)
    assert dropped(made) == {}


@pytest.mark.parametrize("kind", ["odom0", "pose0"])
def test_a_pose_in_another_frame_is_moved_by_its_transform(kind):
    made = alone(kind, ["x", "y"], static_transforms=[QUARTER])
    send = odometry if kind == "odom0" else pose
    made.receive(kind, send(START, position=(1, 2, 0), frame="/map"), START)
    np.testing.assert_allclose(queued(made)[0].values, [8, 1], atol=1e-12)


def test_a_mask_selects_axes_of_the_message_not_of_the_world():
    made = alone("pose0", ["x"], static_transforms=[QUARTER])
    made.receive("pose0", pose(START, position=(1, 2, 0), frame="map"), START)
    (found,) = queued(made)
    assert [made.model.output_names[row] for row in found.rows] == ["y"]
    np.testing.assert_allclose(found.values, [1.0])


@pytest.mark.parametrize("kind", ["odom0", "twist0"])
def test_a_twist_away_from_base_link_feels_the_turn(kind):
    made = alone(
        kind,
        ["vx", "vy", "vyaw"],
        static_transforms=["base_link wheel 1 0 0 0 0 0"],
    )
    values = {"linear": (1, 2, 0), "angular": (0, 0, 2)}

    def message(stamp):
        if kind == "odom0":
            return odometry(stamp, child="wheel", twist_variance=(1e-6,) * 6, **values)
        return twist(stamp, frame="wheel", variance=(1e-6,) * 6, **values)

    out = feed(made, kind, [message] * 50)
    np.testing.assert_allclose(out.linear, [1, 0, 0], atol=1e-2)
    np.testing.assert_allclose(out.angular, [0, 0, 2], atol=1e-2)


def test_an_empty_child_frame_is_the_robot():
    made = estimator()
    made.receive("odom0", odometry(START, linear=(1, 0, 0), child=""), START)
    assert len(queued(made)) == 1


def test_a_frame_that_the_mask_has_no_use_for_may_be_unknown():
    made = estimator()
    made.receive("odom0", odometry(START, frame="nowhere"), START)
    assert dropped(made) == {}


def test_the_pose_of_a_body_on_the_robot_becomes_the_robots():
    made = estimator(
        odom0_config=mask("x", "y", "yaw"),
        odom0_pose_use_child_frame=True,
        static_transforms=["base_link tracker 1 0 0 0 0 1.5707963267948966"],
    )
    facing = rotation.from_rpy(*np.array([0.0, 0.0, np.pi / 2]))
    message = odometry(START, position=(3, 5, 0), orientation=facing, child="tracker")
    made.receive("odom0", message, START)
    out = made.to_publish(START)
    np.testing.assert_allclose(out.position, [2, 5, 0], atol=1e-9)
    np.testing.assert_allclose(out.quaternion, [0, 0, 0, 1], atol=1e-9)


def test_without_that_flag_the_pose_is_the_robots_whatever_the_child_frame():
    made = estimator(odom0_config=mask("x", "y"))
    made.receive("odom0", odometry(START, position=(3, 5, 0), child="tracker"), START)
    np.testing.assert_allclose(made.to_publish(START).position, [3, 5, 0])


def test_a_zero_variance_needs_a_configured_one():
    message = odometry(START, linear=(1, 0, 0), twist_variance=(0,) * 6)
    made = estimator()
    made.receive("odom0", message, START)
    assert dropped(made) == {("odom0", "variance of vx is 0 and odom0_variance not set"): 1}
    made = estimator(odom0_variance=[0.04] * 15)
    made.receive("odom0", message, START)
    np.testing.assert_array_equal(queued(made)[0].covariance, np.eye(2) * 0.04)


def test_two_odometries_and_two_imus_work_together():
    made = with_imu(
        "vyaw", odom1="/odom1", odom1_config=mask("vy"), imu1="/imu1", imu1_config=mask("vroll")
    )
    assert sorted(made.inputs) == ["imu0", "imu1", "odom0", "odom1"]
    for name in ("odom0", "odom1"):
        made.receive(name, odometry(START, linear=(1, 2, 0)), START)
    for name in ("imu0", "imu1"):
        made.receive(name, imu(START), START)
    made.advance(START)
    assert {name: state.received for name, state in made.states.items()} == dict.fromkeys(
        made.inputs, 1
    )
    assert dropped(made) == {}
    assert sorted(made.filter.consistency) == ["imu1", "odom0", "odom1"]


@pytest.mark.parametrize("model", ["diff_drive", "omni", "ackermann"])
def test_a_planar_model_takes_the_same_masks(model):
    made = with_imu(
        *CANONICAL_STATES,
        model=model,
        odom0_config=mask(*CANONICAL_STATES),
        initial_estimate_covariance=[1e6] * 15,
    )
    made.receive("odom0", odometry(START, position=(1, 2, 3), linear=(4, 0, 6)), START)
    made.receive("imu0", imu(START, frame="base_link"), START)
    assert dropped(made) == {}
    out = made.odometry(made.advance(START))
    np.testing.assert_allclose(out.position, [1, 2, 0], atol=1e-6)
    np.testing.assert_allclose(out.linear, [4, 0, 0], atol=1e-5)
    covariance = out.pose_covariance
    np.testing.assert_array_equal(np.diagonal(covariance)[[2, 3, 4]], 1e-6)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_a_model_of_ones_own_is_named_by_module_and_class():
    made = estimator(model="ebm_mpc_ros.models.omni:Omni")
    assert type(made.model).__name__ == "Omni"


def test_names_in_what_is_published():
    made = estimator(odom_frame="/odom", base_link_frame="/base_link")
    assert (made.world_frame, made.base_frame, made.child_frame) == (
        "odom",
        "base_link",
        "base_link",
    )
    made = estimator(world_frame="map", base_link_frame_output="/footprint")
    assert (made.world_frame, made.base_frame, made.child_frame) == (
        "map",
        "base_link",
        "footprint",
    )


def test_the_attitude_goes_through_gimbal_lock_unharmed():
    made = with_imu("roll", "pitch", "yaw", static_transforms=[UPRIGHT])
    up = rotation.from_rpy(*np.array([0.7, np.pi / 2, 0.0]))
    made.receive("imu0", imu(START, orientation=up), START)
    out = made.odometry(made.advance(START)).quaternion
    apart = rotation.log(rotation.multiply(out, rotation.conjugate(up)))
    np.testing.assert_allclose(apart, 0.0, atol=1e-7)


def test_nothing_is_published_twice_at_one_stamp():
    made = estimator(sensor_timeout=10.0)
    made.receive("odom0", odometry(START), START)
    assert made.to_publish(START).stamp == START
    assert made.to_publish(START + 10 * MS) is None


def test_after_the_sensor_timeout_it_is_predicted_on():
    made = estimator(sensor_timeout=0.1)
    made.receive("odom0", odometry(START, linear=(1, 0, 0)), START)
    made.to_publish(START)
    assert made.to_publish(START + 90 * MS) is None
    out = made.to_publish(START + 100 * MS)
    assert out.stamp == START + 100 * MS
    np.testing.assert_allclose(out.position, [0.1, 0, 0], atol=1e-9)


def test_to_the_current_time_it_is_predicted_at_every_tick():
    made = estimator(sensor_timeout=10.0, predict_to_current_time=True)
    made.receive("odom0", odometry(START, linear=(1, 0, 0)), START)
    out = made.to_publish(START + 30 * MS)
    assert out.stamp == START + 30 * MS
    np.testing.assert_allclose(out.position, [0.03, 0, 0], atol=1e-9)


def test_a_state_to_begin_with_is_where_the_first_measurement_finds_the_robot():
    made = estimator(initial_state=[5.0, 6.0, *[0.0] * 13])
    made.receive("odom0", odometry(START, linear=(1, 0, 0)), START)
    np.testing.assert_allclose(made.to_publish(START).position, [5, 6, 0])


def test_the_acceleration_published_is_that_of_the_same_instant():
    made = alone("imu0", ["vyaw", "ax"], predict_to_current_time=True)

    def message(stamp):
        turn = 2.0 * (stamp - START) * 1e-9
        return imu(
            stamp,
            angular=(0, 0, turn),
            acceleration=(3, 0, 0),
            angular_variance=(1e-9,) * 3,
            acceleration_variance=(1e-9,) * 3,
            frame="base_link",
        )

    for k in range(20):
        out = feed(made, "imu0", [message], start=START + k * 10 * MS)
        found = made.acceleration(made.published)
        assert found.stamp == out.stamp
    np.testing.assert_allclose(found.linear, [3, 0, 0], atol=1e-3)
    np.testing.assert_allclose(found.angular, [0, 0, 2], atol=1e-2)
    assert np.linalg.eigvalsh(found.covariance).min() > 0.0


def test_an_estimator_without_inputs_is_refused():
    with pytest.raises(UserError, match="no input: set odom0 or imu0"):
        Estimator.from_parameters({"frequency": 10.0})


def test_an_input_whose_mask_takes_nothing_is_left_out_with_a_warning():
    made = estimator(imu0="/imu", imu0_config=mask("vx"))
    assert sorted(made.inputs) == ["odom0"]
    (warning,) = made.warnings
    assert warning.startswith("imu0 (/imu) is not used: imu0_config selects none of roll, pitch")
    made.receive("imu0", imu(START), START)
    assert queued(made) == []
    with pytest.raises(UserError, match=r"no input: odom0 .* is not used"):
        alone("odom0", ["ax"])
