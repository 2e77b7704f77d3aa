"""policy_node's parameters: what can never work is refused in words."""

import numpy as np
import pytest

pytest.importorskip("torch")

from ebm_mpc_ros.energy.risk_seeking import RiskSeekingPlanner
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.parameters import ParameterError, read
from ebm_mpc_ros.ros.policy_choice import policy_of
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dt", 1e-10),
        ("dt", 10.0),
        ("command_period", 1e-10),
        ("frequency", 1e-300),
        ("horizon", 10**9),
        ("chains", 10**9),
        ("steps", 10**9),
        ("temperature", 1e300),
        ("levels", 1),
        ("level_steps", 10**9),
        ("goal_weight", -1.0),
        ("smoothness", 0.0),
        ("switch_margin", 1e300),
        ("robot_radius", 1e300),
        ("obstacle_margin", 1e300),
        ("obstacle_weight", 1e300),
        ("time_limit", 1e300),
        ("samples_shown", 10**9),
    ],
)
def test_what_can_never_work_is_refused(name, value):
    with pytest.raises(ParameterError, match=rf"parameter {name} = .* must be .* from .* to "):
        read(POLICY_PARAMETERS, {name: value})


def test_the_defaults_are_allowed():
    for row in POLICY_PARAMETERS:
        assert row.check(row.default) == row.default


def test_a_policy_over_states_and_inputs_is_asked_for_by_its_noise():
    values, _ = read(POLICY_PARAMETERS, {"risk_seeking_noise": [0.01] * 5, "time_limit": 10.0})
    policy = policy_of(values, load_model("diff_drive"), "cpu")
    assert isinstance(policy, RiskSeekingPlanner)
    way = np.zeros((values["horizon"] + 1, 5))
    assert policy.plan(np.zeros(5), way, np.zeros((0, 3))).inputs.shape == (values["horizon"], 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"risk_seeking_noise": [0.01] * 4}, "one for each of x, y, yaw, vx, vyaw"),
        ({"risk_seeking_noise": [0.01] * 5, "checkpoint": "any"}, "not for a checkpoint"),
    ],
)
def test_noise_that_does_not_fit_is_refused(given, words):
    values, _ = read(POLICY_PARAMETERS, given)
    with pytest.raises(ParameterError, match=words):
        policy_of(values, load_model("diff_drive"), "cpu")
