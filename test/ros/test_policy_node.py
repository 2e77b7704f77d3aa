"""policy_node without DDS: each kind of robot driven by it alone, and what changes meanwhile."""

import random
import time
from collections import defaultdict

import numpy as np
import pytest
import rclpy
from nav_msgs.msg import Odometry
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.control import planar_outputs
from ebm_mpc_ros.nodes.policy import PolicyNode
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.messages import to_path, to_time, yaw_quaternion
from ebm_mpc_ros.ros.plan_message import from_plan

PATIENCE = 20.0
PERIOD = 0.05
ROBOTS = pytest.mark.parametrize("model", ["diff_drive", "ackermann", "omni"])


class Outlet(list):
    """A publisher that keeps what it is given."""

    publish = list.append


class Bench(PolicyNode):
    """The node with its clock, messages and timers in the test's hands."""

    time = 100_000_000_000
    now = steady_now = property(lambda self: self.time)

    def __init__(self, **parameters):
        self.callbacks, self.served, self.timers_of = {}, {}, {}
        self.outputs = defaultdict(Outlet)
        super().__init__()
        given = {"device": "cpu", "send_commands": True, "enabled": True, "time_limit": 10.0}
        given |= {"chains": 16, "steps": 2, "samples_shown": 0}
        self.give(**(given | parameters))

    def give(self, **parameters):
        return self.set_parameters_atomically(
            [rclpy.Parameter(name, value=value) for name, value in parameters.items()]
        )

    def listen(self, kind, topic, callback, qos, *, always=False):
        self.callbacks[topic] = callback

    def listen_raw(self, kind, topic, callback, qos):
        self.callbacks[topic] = lambda message: callback(serialize_message(message))

    def advertise(self, kind, topic, qos):
        return self.outputs[topic]

    def every(self, period, callback, *, steady=False):
        self.timers_of[callback.__name__] = callback

    def serve(self, kind, name, callback):
        self.served[name] = callback

    def run(self):
        assert self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert self.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.state = np.zeros(self._model.state_size)
        path = to_path(0, "odom", [(0.1 * k, 0.0, 0.0) for k in range(100)])
        self.estimated()
        self.callbacks["plan"](path)

    def estimated(self):
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id = "odom"
        message.header.stamp = to_time(self.time)
        pose, twist = message.pose.pose, message.twist.twist
        planar = planar_outputs(self._model, self.state).tolist()
        pose.position.x, pose.position.y = planar[:2]
        pose.orientation = yaw_quaternion(planar[2])
        twist.linear.x, twist.linear.y, twist.angular.z = planar[3:]
        self.callbacks["odometry/filtered"](message)

    def step(self):
        """Plan, command, and move as commanded."""
        plans = len(self.outputs["policy/plan"])
        self.estimated()
        self.timers_of["_tick"]()
        deadline = time.monotonic() + PATIENCE
        while len(self.outputs["policy/plan"]) == plans:
            assert time.monotonic() < deadline, self.condition()
            time.sleep(1e-3)
        self.timers_of["_drive"]()
        u = np.zeros(len(self._model.input_names))
        self.state[self._actuation.indices] = self._driver.command
        self.state = np.asarray(self._model.f(self.state, u, PERIOD))
        self.time += round(PERIOD * 1e9)


@pytest.fixture(scope="module", autouse=True)
def ros():
    """A private domain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        rclpy.init(
            args=[],
            domain_id=random.SystemRandom().choice(range(2, 102)),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        yield
        rclpy.shutdown()


@pytest.fixture
def bench():
    made = []

    def make(**parameters):
        made.append(Bench(**parameters))
        return made[-1]

    yield make
    for node in made:
        node.active = False
        node.close()
        node.destroy_node()


@ROBOTS
def test_each_robot_is_driven_along_a_path(bench, model):
    node = bench(model=model)
    node.run()
    node.state[1] = 0.2
    for _ in range(50):
        node.step()
    twists = [message.twist for message in node.outputs["cmd_vel"]]
    assert node.state[0] > 1.3
    assert abs(node.state[1]) < 0.05
    assert max(twist.linear.x for twist in twists) <= 1.15
    sideways = max(abs(twist.linear.y) for twist in twists)
    assert sideways > 0.02 if model == "omni" else sideways == 0.0


@ROBOTS
def test_a_plan_holds_what_the_robots_twist_will_be(bench, model):
    node = bench(model=model)
    node.run()
    node.state[1] = 0.2
    for _ in range(10):
        node.step()
    plan = from_plan(node.outputs["policy/plan"][-1], "odom", "base_link").trajectory
    states = plan.resample(0.0, 0.1, 20)
    moved = np.diff(states[:, :2], axis=0) / 0.1
    heading, velocity = states[:-1, 2], 0.5 * (states[:-1, 3:] + states[1:, 3:])
    along = velocity[:, 0] * np.cos(heading) - velocity[:, 1] * np.sin(heading)
    across = velocity[:, 0] * np.sin(heading) + velocity[:, 1] * np.cos(heading)
    np.testing.assert_allclose(moved, np.column_stack([along, across]), atol=0.1)
    np.testing.assert_allclose(np.diff(states[:, 2]) / 0.1, velocity[:, 2], atol=0.02)


def test_a_car_drives_off_with_its_wheels_as_it_stopped(bench):
    node = bench(model="ackermann")
    node.run()
    node.step()
    node._driver.command = (0.0, 0.4)
    node.estimated()
    node.timers_of["_tick"]()
    with node._wake:
        assert node._job is None or node._job.state[4] == 0.4
    node.step()
    assert node._newest[1].states[0, 4] == pytest.approx(0.4)


class TestChanges:
    def test_a_lower_speed_holds_for_path_plan_and_command(self, bench):
        node = bench()
        node.run()
        for _ in range(30):
            node.step()
        assert node.outputs["cmd_vel"][-1].twist.linear.x > 0.8
        assert node.give(cruise_speed=0.4).successful
        assert node.give(max_speed=0.5).successful
        sent = len(node.outputs["cmd_vel"]) - 1
        for _ in range(20):
            node.step()
        speeds = [message.twist.linear.x for message in node.outputs["cmd_vel"][sent:]]
        assert np.diff(speeds).min() >= -1.0 * PERIOD - 1e-9
        assert speeds[-1] == pytest.approx(0.4, abs=0.05)

    def test_a_lower_acceleration_holds_for_plan_and_command(self, bench):
        node = bench()
        node.run()
        node.step()
        assert node._newest[1].inputs[:, 0].max() > 0.9
        assert node.give(max_acceleration=0.3).successful
        node.step()
        assert node._newest[1].inputs[:, 0].max() <= 0.3 + 1e-6
        before = node._driver.command[0]
        node._driver.drive(np.array([1.0, 0.0]), np.zeros(2))
        assert node._driver.command[0] == pytest.approx(before + 0.3 * PERIOD)

    def test_a_bad_value_is_refused_and_changes_nothing(self, bench):
        node = bench()
        node.run()
        answer = node.give(cruise_speed=3.0)
        assert not answer.successful
        assert "must be at most max_speed" in answer.reason
        answer = node.give(input_weights=[1.0])
        assert "must be one each of ax, alpha" in answer.reason
        for _ in range(10):
            node.step()
        assert 0.0 < node.outputs["cmd_vel"][-1].twist.linear.x <= 1.0

    def test_a_model_does_not_change_while_it_is_driven(self, bench):
        node = bench()
        node.run()
        assert "fixed while" in node.give(model="omni").reason

    def test_a_robot_that_backs_up_keeps_leave_to(self, bench):
        node = bench()
        node.run()
        turned = [(-0.1 * k * np.cos(0.1), -0.1 * k * np.sin(0.1), 0.1) for k in range(50)]
        node.callbacks["plan"](to_path(0, "odom", turned))
        for _ in range(10):
            node.step()
        assert node.outputs["cmd_vel"][-1].twist.linear.x < 0.0
        answer = node.give(min_speed=0.0)
        assert not answer.successful
        assert "backwards" in answer.reason
        node.step()
        assert node.outputs["cmd_vel"][-1].twist.linear.x < 0.0


def test_a_bad_marker_is_told_for_ten_seconds(bench):
    node = bench()
    node.run()
    marker = Marker(type=Marker.CUBE)
    marker.header.frame_id = "odom"
    node.callbacks["obstacles"](MarkerArray(markers=[marker]))
    node.step()
    assert node.condition() == (Level.WARN, "planning; ignored: not a cylinder")
    node.time += 11 * 10**9
    node.step()
    assert node.condition().level is Level.OK


def test_enabling_says_what_holds_the_robot_back(bench):
    node = bench(enabled=False)
    node.run()
    node.time += 10**9
    answer = node.served["~/enable"](SetBool.Request(data=True), SetBool.Response())
    assert answer.success
    assert answer.message == ("enabled; the robot is held back: estimate is more than 0.1 s old")


def test_a_rolling_robot_without_a_plan_is_slowed_down(bench):
    node = bench()
    node.run()
    node.state[3] = 2.0
    node.time += round(PERIOD * 1e9)
    node.estimated()
    node.estimated()
    node.timers_of["_drive"]()
    assert node._driver.command[0] == pytest.approx(1.95)
