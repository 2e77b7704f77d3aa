"""Parameter files written for robot_localization's ekf_node, as they are."""

import numpy as np
import pytest

from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.parameter_file import load_parameters

NO, YES = "false, " * 3, "true, " * 3


def listed(*triples):
    """A mask of five times three, as people lay them out."""
    rows = ",\n           ".join(triple.strip(", ") for triple in triples)
    return f"[{rows}]"


def matrix(number):
    """A diagonal matrix of 225 numbers, in rows."""
    rows = (", ".join(number if i == j else "0.0" for j in range(15)) for i in range(15))
    return "[" + ",\n           ".join(rows) + "]"


EVERYTHING = f"""
filter_of_mine:
  ros__parameters:
    use_sim_time: false
    frequency: 25.0
    sensor_timeout: 0.2
    two_d_mode: false
    transform_time_offset: 0.01
    transform_timeout: 0.05
    print_diagnostics: true
    debug: false
    debug_out_file: /somewhere/debug.txt
    clear_params: true
    filter_type: "ekf"
    tf_prefix: ""
    permit_corrected_publication: false
    publish_acceleration: true
    publish_tf: true
    predict_to_current_time: false
    gravitational_acceleration: 9.81
    disabled_at_startup: false
    reset_on_time_jump: false
    smooth_lagged_data: true
    history_length: 1.5
    map_frame: map
    odom_frame: odom
    base_link_frame: base_link
    base_link_frame_output: base_footprint
    world_frame: odom
    odom0: wheels/odometry
    odom0_config: {listed(YES, NO, NO, "false, false, true", NO)}
    odom0_queue_size: 2
    odom0_nodelay: false
    odom0_differential: false
    odom0_relative: false
    odom0_pose_use_child_frame: false
    odom0_pose_rejection_threshold: 4.0
    odom0_twist_rejection_threshold: 2
    odom1: visual/odometry
    odom1_config: {listed(NO, NO, YES, NO, NO)}
    odom1_relative: true
    pose0: beacons
    pose0_config: {listed("true, true, false", NO, NO, NO, NO)}
    pose0_differential: true
    pose0_relative: false
    pose0_queue_size: 5
    pose0_rejection_threshold: 2.0
    pose0_nodelay: false
    twist0: doppler
    twist0_config: {listed(NO, NO, YES, NO, NO)}
    twist0_queue_size: 3
    twist0_rejection_threshold: 2.0
    twist0_nodelay: false
    imu0: imu
    imu0_config: {listed(NO, YES, NO, YES, YES)}
    imu0_nodelay: false
    imu0_differential: false
    imu0_relative: true
    imu0_queue_size: 5
    imu0_pose_rejection_threshold: 0.9
    imu0_twist_rejection_threshold: 0.9
    imu0_linear_acceleration_rejection_threshold: 0.9
    imu0_remove_gravitational_acceleration: true
    use_control: true
    stamped_control: false
    control_timeout: 0.2
    control_config: [true, false, false, false, false, true]
    acceleration_limits: [1.3, 0.0, 0.0, 0.0, 0.0, 3.4]
    deceleration_limits: [1.3, 0.0, 0.0, 0.0, 0.0, 4.5]
    acceleration_gains: [0.8, 0.0, 0.0, 0.0, 0.0, 0.9]
    deceleration_gains: [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    dynamic_process_noise_covariance: true
    initial_state: [{", ".join(["0.5"] * 15)}]
    process_noise_covariance: {matrix("0.04")}
    initial_estimate_covariance: {matrix("1e-9")}
    alpha: 0.001
    kappa: 0.0
    beta: 2.0
"""

MANY_INPUTS = f"""
# Nearly all defaults, and diagonals of fifteen.
/**:
  ros__parameters:
    sensor_timeout: 1000.
    odom0: /odom_a
    odom1: /odom_b
    pose0: /pose_a
    pose1: /pose_b
    twist0: /twist_a
    imu0: /imu_a
    imu1: /imu_b
    odom0_config: {listed("true, false, true", NO, NO, NO, NO)}
    odom1_config: {listed(YES, YES, NO, NO, NO)}
    pose0_config: {listed("true, false, true", NO, NO, NO, NO)}
    pose1_config: {listed(YES, YES, NO, NO, NO)}
    twist0_config: {listed(NO, NO, YES, YES, NO)}
    imu0_config: {listed(NO, YES, NO, NO, NO)}
    imu1_config: {listed(NO, YES, NO, NO, NO)}
    odom0_relative: false
    odom1_differential: true
    pose1_differential: true
    imu1_differential: true
    print_diagnostics: false
    process_noise_covariance: [{", ".join(["1e-6"] * 6 + ["0.02"] * 9)}]
"""


def loaded(tmp_path, text, node):
    path = tmp_path / "ekf.yaml"
    path.write_text(text)
    made, unknown = Estimator.from_parameters(load_parameters(path, node))
    assert unknown == []
    return made


def test_every_parameter_there_is_has_its_meaning(tmp_path):
    made = loaded(tmp_path, EVERYTHING, "filter_of_mine")
    assert sorted(made.topics) == ["imu0", "odom0", "odom1", "pose0", "twist0"]
    assert made.child_frame == "base_footprint"
    assert made.warnings == ["imu0 measures ax: use_control leaves vx alone"]
    s = made.filter.settings
    np.testing.assert_array_equal(s.process_noise, 0.04 * np.eye(15))
    np.testing.assert_array_equal(s.initial_covariance, 1e-9 * np.eye(15))
    np.testing.assert_array_equal(s.initial_state, [0.5] * 15)
    assert (s.history, s.sensor_timeout, s.dynamic_process_noise) == (1.5, 0.2, True)
    assert s.control.timeout == 0.2
    assert s.control.deceleration_limits[5] == 4.5


def test_many_inputs_with_defaults_are_understood(tmp_path):
    made = loaded(tmp_path, MANY_INPUTS, "anything")
    assert len(made.inputs) == 7
    assert made.warnings == []
    np.testing.assert_allclose(np.diagonal(made.filter.settings.process_noise)[:6], 1e-6)


def test_what_it_has_by_default_is_the_same(tmp_path):
    made = loaded(tmp_path, MANY_INPUTS, "anything").values
    expected = {
        "frequency": 30.0,
        "two_d_mode": False,
        "predict_to_current_time": False,
        "smooth_lagged_data": False,
        "history_length": 0.0,
        "permit_corrected_publication": False,
        "publish_tf": True,
        "publish_acceleration": False,
        "use_control": False,
        "stamped_control": False,
        "control_timeout": 0.0,
        "disabled_at_startup": False,
        "transform_timeout": 0.0,
        "transform_time_offset": 0.0,
        "gravitational_acceleration": 9.80665,
        "dynamic_process_noise_covariance": False,
        "map_frame": "map",
        "odom_frame": "odom",
        "base_link_frame": "base_link",
        "odom0_queue_size": 10,
        "odom0_pose_use_child_frame": False,
        "imu0_remove_gravitational_acceleration": False,
    }
    assert {name: made[name] for name in expected} == expected


@pytest.mark.parametrize("missing", ["odom0_config", "imu0_config"])
def test_a_topic_without_a_mask_is_left_out(tmp_path, missing):
    lines = MANY_INPUTS.splitlines()
    first = next(i for i, line in enumerate(lines) if missing in line)
    made = loaded(tmp_path, "\n".join(lines[:first] + lines[first + 5 :]), "anything")
    name = missing.removesuffix("_config")
    assert name not in made.inputs
    assert any(warning.startswith(f"{name} (/") for warning in made.warnings)
