"""Masks, thresholds and noise that change while the estimator runs."""

import numpy as np
import pytest
from estimating import MS, SECOND, START, UPRIGHT, dropped, estimator, feed, imu, mask, odometry

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.parameters import read


def change(made, **parameters):
    """Change parameters as the node does."""
    values, _ = read(estimator_parameters(made.values), {**made.values, **parameters})
    made.change(values)()


def test_a_mask_that_changes_counts_from_the_next_message_on():
    made = estimator(odom0_config=mask("vx"))
    feed(made, "odom0", [lambda s: odometry(s, linear=(1, 1, 0))] * 5)
    assert made.to_publish(START + SECOND).linear[1] == pytest.approx(0.0)
    change(made, odom0_config=mask("vx", "vy"))
    message = [lambda s: odometry(s, linear=(1, 1, 0))]
    out = feed(made, "odom0", message * 50, start=START + SECOND)
    assert out.linear[1] == pytest.approx(1.0, abs=0.05)


def test_a_threshold_that_changes_rejects_from_then_on():
    made = estimator()
    feed(made, "odom0", [odometry] * 5)
    change(made, odom0_twist_rejection_threshold=0.5)
    wild = [lambda s: odometry(s, linear=(50, 0, 0))]
    feed(made, "odom0", wild, start=START + SECOND)
    assert dropped(made) == {("odom0", "beyond the rejection threshold"): 1}


def test_process_noise_that_changes_widens_the_estimate():
    def spread(noise):
        made = estimator()
        feed(made, "odom0", [odometry] * 5)
        change(made, process_noise_covariance=[noise] * 15)
        return made.to_publish(START + SECOND).twist_covariance[0, 0]

    assert spread(10.0) > 50 * spread(0.01)


def test_a_change_leaves_the_estimate_and_what_is_queued():
    made = estimator()
    feed(made, "odom0", [lambda s: odometry(s, linear=(1, 0, 0))] * 20)
    now = START + SECOND
    made.receive("odom0", odometry(now, linear=(1, 0, 0)), now)
    before = made.filter.estimate
    change(made, sensor_timeout=0.3, odom0_twist_rejection_threshold=9.0)
    assert made.filter.estimate is before
    assert made.to_publish(now).position[0] == pytest.approx(1.0, abs=0.02)
    assert made.states["odom0"].received == 21


def test_an_input_whose_own_parameters_stay_remembers_its_first_pose():
    made = estimator(
        odom1="/slam",
        odom1_config=mask("x", "y", "z", "roll", "pitch", "yaw"),
        odom1_relative=True,
    )
    feed(made, "odom1", [lambda s: odometry(s, position=(5, 0, 0))] * 5)
    change(made, odom0_config=mask("vx"), process_noise_covariance=[0.1] * 15)
    message = [lambda s: odometry(s, position=(6, 0, 0), pose_variance=(1e-6,) * 6)]
    out = feed(made, "odom1", message * 20, start=START + SECOND)
    assert out.position[0] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("name", ["odom1", "imu0"])
def test_a_relative_input_keeps_its_origin_when_its_own_threshold_changes(name):
    made = estimator(
        odom1="/slam",
        odom1_config=mask("x", "y", "yaw"),
        odom1_relative=True,
        imu0="/imu",
        imu0_config=mask("yaw"),
        imu0_relative=True,
        static_transforms=[UPRIGHT],
    )

    def message(yaw):
        turned = (0, 0, np.sin(0.5 * yaw), np.cos(0.5 * yaw))
        if name == "imu0":
            return lambda s: imu(s, orientation=turned, orientation_variance=(1e-6,) * 3)
        return lambda s: odometry(s, orientation=turned, pose_variance=(1e-6,) * 6)

    feed(made, name, [message(1.0)] * 5)
    change(made, **{f"{name}_pose_rejection_threshold": 1e6})
    out = feed(made, name, [message(1.5)] * 20, start=START + SECOND)
    assert 2 * np.arctan2(out.quaternion[2], out.quaternion[3]) == pytest.approx(0.5, abs=0.05)


def test_gravity_that_changes_is_removed_from_then_on():
    made = estimator(
        imu0="/imu",
        imu0_config=mask("az"),
        imu0_remove_gravitational_acceleration=True,
        static_transforms=[UPRIGHT],
    )
    feed(made, "imu0", [imu] * 20)
    made.to_publish(START + SECOND)
    assert made.acceleration(made.published).linear[2] == pytest.approx(0.0, abs=1e-9)
    change(made, gravitational_acceleration=1.62)
    feed(made, "imu0", [imu] * 100, start=START + 1100 * MS)
    assert made.acceleration(made.published).linear[2] == pytest.approx(9.80665 - 1.62, abs=0.1)


def test_an_input_may_be_masked_out_and_in_again():
    made = estimator(imu0="/imu", imu0_config=mask("vyaw"), static_transforms=[UPRIGHT])
    change(made, imu0_config=mask())
    assert list(made.inputs) == ["odom0"]
    assert any("imu0 (/imu) is not used" in warning for warning in made.warnings)
    made.receive("imu0", imu(START), START)
    change(made, imu0_config=mask("vyaw"))
    assert made.warnings == []
    feed(made, "imu0", [lambda s: imu(s, angular=(0, 0, 1))] * 50)
    assert made.to_publish(START + 10 * SECOND).angular[2] == pytest.approx(1.0, abs=0.05)


def test_a_gyro_that_is_masked_out_is_not_waited_for():
    made = estimator(
        imu0="/imu",
        imu0_config=mask("yaw", "vyaw"),
        imu0_calibrate_at_rest=True,
        static_transforms=[UPRIGHT],
    )
    assert feed(made, "odom0", [odometry] * 5) is None
    change(made, imu0_config=mask("yaw"))
    assert feed(made, "odom0", [odometry] * 5, start=START + SECOND) is not None
    change(made, imu0_config=mask("yaw", "vyaw"))
    assert feed(made, "odom0", [odometry] * 5, start=START + 2 * SECOND) is None
    change(made, imu0_config=mask())
    assert feed(made, "odom0", [odometry] * 5, start=START + 3 * SECOND) is not None


def test_biases_stay_states_while_their_imu_is_masked_out():
    made = estimator(
        imu0="/imu",
        imu0_config=mask("vyaw"),
        imu0_estimate_gyro_bias=True,
        static_transforms=[UPRIGHT],
    )
    change(made, imu0_config=mask())
    assert feed(made, "odom0", [odometry] * 5) is not None


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"odom0_config": [True] * 3}, "odom0_config = 3 values: must be a list of 15"),
        ({"odom0_config": mask()}, "no input: odom0 .* is not used"),
        ({"process_noise_covariance": [-1.0] * 15}, "process_noise_covariance must be positive"),
        ({"odom0_twist_rejection_threshold": 0.0}, "must be a number above 0"),
        ({"odom0_variance": [-1.0] * 15}, "odom0_variance"),
        ({"past_limit": 0.0}, "past_limit = 0.0: must be a number above 0"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason_and_changes_nothing(parameters, reason):
    made = estimator()
    feed(made, "odom0", [odometry] * 5)
    inputs, settings = dict(made.inputs), made.filter.settings
    with pytest.raises(UserError, match=reason):
        change(made, **parameters)
    assert dict(made.inputs) == inputs
    assert made.filter.settings is settings


def test_nothing_is_in_force_before_it_is_applied():
    made = estimator()
    values, _ = read(estimator_parameters(made.values), {**made.values, "odom0_config": mask("vy")})
    apply = made.change(values)
    made.receive("odom0", odometry(START, linear=(1, 2, 0)), START)
    assert made.to_publish(START).linear[0] == 1.0
    apply()
    assert made.values["odom0_config"] == mask("vy")
    assert np.isfinite(made.to_publish(START + SECOND).position).all()
