"""The estimator with `estimator: energy`: parameters, the estimate, the particles to show."""

import numpy as np
import pytest
from estimating import START, estimator, feed, mask, odometry, pose

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.estimator_health import EstimatorHealth

DRIVE = {
    "model": "diff_drive",
    "odom0_config": mask("vx", "vyaw"),
    "initial_estimate_covariance": [0.01] * 15,
}


def driven(**parameters):
    made = estimator(**(DRIVE | parameters))
    message = lambda stamp: odometry(stamp, linear=(0.5, 0, 0), angular=(0, 0, 0.2))  # noqa: E731
    feed(made, "odom0", [message] * 20)
    return made


def test_its_estimate_is_near_the_ekfs():
    ours, theirs = (driven(estimator=name).published for name in ("energy", "ekf"))
    deviation = np.sqrt(theirs.belief.covariance.diagonal())
    error = (ours.belief.state - theirs.belief.state) / deviation
    assert ours.stamp == theirs.stamp
    assert 0.0 < np.abs(error).max() < 0.4


def test_the_particles_shown_are_poses_about_the_estimate():
    made = driven(estimator="energy", particles=300, samples_shown=200)
    samples, out = made.samples(made.published), made.odometry(made.published)
    assert samples.stamp == made.published.stamp
    assert samples.positions.shape == (200, 3)
    error = 5.0 * np.sqrt(out.pose_covariance.diagonal()[:3] / 100)
    assert (np.abs(samples.positions.mean(0) - out.position) < error + 1e-12).all()
    spread = np.cov(samples.positions[:, :2].T)
    np.testing.assert_allclose(spread, out.pose_covariance[:2, :2], atol=0.4 * spread.max())
    yaw, middle = rotation.heading(samples.quaternions), rotation.heading(out.quaternion)
    assert abs(yaw.mean() - middle) < 5.0 * yaw.std() / 10.0
    np.testing.assert_array_equal(samples.positions[:, 2], 0.0)


@pytest.mark.parametrize("given", [{"estimator": "ekf"}, {"samples_shown": 0}])
def test_none_are_shown_where_there_are_none_to_show(given):
    made = driven(**({"estimator": "energy"} | given))
    assert made.samples(made.published) is None


def test_a_robot_in_space_can_be_estimated_so():
    made = estimator(
        estimator="energy",
        pose0="/pose",
        pose0_config=mask("x", "y", "z", "roll", "pitch", "yaw"),
        initial_estimate_covariance=[0.01] * 15,
    )
    half = np.array([0.0, np.sin(0.1), 0.0, np.cos(0.1)])
    message = lambda stamp: pose(stamp, position=(1, 2, 3), orientation=half)  # noqa: E731
    out = feed(made, "pose0", [message] * 10)
    np.testing.assert_allclose(out.position, [1, 2, 3], atol=0.2)
    np.testing.assert_allclose(out.quaternion, half, atol=0.05)
    assert made.samples(made.published).quaternions.shape == (100, 4)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"estimator": "ukf"}, "parameter estimator = ukf: must be .*ekf.*energy"),
        ({"particles": 1}, "parameter particles = 1: "),
        ({"dynamic_process_noise_covariance": True}, "must be ekf with dynamic_process_noise"),
        (
            {"model": "rigid_body", "use_control": True, "control_config": [True] * 6},
            "must be ekf with use_control without",
        ),
        ({"imu0": "/imu", "imu0_config": mask("vyaw"), "imu0_estimate_gyro_bias": True}, "biases"),
        ({"process_noise_covariance": [0.0] * 15}, "parameter process_noise_covariance must be"),
    ],
)
def test_what_it_can_not_do_is_refused_by_name(given, named):
    with pytest.raises(UserError, match=named):
        estimator(**(DRIVE | {"estimator": "energy"} | given))


def test_diagnostics_say_how_many_particles_explain_a_message():
    told = EstimatorHealth(driven(estimator="energy"), None, lambda topic: 1).figures()
    assert told["particles"] == 500
    assert 2 < int(told["particles that explain the last message"]) <= 500
    assert 2 < int(told["particles that its draws are worth"]) <= 500
    assert 0.3 < float(told["share of its Langevin steps accepted"]) <= 1.0
    assert "particles" not in EstimatorHealth(driven(), None, lambda topic: 1).figures()


def test_after_a_reset_it_begins_anew():
    made = driven(estimator="energy")
    made.reset()
    assert made.advance(START) is None
