"""A transition from the command line: what `train` says of its use is all that the nodes need."""

import numpy as np
import pytest
import yaml
from replaying import ROOT, mask
from training import QUICK, settings, train, write_bag

from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS
from ebm_mpc_ros.ros.robot_model import check_step
from ebm_mpc_ros.ros.robot_parameters import robot_model_of
from ebm_mpc_ros.tools.train_use import step_warnings

CONFIG = ROOT / "config" / "transition.yaml"


@pytest.fixture
def told(here, tmp_path):
    """Train a few steps with the settings that ship; return what is said, and the file of it."""

    def told(model="diff_drive", **changes):
        shipped = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        robot = load_model(model, changes)
        bag = write_bag(tmp_path / "bag", model=robot)
        config = settings(
            tmp_path / "train.yaml", shipped, training=QUICK["training"], model=model, **changes
        )
        done = train([bag], config, tmp_path / "my out", run=here)
        assert done.returncode == 0, done.stderr
        path = tmp_path / "told.yaml"
        said, _, parameters = done.stderr.partition(
            "by these parameters of the nodes beside yours:\n"
        )
        path.write_text(parameters, encoding="utf-8")
        return said, path

    return told


def configured(path):
    """Return what the nodes make of the file and their defaults: estimator, controller.

    The estimator has a sensor besides, for there is none by default.
    """
    sensor = {"odom0": "/odom", "odom0_config": mask("vx", "vyaw")}
    estimator, unknown = Estimator.from_parameters(sensor | load_parameters(path, "ekf_node"))
    assert not unknown
    values, unknown = read(MPC_PARAMETERS, load_parameters(path, "mpc_node"))
    assert not unknown
    controller = Controller(controller_settings(values, robot_model_of(values)))
    values, unknown = read(POLICY_PARAMETERS, load_parameters(path, "policy_node"))
    assert not unknown
    check_step(robot_model_of(values), values["dt"])
    return estimator, controller


def test_the_nodes_run_on_it_by_what_is_told_and_their_defaults(told, tmp_path):
    said, path = told()
    assert "to run on it" not in said
    estimator, controller = configured(path)
    assert isinstance(estimator.model, LearnedModel)
    assert estimator.filter.settings.use_control
    problem = controller.settings.problem
    assert isinstance(problem.model, LearnedModel)
    assert problem.dt == 0.05
    trained = load(tmp_path / "my out" / "checkpoint.safetensors").contract
    assert trained.dt == problem.model.step == 0.05
    x = np.array([0.0, 0.0, 0.3, 0.6, 0.1])
    u = np.array([0.2, -0.1])
    np.testing.assert_array_equal(estimator.model.f(x, u, 0.05), problem.model.f(x, u, 0.05))
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    shown = path.read_text(encoding="utf-8").replace(f"{tmp_path}/my out", "out/transition")
    assert f"```yaml\n{shown}```" in page


def test_a_class_is_named_by_the_parameter_and_no_file(told):
    name = "ebm_mpc_ros.models.diff_drive:DiffDrive"
    _, path = told(name)
    assert load_parameters(path, "mpc_node")["model"] == name
    configured(path)


def test_a_car_of_another_wheelbase_and_step_is_told_both(told):
    said, path = told("ackermann", wheelbase=0.4, dt=0.08)
    for node, default in (("mpc_node", 0.05), ("policy_node", 0.1)):
        words = f"{node} must have dt 0.08 to run on it: its default, {default:g} s, is no whole"
        assert f"warning: {words} multiple of 0.08\n" in said
    _, controller = configured(path)
    assert controller.settings.problem.dt == 0.08
    assert load_parameters(path, "ekf_node")["wheelbase"] == 0.4


@pytest.mark.parametrize("dt", [0.05, 0.025, 0.01, 0.05 / 3.0])
def test_steps_that_divide_the_defaults_are_not_warned_of(dt):
    assert step_warnings(dt) == []


def test_a_step_that_a_node_can_not_take_is_warned_of():
    assert step_warnings(0.1) == [
        "mpc_node must have dt 0.1 to run on it: its default, 0.05 s, is no whole multiple of 0.1"
    ]
    short, long = step_warnings(0.2)
    assert short == "mpc_node can't run on it: its dt is at most 0.1 s, not 0.2"
    assert long.startswith("policy_node must have dt 0.2 to run on it")
    assert len(step_warnings(2.0)) == 2
    short, long = step_warnings(0.04)
    assert short.startswith("mpc_node must have dt 0.04 to run on it: its default, 0.05 s, is")
    assert long.startswith("policy_node must have dt 0.08 to run on it: its default, 0.1 s, is")
