"""What the nodes read and send, on a node that is only a clock and a list of messages."""

import math

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.control import CommandLimits, FollowerSettings
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.driver import Driver
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.messages import to_path, to_time, yaw_quaternion
from ebm_mpc_ros.ros.obstacle_input import ObstacleInput
from ebm_mpc_ros.ros.plan_input import PlanInput
from ebm_mpc_ros.ros.plan_message import BadPlanError, from_plan, to_plan
from ebm_mpc_ros.ros.reference_input import ReferenceInput

SECOND = 1_000_000_000
MODEL = load_model("diff_drive")


class FakeNode:
    """Stands in for ManagedNode: the test moves its clocks and hands it messages."""

    def __init__(self):
        self.now = self.steady_now = 100 * SECOND
        self.callbacks, self.services, self.sent, self.timers = {}, {}, [], []

    def listen(self, kind, topic, callback, qos):
        self.callbacks[topic] = callback

    def advertise(self, kind, topic, qos):
        return self

    def publish(self, message):
        self.sent.append(message)

    def serve(self, kind, name, callback):
        self.services[name] = callback

    def every(self, period, callback, *, steady=False):
        self.timers.append(callback)

    def report(self):
        pass

    def get_logger(self):
        return self

    def warning(self, text):
        self.warned = text

    def pass_time(self, seconds):
        self.now += round(seconds * SECOND)
        self.steady_now += round(seconds * SECOND)


class NoTransforms:
    def lookup(self, target, source):
        raise UnknownFrameError(f"no transform from {source!r} to {target!r}")


class Shifted:
    """A frame one metre to the left of odom, turned by a quarter."""

    def lookup(self, target, source):
        half = math.sqrt(0.5)
        return Transform(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, half, half]))


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

    def test_it_is_moved_on_by_its_age(self, node, estimate):
        node.callbacks["odometry/filtered"](odometry(node))
        node.pass_time(0.05)
        expected = MODEL.f(estimate.state, np.array([1.0, 0.0]), 0.05)
        np.testing.assert_allclose(estimate.predicted(np.array([1.0, 0.0])), expected)

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
        states = np.column_stack([0.1 * np.arange(5), np.zeros((5, 4))])
        inputs = np.arange(8.0).reshape(4, 2)
        message = to_plan(node.now, "odom", "base_link", 0.1, states, inputs)
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


class TestDriver:
    LIMITS = CommandLimits(
        max_speed=1.0,
        min_speed=0.0,
        max_yaw_rate=1.0,
        max_acceleration=1.0,
        max_deceleration=2.0,
        max_yaw_acceleration=2.0,
    )

    def driver(self, node, *, enabled=True):
        return Driver(
            node, self.LIMITS, period=0.1, frame="base_link", enabled=enabled, stamped=True
        )

    def moving(self, node, speed=1.0, **arguments):
        """A driver that has just commanded `speed`."""
        driver = self.driver(node, **arguments)
        driver.drive(np.zeros(2), (speed, 0.0))
        node.pass_time(0.1)
        return driver

    def test_an_input_is_integrated_within_the_limits(self, node):
        driver = self.driver(node)
        driver.drive(np.array([9.0, -9.0]), (0.0, 0.0))
        assert driver.command == pytest.approx((0.1, -0.2))
        assert isinstance(node.sent[-1], TwistStamped)
        assert node.sent[-1].twist.linear.x == pytest.approx(0.1)

    def test_a_stop_runs_along_the_deceleration_limit(self, node):
        driver = self.moving(node)
        driver.stop("why")
        assert driver.command[0] == pytest.approx(0.8)
        assert driver.reason == "why"

    def test_a_late_stop_makes_up_for_the_time(self, node):
        driver = self.moving(node)
        node.pass_time(0.05)
        driver.stop("why")
        assert driver.command[0] == pytest.approx(0.7)

    @pytest.mark.parametrize("u", [[math.nan, 0.0], [0.0, math.inf]])
    def test_a_non_finite_input_stops(self, node, u):
        driver = self.moving(node)
        driver.drive(np.array(u), (1.0, 0.0))
        assert driver.command[0] == pytest.approx(0.8)
        assert "not finite" in driver.reason

    def test_disabled_it_slows_down_then_is_silent(self, node):
        driver = self.moving(node, 0.3)
        node.services["~/enable"](SetBool.Request(data=False), SetBool.Response())
        for _ in range(2):
            driver.drive(np.array([1.0, 0.0]), (0.3, 0.0))
            node.pass_time(0.1)
        assert driver.command == (0.0, 0.0)
        count = len(node.sent)
        driver.drive(np.array([1.0, 0.0]), (0.3, 0.0))
        assert len(node.sent) == count

    def test_enabled_while_moving_it_goes_on_from_there(self, node):
        driver = self.driver(node, enabled=False)
        node.services["~/enable"](SetBool.Request(data=True), SetBool.Response())
        driver.drive(np.zeros(2), (0.5, 0.1))
        assert driver.command == pytest.approx((0.5, 0.1))

    def test_after_a_stall_it_goes_on_from_the_robots_own_speed(self, node):
        driver = self.moving(node)
        node.pass_time(1.5)
        driver.drive(np.array([1.0, 0.0]), (0.0, 0.0))
        assert driver.command[0] == pytest.approx(0.1)

    def test_a_stop_after_a_stall_does_not_speed_a_standing_robot_up(self, node):
        driver = self.moving(node)
        node.pass_time(1.5)
        driver.stop("why")
        assert driver.command == (0.0, 0.0)

    def test_disabled_for_a_reason_it_stays_stopped_until_it_is_enabled(self, node):
        driver = self.moving(node, 0.1)
        driver.disable("jumped")
        node.pass_time(0.1)
        driver.drive(np.array([1.0, 0.0]), (0.0, 0.0))
        assert driver.command == (0.0, 0.0)
        assert not driver.enabled

    def test_a_halt_ends_at_rest_and_forgets(self, node, monkeypatch):
        driver = self.moving(node)
        monkeypatch.setattr("time.sleep", node.pass_time)
        driver.halt()
        sent = [message.twist.linear.x for message in node.sent]
        assert sent[-1] == 0.0
        assert max(-np.diff(sent)) <= 0.2 + 1e-9
        assert driver.enabled
        driver.drive(np.zeros(2), (0.0, 0.0))
        assert driver.command == (0.0, 0.0)

    def test_without_ticks_it_stops_by_itself(self, node):
        driver = self.moving(node)
        begun = None
        for k in range(100):
            node.steady_now += SECOND // 100
            for timer in node.timers:
                timer()
            if begun is None and driver.command[0] < 1.0:
                begun = 0.1 + (k + 1) / 100
        assert driver.command == (0.0, 0.0)
        assert begun <= 0.2
        assert "clock" in driver.reason
