"""ekf_node's parameters and the settings of the core that they become."""

import numpy as np
import pytest

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.models import CANONICAL_STATES, load_model
from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import (
    estimator_parameters,
    filter_settings,
    sensor_settings,
)
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.ros.parameters import ParameterError, read


def values(**given):
    made, unknown = read(estimator_parameters(given), given)
    assert not unknown
    return made


def test_every_default_is_allowed():
    for row in estimator_parameters(["odom0", "imu3"]):
        assert row.check(row.default) == row.default, row.name
        assert row.description.endswith("."), row.name


def test_no_name_is_declared_twice():
    names = [row.name for row in estimator_parameters(["odom0", "odom1", "imu0", "odom0"])]
    assert len(names) == len(set(names))


def test_each_input_named_gets_its_block():
    given = {
        "odom0": "/a",
        "odom12": "/b",
        "imu1": "/c",
        "odom0_config": [True] * 15,
        "pose0": "/d",
    }
    made, unknown = read(estimator_parameters(given), given)
    assert {"odom0_config", "odom12_config", "imu1_remove_gravitational_acceleration"} < set(made)
    assert unknown == ["pose0"]


def test_a_diagonal_and_a_full_matrix_mean_the_same():
    diagonal = [0.1 * (i + 1) for i in range(15)]
    full = [float(number) for number in np.diag(diagonal).ravel()]
    one = filter_settings(values(process_noise_covariance=diagonal))
    other = filter_settings(values(process_noise_covariance=full))
    np.testing.assert_array_equal(one.process_noise, other.process_noise)


def test_a_smaller_model_takes_its_rows_of_the_canonical_covariances():
    diagonal = [float(i + 1) for i in range(15)]
    made = filter_settings(
        values(
            model="diff_drive",
            process_noise_covariance=diagonal,
            initial_estimate_covariance=diagonal,
            initial_state=diagonal,
        )
    )
    for matrix in (made.process_noise, made.initial_covariance):
        np.testing.assert_array_equal(np.diagonal(matrix), [1, 2, 6, 7, 12])
    np.testing.assert_array_equal(made.initial_state, [1, 2, 6, 7, 12])


def test_a_sensor_timeout_of_zero_is_one_period():
    assert filter_settings(values(frequency=50.0)).sensor_timeout == pytest.approx(0.02)
    assert filter_settings(values(sensor_timeout=0.3)).sensor_timeout == 0.3


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"frequency": 0.0}, "parameter frequency = 0.0: must be a number above 0"),
        ({"model": "segway"}, "parameter model = segway: .*diff_drive"),
        ({"two_d_mode": True}, "parameter two_d_mode = true: must be false"),
        ({"process_noise_covariance": [1.0] * 14}, "process_noise_covariance = 14 values"),
        (
            {"process_noise_covariance": [-1.0] * 15},
            "parameter process_noise_covariance must .*semidefinite",
        ),
        (
            {"initial_estimate_covariance": [-1.0] * 15},
            "parameter initial_estimate_covariance must .*semidefinite",
        ),
        ({"odom0_config": [True] * 6}, "odom0_config = 6 values: must be a list of 15"),
        ({"odom0_config": [False] * 15}, "parameter odom0_config: must select"),
        ({"odom0_twist_rejection_threshold": 0.0}, "odom0_twist_rejection_threshold = 0.0"),
        ({"odom0_differential": True}, "odom0_differential = true: must be false"),
        ({"odom0_variance": [0.1] * 3}, "odom0_variance = 3 values"),
        ({"static_transforms": ["base imu 0 0 0"]}, "'base imu 0 0 0'"),
    ],
)
def test_a_bad_value_is_refused_by_name(given, named):
    mask = [state == "vx" for state in CANONICAL_STATES]
    with pytest.raises(UserError, match=named):
        Estimator.from_parameters({"odom0": "/odom", "odom0_config": mask} | given)


def test_an_imu_is_not_asked_for_what_it_can_not_measure():
    given = {"imu0": "/imu", "imu0_config": [True] * 15}
    settings = sensor_settings(values(**given), "imu0", load_model("rigid_body"))
    taken = [s for s, on in zip(CANONICAL_STATES, settings.mask, strict=True) if on]
    assert taken == ["roll", "pitch", "yaw", "vroll", "vpitch", "vyaw", "ax", "ay", "az"]
    only_speed = [state == "vx" for state in CANONICAL_STATES]
    with pytest.raises(ParameterError, match="imu0_config: must select"):
        sensor_settings(
            values(imu0="/imu", imu0_config=only_speed), "imu0", load_model("rigid_body")
        )


def test_the_huskys_file_is_understood_to_the_last_name():
    given = load_parameters(share_directory() / "config" / "husky.yaml", "ekf_node")
    made, unknown = Estimator.from_parameters(given)
    assert unknown == []
    assert sorted(made.topics) == ["imu0", "odom0"]
