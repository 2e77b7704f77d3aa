"""What the nodes read, on a node that is only a clock and a list of messages."""

import math

import numpy as np
import pytest
from fake_node import SECOND, FakeNode, NoTransforms, Shifted
from nav_msgs.msg import Odometry
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.messages import to_time, yaw_quaternion
from ebm_mpc_ros.ros.obstacle_input import ObstacleInput
from ebm_mpc_ros.ros.plan_input import PlanInput
from ebm_mpc_ros.ros.plan_message import BadPlanError, from_plan, to_plan

MODEL = load_model("diff_drive")


@pytest.fixture
def node():
    return FakeNode()


def odometry(node, frame="odom", child="base_link"):
    message = Odometry(child_frame_id=child)
    message.header.frame_id = frame
    message.header.stamp = to_time(node.now)
    message.pose.pose.position.x = 1.0
    message.pose.pose.orientation = yaw_quaternion(0.5)
    message.twist.twist.linear.x = 0.4
    return message


class TestEstimateInput:
    @pytest.fixture
    def estimate(self, node):
        return EstimateInput(node, MODEL, frame="odom", child="base_link", timeout=0.1)

    def test_an_estimate_becomes_a_state(self, node, estimate):
        node.callbacks["odometry/filtered"](odometry(node))
        assert estimate.fault() == ""
        np.testing.assert_allclose(estimate.state, [1.0, 0.0, 0.5, 0.4, 0.0], atol=1e-12)

    def test_an_old_one_is_a_fault(self, node, estimate):
        node.callbacks["odometry/filtered"](odometry(node))
        node.pass_time(0.11)
        assert "more than 0.1 s old" in estimate.fault()

    def test_a_clock_that_stands_still_is_a_fault(self, node, estimate):
        node.callbacks["odometry/filtered"](odometry(node))
        node.steady_now += round(0.6 * SECOND)
        assert "clock stands still" in estimate.fault()

    @pytest.mark.parametrize(
        "change",
        [
            lambda m: setattr(m.header, "frame_id", "map"),
            lambda m: setattr(m, "child_frame_id", "wheel"),
            lambda m: setattr(m.pose.pose.position, "y", math.nan),
            lambda m: setattr(m.twist.twist.angular, "z", math.inf),
            lambda m: setattr(m.pose.pose.orientation, "w", 0.0),
            lambda m: setattr(m.pose.pose.position, "x", 1e9),
            lambda m: setattr(m.twist.twist.linear, "x", 1e4),
        ],
    )
    def test_a_bad_one_is_dropped_and_counted(self, node, estimate, change):
        message = odometry(node)
        message.pose.pose.orientation = yaw_quaternion(0.0)
        change(message)
        node.callbacks["odometry/filtered"](message)
        assert estimate.state is None
        assert estimate.dropped.total() == 1
        assert "unusable" in estimate.fault()

    def test_a_jump_of_the_position_is_told_until_it_is_cleared(self, node, estimate):
        node.callbacks["odometry/filtered"](odometry(node))
        node.pass_time(0.02)
        assert not estimate.jumped
        message = odometry(node)
        message.pose.pose.position.x = 5.0
        node.callbacks["odometry/filtered"](message)
        assert estimate.jumped
        node.callbacks["odometry/filtered"](message)
        assert estimate.jumped
        estimate.reset()
        assert not estimate.jumped


class TestPlan:
    def plan(self, node, **changes):
        states = np.column_stack([0.1 * np.arange(5), np.zeros((5, 5))])
        inputs = np.arange(8.0).reshape(4, 2)
        message = to_plan(node.now, "odom", "base_link", 0.1, states, inputs, ("ax", "alpha"))
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def test_a_plan_survives_the_message(self, node):
        plan = from_plan(self.plan(node), "odom", "base_link")
        np.testing.assert_allclose(plan.trajectory.resample(0.0, 0.1, 4)[:, 0], 0.1 * np.arange(5))
        assert plan.stamp == node.now

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda m: setattr(m.header, "frame_id", "map"), "frame"),
            (lambda m: setattr(m, "joint_names", ["arm"]), "joint_names"),
            (lambda m: setattr(m, "points", m.points[:1]), "no plan"),
            (lambda m: setattr(m.points[2], "accelerations", []), "lacks"),
            (lambda m: setattr(m.points[2].velocities[0].linear, "x", math.nan), "not finite"),
            (lambda m: setattr(m.points[3].time_from_start, "nanosec", 0), "increase"),
            (lambda m: setattr(m.points[1].velocities[0].linear, "x", 1e300), "absurdly"),
            (lambda m: setattr(m.points[1].transforms[0].rotation, "w", 0.0), "quaternion"),
        ],
    )
    def test_a_bad_plan_is_refused_with_a_reason(self, node, change, words):
        message = self.plan(node)
        change(message)
        with pytest.raises(BadPlanError, match=words):
            from_plan(message, "odom", "base_link")

    @pytest.fixture
    def plans(self, node):
        return PlanInput(node, frame="odom", child="base_link", timeout=0.12, max_age=0.3)

    def test_silence_is_a_fault(self, node, plans):
        assert "no policy/plan yet" in plans.fault()
        plans.take(self.plan(node))
        assert plans.fault() == ""
        node.pass_time(0.13)
        assert "silent" in plans.fault()

    @pytest.mark.parametrize("back", [0.1, 0.2, 60.0])
    def test_a_clock_that_is_set_back_makes_no_silence_short(self, node, plans, back):
        plans.take(self.plan(node))
        node.pass_time(0.15)
        node.now -= round(back * 1e9)
        for _ in range(100):
            assert plans.fault()
            node.pass_time(0.01)

    def test_a_plan_from_an_old_state_is_a_fault(self, node, plans):
        message = self.plan(node)
        node.pass_time(0.35)
        plans.take(message)
        assert "more than 0.3 s old" in plans.fault()

    def test_a_plan_from_the_future_is_dropped(self, node, plans):
        message = self.plan(node)
        node.pass_time(-0.5)
        plans.take(message)
        assert "unusable" in plans.fault()
        assert plans.dropped["stamp in the future"] == 1

    def test_a_clock_that_jumps_back_makes_a_plan_a_fault(self, node, plans):
        plans.take(self.plan(node))
        node.pass_time(-50.0)
        assert "jumped back" in plans.fault()

    def test_a_bad_plan_does_not_replace_a_good_one(self, node, plans):
        plans.take(self.plan(node))
        plans.take(self.plan(node, joint_names=["arm"]))
        assert plans.fault() == ""
        assert plans.dropped.total() == 1


class TestObstacles:
    def send(self, node, *markers):
        node.callbacks["obstacles"](MarkerArray(markers=list(markers)))

    def marker(self, number=0, x=2.0, action=Marker.ADD, kind=Marker.CYLINDER, **header):
        marker = Marker(type=kind, action=action, id=number, ns="o")
        marker.header.frame_id = header.get("frame", "odom")
        marker.pose.position.x = x
        marker.scale.x = 0.6
        return marker

    def test_radius_is_half_the_scale(self, node):
        obstacles = ObstacleInput(node, NoTransforms(), "odom")
        self.send(node, self.marker())
        np.testing.assert_allclose(obstacles.circles(), [[2.0, 0.0, 0.3]])

    def test_markers_are_replaced_deleted_and_all_deleted(self, node):
        obstacles = ObstacleInput(node, NoTransforms(), "odom")
        self.send(node, self.marker(0), self.marker(1, 3.0), self.marker(1, 4.0))
        assert sorted(obstacles.circles()[:, 0]) == [2.0, 4.0]
        self.send(node, self.marker(0, action=Marker.DELETE))
        assert obstacles.circles()[:, 0].tolist() == [4.0]
        self.send(node, self.marker(action=Marker.DELETEALL))
        assert obstacles.circles().shape == (0, 3)

    def test_a_lifetime_ends(self, node):
        obstacles = ObstacleInput(node, NoTransforms(), "odom")
        marker = self.marker()
        marker.lifetime.sec = 2
        self.send(node, marker)
        node.pass_time(1.9)
        assert len(obstacles.circles()) == 1
        node.pass_time(0.2)
        assert len(obstacles.circles()) == 0

    def test_another_frame_is_transformed_where_it_is_known(self, node):
        obstacles = ObstacleInput(node, Shifted(), "odom")
        self.send(node, self.marker(frame="map"))
        np.testing.assert_allclose(obstacles.circles(), [[0.0, 3.0, 0.3]], atol=1e-12)

    def test_what_is_no_obstacle_is_counted(self, node):
        obstacles = ObstacleInput(node, NoTransforms(), "odom")
        self.send(
            node,
            self.marker(0, kind=Marker.CUBE),
            self.marker(1, x=math.nan),
            self.marker(2, frame="map"),
        )
        assert obstacles.circles().shape == (0, 3)
        assert obstacles.dropped.total() == 3
