"""Plans and goals to follow."""

import math

import numpy as np
import pytest
from fake_node import FakeNode, NoTransforms, Shifted
from geometry_msgs.msg import PoseStamped

from ebm_mpc_ros.control import FollowerSettings
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.messages import to_path
from ebm_mpc_ros.ros.reference_input import ReferenceInput

MODEL = load_model("diff_drive")


@pytest.fixture
def node():
    return FakeNode()


class TestReferences:
    def follow(self, node, transforms=None):
        settings = FollowerSettings(cruise_speed=1.0)
        return ReferenceInput(node, MODEL, settings, transforms or NoTransforms(), "odom")

    def test_a_plan_is_followed_from_the_robot_on(self, node):
        reference = self.follow(node)
        assert "no plan" in reference.fault()
        node.callbacks["plan"](to_path(0, "odom", [(0.1 * k, 0.0, 0.0) for k in range(50)]))
        assert reference.fault() == ""
        rows = reference.reference(np.array([1.0, 0.2, 0.0, 1.0, 0.0]), 0.1, 10)
        np.testing.assert_allclose(rows[0, :3], [1.0, 0.0, 0.0], atol=0.02)
        assert rows[-1, 0] > 1.7

    def test_a_leading_slash_means_nothing(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "/odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert reference.fault() == ""

    def test_an_unknown_frame_is_refused_with_a_reason(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "map", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert "plan refused" in reference.fault()
        assert "map" in node.warned

    @pytest.mark.parametrize(
        "points",
        [
            [(0.0, 0.0, 0.0)],
            [(0.0, 0.0, 0.0), (math.nan, 0.0, 0.0)],
            [(0.0, 0.0, 0.0), (1e308, 0.0, 0.0)],
        ],
    )
    def test_a_plan_that_is_none_is_refused(self, node, points):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", points))
        assert "plan refused" in reference.fault()
        assert reference.dropped.total() == 1

    def test_an_empty_plan_cancels(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        node.callbacks["plan"](to_path(1, "odom", []))
        assert "cancelled" in reference.fault()

    def test_a_refused_plan_leaves_the_one_before_in_force_and_says_so(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        node.callbacks["plan"](to_path(0, "map", [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)]))
        assert reference.fault() == ""
        assert "refused" in reference.refusal

    @pytest.mark.parametrize("x", [math.nan, 1e200])
    def test_an_impossible_goal_is_refused(self, node, x):
        reference = self.follow(node)
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x = x
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        assert "goal_pose refused" in reference.fault()

    def test_a_goal_where_the_robot_stands_ends_the_path_before(self, node):
        reference = self.follow(node)
        node.callbacks["plan"](to_path(0, "odom", [(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)]))
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x = 2.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        rows = reference.reference(np.array([2.0, 0.0, 0.0, 0.0, 0.0]), 0.1, 20)
        np.testing.assert_allclose(rows[-1, :2], [2.0, 0.0], atol=0.02)
        assert reference.finished

    def test_a_goal_in_another_frame_is_transformed(self, node):
        reference = self.follow(node, Shifted())
        goal = PoseStamped()
        goal.header.frame_id = "map"
        goal.pose.position.x = 3.0
        goal.pose.orientation.w = 1.0
        node.callbacks["goal_pose"](goal)
        rows = reference.reference(np.array([0.0, 1.0, math.pi / 2, 0.5, 0.0]), 0.1, 80)
        np.testing.assert_allclose(rows[-1, :2], [0.0, 4.0], atol=0.05)
