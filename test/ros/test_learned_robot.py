"""`model: learned` in the estimator and the controller, by parameters alone."""

import inspect
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from estimating import MS, START, estimator, feed, odometry, with_imu
from slipping import DT, MODEL, SAID, checkpoint, moved

from ebm_mpc_ros.learning.checkpoint import load, save
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import ParameterError, read
from ebm_mpc_ros.ros.robot_model import robot_model
from ebm_mpc_ros.ros.robot_parameters import robot_model_of


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("learned"))
    return {"model": "learned", "model_checkpoint": str(path)}


def controller(**given):
    values, unknown = read(MPC_PARAMETERS, given)
    assert not unknown
    return Controller(controller_settings(values, robot_model_of(values)))


@pytest.mark.parametrize("rate", [4, 10, 50])
def test_the_estimator_knows_at_any_rate_that_the_robot_turns_less_than_it_says(learned, rate):
    x, messages, truth = np.array([0.0, 0.0, 0.0, 0.6, 0.4]), [], []
    for _ in range(3 * rate):
        x = moved(x, np.zeros(2), 1.0 / rate)
        truth.append(x[2])
        twist = {"linear": (x[3], 0, 0), "angular": (0, 0, x[4])}
        messages.append(
            lambda stamp, twist=twist: odometry(stamp, twist_variance=(1e-6,) * 6, **twist)
        )
    ends = []
    for model in ({"model": "diff_drive"}, learned):
        made = estimator(use_control=True, **model)
        feed(made, "odom0", messages, period=1000 // rate * MS)
        ends.append(made.filter.estimate.belief.state[2])
    turned = truth[-1] - truth[0]
    assert ends[0] == pytest.approx(SAID * turned, rel=0.03)
    assert ends[1] == pytest.approx(turned, rel=0.05)


def test_a_long_way_without_messages_is_predicted_in_whole_steps(learned):
    made = estimator(use_control=True, **learned)
    twist = {"linear": (0.6, 0, 0), "angular": (0, 0, 0.4), "twist_variance": (1e-6,) * 6}
    made.receive("odom0", odometry(START, **twist), START)
    made.to_publish(START)
    state = made.filter.estimate.belief.state
    after = made.filter.at(START + 250 * MS).belief.state
    expected = made.model.f(state, np.zeros(2), 0.25)
    np.testing.assert_allclose(after, expected, atol=1e-12)
    assert abs(after[2] - MODEL.f(state, np.zeros(2), 0.25)[2]) > 0.01


@pytest.mark.parametrize("period", [30, 100, 170])
def test_particles_move_on_it_over_any_time(learned, period):
    x, ends = np.array([0.0, 0.0, 0.0, 0.6, 0.4]), []
    twist = {"linear": (x[3], 0, 0), "angular": (0, 0, x[4]), "twist_variance": (1e-6,) * 6}
    for name in ("ekf", "energy"):
        made = estimator(use_control=True, **learned, estimator=name, particles=200)
        feed(made, "odom0", [lambda stamp: odometry(stamp, **twist)] * 20, period=period * MS)
        ends.append(made.filter.estimate.belief.state[2])
    assert ends[1] == pytest.approx(ends[0], rel=0.05)


def test_the_process_noise_is_the_checkpoints(learned):
    made = with_imu(
        "vyaw", use_control=True, imu0_estimate_gyro_bias=True, imu0_gyro_bias_noise=3e-5, **learned
    )
    noise = made.filter.settings.process_noise
    np.testing.assert_array_equal(noise[:5, :5], made.model.base.noise_density)
    np.testing.assert_allclose(np.diag(noise)[5:], 3e-5)
    assert not noise[:5, 5:].any()
    assert made.model.step == DT
    made.change(made.values | {"process_noise_covariance": [1.0] * 15})()
    np.testing.assert_array_equal(made.filter.settings.process_noise, noise)
    scaled = estimator(use_control=True, **learned, dynamic_process_noise_covariance=True)
    assert not scaled.filter.settings.dynamic_process_noise


def test_the_controller_plans_on_it(learned):
    made = controller(**learned, dt=DT, half_planes=0)
    assert isinstance(made.settings.problem.model, LearnedModel)
    x = np.array([0.0, 0.05, 0.0, 0.6, 0.3])
    reference = [x]
    for _ in range(40):
        reference.append(moved(reference[-1], np.zeros(2), DT))
    for k in range(10):
        part = np.array(reference[k : k + 26])
        decision = made.tick(x, part, np.empty((0, 3)), None, 1)
        assert decision.solution.usable
        x = moved(x, decision.input, DT)
    assert np.linalg.norm(x[:2] - reference[10][:2]) < 0.03


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dt": 0.05}, r"parameter dt = 0.05: must be 0.1, .* or a whole multiple"),
        (
            {"dt": 0.1, "model_checkpoint": ""},
            "parameter model_checkpoint: must be a file with model = learned",
        ),
        ({"dt": 0.1, "model_checkpoint": "nowhere"}, "parameter model_checkpoint: nowhere"),
        (
            {
                "dt": 0.1,
                "model_checkpoint": "package://ebm_mpc_ros/checkpoints/two_sided.safetensors",
            },
            "trained for kind policy, but kind is transition here",
        ),
    ],
)
def test_what_can_not_be_driven_is_refused_in_words(learned, given, words):
    with pytest.raises(ParameterError, match=words):
        controller(**(learned | given))
    if given["dt"] == DT:
        with pytest.raises(ParameterError, match=words):
            estimator(
                **(learned | {"use_control": True, "model_checkpoint": given["model_checkpoint"]})
            )


def test_without_the_commands_its_noise_would_be_too_small_and_it_is_refused(learned):
    with pytest.raises(ParameterError, match="use_control: must be true with a learned model"):
        estimator(**learned)


def test_the_models_name_may_stand_in_place_of_learned_and_must_be_the_files(learned):
    named = learned | {"model": "diff_drive"}
    assert isinstance(robot_model("diff_drive", named), LearnedModel)
    with pytest.raises(ParameterError, match=r"model_checkpoint: .* model diff_drive, but .* omni"):
        robot_model("omni", named)


def test_a_class_of_a_module_is_loaded_where_a_parameter_names_it_and_not_a_file(learned, tmp_path):
    found = load(Path(learned["model_checkpoint"]))
    name = "ebm_mpc_ros.models.diff_drive:DiffDrive"
    save(tmp_path / "c", found.arrays, replace(found.contract, model=name))
    values = {"model_checkpoint": str(tmp_path / "c")}
    assert isinstance(robot_model(name, values), LearnedModel)
    with pytest.raises(ParameterError, match="the parameter model must name it"):
        robot_model("learned", values)


def test_the_nodes_run_it_without_torch(learned):
    pytest.importorskip("rclpy")
    code = f"""
import sys
sys.modules["torch"] = None
sys.path += {sys.path!r}
import ebm_mpc_ros.nodes.ekf, ebm_mpc_ros.nodes.mpc
from estimating import estimator
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import robot_model_of
{inspect.getsource(controller)}
learned = {learned!r}
print(type(estimator(use_control=True, **learned).model).__name__)
print(type(controller(**learned, dt={DT}).settings.problem.model).__name__)
print(sum(name.startswith("ebm_mpc_ros.energy") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["LearnedModel", "LearnedModel", "0"], done.stderr
