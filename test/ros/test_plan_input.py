"""policy/plan as the controller reads it."""

import pytest
from fake_node import FakeNode
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ebm_mpc_ros.ros.plan_input import PlanInput


@pytest.fixture
def plans():
    return PlanInput(FakeNode(), frame="odom", child="base_link", timeout=0.3, max_age=0.3)


def test_a_plan_that_cannot_be_used_is_told_while_there_is_none(plans):
    plans.take(MultiDOFJointTrajectory())
    assert plans.fault().startswith("policy/plan unusable: ")


def test_after_a_pause_an_old_refusal_is_no_more_told(plans):
    plans.take(MultiDOFJointTrajectory())
    plans.reset()
    assert plans.fault() == "no policy/plan yet"
