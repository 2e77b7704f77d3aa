"""ekf_node's parameters and the settings of the core that they become."""

import numpy as np
import pytest
from estimating import mask

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.models import CANONICAL_STATES, load_model
from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.estimator_settings import (
    estimated_model,
    filter_settings,
    idle_inputs,
    sensor_settings,
    setting_warnings,
)
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.ros.parameters import read

KINDS = ["odom0", "pose0", "twist0", "imu3", "navsat0"]
DIAGONAL = [0.1 * (i + 1) for i in range(15)]


def values(**given):
    made, unknown = read(estimator_parameters(given), given)
    assert not unknown
    return made


def core(**given):
    made = values(**given)
    return filter_settings(made, estimated_model(made))


def test_every_default_is_allowed():
    for row in estimator_parameters(KINDS):
        assert row.check(row.default) == row.default, row.name
        assert row.description.endswith("."), row.name


def test_no_name_is_declared_twice():
    names = [row.name for row in estimator_parameters([*KINDS, "odom1", "imu0", "odom0"])]
    assert len(names) == len(set(names))


def test_each_input_named_gets_its_block():
    given = {
        "odom0": "/a",
        "odom12": "/b",
        "imu1": "/c",
        "odom0_config": [True] * 15,
        "pose0": "/d",
        "twist3": "/e",
        "sonar0": "/f",
    }
    made, unknown = read(estimator_parameters(given), given)
    assert {
        *("odom0_config", "odom12_config", "imu1_remove_gravitational_acceleration"),
        *("pose0_rejection_threshold", "twist3_rejection_threshold"),
    } < set(made)
    assert "twist3_differential" not in made
    assert unknown == ["sonar0"]


@pytest.mark.parametrize("name", ["process_noise_covariance", "initial_estimate_covariance"])
def test_a_diagonal_and_a_full_matrix_mean_the_same(name):
    full = [float(number) for number in np.diag(DIAGONAL).ravel()]
    one, other = core(**{name: DIAGONAL}), core(**{name: full})
    np.testing.assert_array_equal(one.process_noise, other.process_noise)
    np.testing.assert_array_equal(one.initial_covariance, other.initial_covariance)


def test_a_full_matrix_keeps_what_is_off_its_diagonal():
    full = np.eye(15)
    full[0, 1] = full[1, 0] = 0.5
    np.testing.assert_array_equal(
        core(process_noise_covariance=full.ravel().tolist()).process_noise, full
    )


def test_a_smaller_model_takes_its_rows_of_the_canonical_covariances():
    diagonal = [float(i + 1) for i in range(15)]
    made = core(
        model="diff_drive",
        process_noise_covariance=diagonal,
        initial_estimate_covariance=diagonal,
        initial_state=diagonal,
    )
    for matrix in (made.process_noise, made.initial_covariance):
        np.testing.assert_array_equal(np.diagonal(matrix), [1, 2, 6, 7, 12])
    np.testing.assert_array_equal(made.initial_state, [1, 2, 6, 7, 12])


def test_a_steering_angle_takes_the_numbers_of_the_turn_rate():
    diagonal = [float(i + 1) for i in range(15)]
    made = core(model="ackermann", process_noise_covariance=diagonal)
    np.testing.assert_array_equal(np.diagonal(made.process_noise), [1, 2, 6, 7, 12])


def test_biases_bring_numbers_of_their_own():
    made = core(
        imu0="/imu",
        imu0_config=mask("vyaw"),
        imu0_estimate_gyro_bias=True,
        imu0_gyro_bias_sigma=0.3,
        imu0_gyro_bias_noise=1e-5,
    )
    assert made.model.state_names[15:] == ("imu0_gyro_x", "imu0_gyro_y", "imu0_gyro_z")
    np.testing.assert_allclose(np.diagonal(made.initial_covariance)[15:], 0.09)
    np.testing.assert_allclose(np.diagonal(made.process_noise)[15:], 1e-5)


def test_a_sensor_timeout_of_zero_is_one_period():
    assert core(frequency=50.0).sensor_timeout == pytest.approx(0.02)
    assert core(sensor_timeout=0.3).sensor_timeout == 0.3


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"frequency": 0.0}, r"parameter frequency = 0\.0: must be a number above 0"),
        ({"model": "segway"}, "parameter model = segway: .*diff_drive"),
        ({"filter_type": "ukf"}, "parameter filter_type = ukf: must be ekf"),
        ({"process_noise_covariance": [1.0] * 14}, "process_noise_covariance = 14 values"),
        ({"initial_state": [0.0] * 6}, "initial_state = 6 values: must be a list of 15"),
        (
            {"process_noise_covariance": [-1.0] * 15},
            "parameter process_noise_covariance must .*semidefinite",
        ),
        (
            {"initial_estimate_covariance": [-1.0] * 15},
            "parameter initial_estimate_covariance must .*semidefinite",
        ),
        ({"odom0_config": [True] * 6}, "odom0_config = 6 values: must be a list of 15"),
        ({"odom0_config": [False] * 15}, "no input: odom0 .* is not used: odom0_config selects"),
        ({"odom0_twist_rejection_threshold": 0.0}, r"odom0_twist_rejection_threshold = 0\.0"),
        ({"odom0_queue_size": 0}, "odom0_queue_size = 0: must be a whole number, at least 1"),
        ({"odom0_variance": [0.1] * 3}, "odom0_variance = 3 values"),
        ({"control_config": [True] * 3}, "control_config = 3 values: must be a list of 0 or 6"),
        ({"acceleration_limits": [-1.0] * 6}, "acceleration_limits"),
        ({"static_transforms": ["base imu 0 0 0"]}, "'base imu 0 0 0'"),
        ({"datum": [1.0, 2.0]}, "datum = 2 values: must be a list of 0 or 3"),
        ({"wheelbase": 0.0}, r"wheelbase = 0\.0: must be a number from 0\.01 to 100"),
    ],
)
def test_a_bad_value_is_refused_by_name(given, named):
    with pytest.raises(UserError, match=named):
        Estimator.from_parameters({"odom0": "/odom", "odom0_config": mask("vx")} | given)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("odom0", CANONICAL_STATES[:12]),
        ("pose0", CANONICAL_STATES[:6]),
        ("twist0", CANONICAL_STATES[6:12]),
        ("imu0", (*CANONICAL_STATES[3:6], *CANONICAL_STATES[9:])),
        ("navsat0", CANONICAL_STATES[:3]),
    ],
)
def test_an_input_is_not_asked_for_what_it_can_not_measure(name, measured):
    given = {name: "/topic", f"{name}_config": [True] * 15}
    settings = sensor_settings(values(**given), name, load_model("rigid_body"))
    taken = [s for s, on in zip(CANONICAL_STATES, settings.mask, strict=True) if on]
    assert taken == list(measured)


def test_an_input_that_is_asked_for_nothing_it_measures_is_named():
    (warning,) = idle_inputs(values(imu0="/imu", imu0_config=mask("vx")))
    assert warning == (
        "imu0 (/imu) is not used: imu0_config selects none of roll, pitch, yaw, vroll, vpitch, "
        "vyaw, ax, ay, az"
    )
    assert idle_inputs(values(imu0="", imu0_config=mask())) == []


def test_differential_and_relative_at_once_are_differential_with_a_warning():
    made = values(pose0="/p", pose0_config=mask("x"), pose0_differential=True, pose0_relative=True)
    settings = sensor_settings(made, "pose0", load_model("rigid_body"))
    assert (settings.differential, settings.relative) == (True, False)
    assert setting_warnings(made) == [
        "pose0_differential and pose0_relative are both set: the first counts"
    ]


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ({}, None),
        ({"world_frame": "map"}, None),
        ({"odom_frame": "map"}, "must differ: map, map, base_link"),
        ({"base_link_frame": "/odom"}, "must differ: map, odom, odom"),
        ({"world_frame": "earth"}, "world_frame is neither map nor odom"),
    ],
)
def test_frames_that_do_not_fit_together_are_warned_about(given, warning):
    found = setting_warnings(values(**given))
    assert len(found) == (warning is not None)
    assert warning is None or found[0].endswith(warning)


@pytest.mark.parametrize("name", ["husky.yaml", "husky_tuned.yaml", "diff_drive.yaml"])
def test_the_files_of_the_package_are_understood_to_the_last_name(name):
    given = load_parameters(share_directory() / "config" / name, "ekf_node")
    made, unknown = Estimator.from_parameters(given)
    assert unknown == []
    assert sorted(made.topics) == ["imu0", "odom0"]
