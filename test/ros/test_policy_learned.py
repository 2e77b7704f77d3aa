"""policy_node on a learned model: its plans go where the robot will."""

import re

import numpy as np
import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from slipping import DT, checkpoint, moved

from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.tools.graph import SHIPPED_POLICY

TURNING = [0.0, 0.0, 0.3, 0.6, 0.5]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    path = checkpoint(tmp_path_factory.mktemp("learned"))
    return {"model": "learned", "model_checkpoint": str(path)}


@pytest.mark.parametrize("policy", ["", SHIPPED_POLICY])
def test_its_plans_go_where_the_robot_goes(policy_bench, learned, policy):
    node = policy_bench(checkpoint=policy, cruise_speed=0.6, **learned)
    node.run()
    node.state[:] = TURNING
    for _ in range(4):
        node.step()
    plan = node._newest[1]
    states = [plan.states[0]]
    for u in plan.inputs:
        states.append(moved(states[-1], u, DT))
    assert abs(plan.states[-1, 2] - plan.states[0, 2]) > 0.1
    np.testing.assert_allclose(plan.states[:, :3], np.array(states)[:, :3], atol=0.05)
    assert node.condition().level is Level.OK


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dt": 0.15}, r"parameter dt = 0.15: must be 0.1,"),
        ({"model_checkpoint": ""}, "parameter model_checkpoint: must be a file with model"),
        ({"model_checkpoint": SHIPPED_POLICY}, "parameter model_checkpoint: .* for kind policy"),
        ({"risk_seeking_noise": [0.01] * 5}, "risk_seeking_noise is not for a learned model"),
    ],
)
def test_what_can_not_be_planned_on_is_refused_in_words(policy_bench, learned, given, words):
    node = policy_bench(**(learned | given))
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    condition = node._condition()
    assert condition.level is Level.ERROR
    assert re.search(words, condition.message)
