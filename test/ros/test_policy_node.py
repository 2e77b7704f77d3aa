"""policy_node without DDS: each kind of robot driven by it alone, and what changes meanwhile."""

import threading
import time

import numpy as np
import pytest
from planning import PERIOD
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.messages import to_path
from ebm_mpc_ros.ros.plan_message import from_plan

ROBOTS = pytest.mark.parametrize("model", ["diff_drive", "ackermann", "omni"])


@ROBOTS
def test_each_robot_is_driven_along_a_path(policy_bench, model):
    node = policy_bench(model=model)
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
def test_a_plan_holds_what_the_robots_twist_will_be(policy_bench, model):
    node = policy_bench(model=model)
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


def test_a_car_drives_off_with_its_wheels_as_it_stopped(policy_bench):
    node = policy_bench(model="ackermann")
    node.run()
    node.step()
    node._driver.command = (0.0, 0.4)
    node.step()
    assert node._newest[1].states[0, 4] == pytest.approx(0.4)


@pytest.mark.parametrize(("spacing", "plans"), [(0.01, 40), (0.02, 40), (0.05, 40), (0.1, 20)])
def test_plans_are_made_of_estimates_as_they_come_as_often_as_asked(
    policy_bench, monkeypatch, spacing, plans
):
    node = policy_bench(frequency=20.0)
    node.run()
    asked, reference = [], node._path.reference
    monkeypatch.setattr(
        node._path, "reference", lambda *given: asked.append(node.time) or reference(*given)
    )
    begin, jitter = node.time, np.random.default_rng(0).uniform(-2e6, 2e6, round(2.0 / spacing))
    for k, late in enumerate(jitter):
        node.time = begin + round(k * spacing * 1e9 + late)
        node.estimated()
    assert len(asked) == pytest.approx(plans, abs=1)
    assert max(np.diff(asked)) <= max(0.05, spacing) * 1e9 + 0.5 * spacing * 1e9 + 5e6


def test_a_clock_that_jumps_back_is_planned_by_at_once(policy_bench):
    node = policy_bench()
    node.run()
    node.step()
    node.time -= 50 * 10**9
    node.step()


class Slow:
    """A policy whose calls take until the test lets them go on."""

    def __init__(self, policy):
        self.policy, self.begun, self.go = policy, threading.Semaphore(0), threading.Semaphore(0)

    def __getattr__(self, name):
        return getattr(self.policy, name)

    def plan(self, *given):
        self.begun.release()
        assert self.go.acquire(timeout=20.0)
        return self.policy.plan(*given)


class TestUnderWay:
    """A plan that is being made when its reason goes is neither published nor driven."""

    @pytest.fixture
    def node(self, policy_bench):
        node = policy_bench()
        node.run()
        node.step()
        slow = node._planning._policy = Slow(node._planning._policy)
        node.estimated()
        assert slow.begun.acquire(timeout=20.0)
        node.published = len(node.outputs["policy/plan"])
        yield node
        slow.go.release(1000)

    def released(self, node):
        node._planning._policy.go.release()
        time.sleep(0.3)
        return len(node.outputs["policy/plan"]) - node.published

    def test_when_the_path_is_cancelled(self, node):
        node.callbacks["plan"](to_path(0, "odom", []))
        assert self.released(node) == 0
        node.timers_of["_supervise"]()
        assert "cancelled" in node.condition().message

    def test_when_the_node_is_deactivated_and_activated(self, node):
        node.active = False
        node.deactivate()
        node.active = True
        assert self.released(node) == 0
        assert node._newest is None

    def test_else_it_is(self, node):
        assert self.released(node) == 1


def test_plans_cut_short_again_and_again_are_told(policy_bench):
    node = policy_bench(time_limit=0.001)
    node.run()
    for _ in range(10):
        node.step()
    assert node.condition() == (
        Level.WARN,
        "planning, but time_limit cut short the last 10 plans",
    )
    assert node.figures()["plans cut short by time_limit"] == 10


class TestChanges:
    def test_a_lower_speed_holds_for_path_plan_and_command(self, policy_bench):
        node = policy_bench()
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

    def test_a_lower_acceleration_holds_for_plan_and_command(self, policy_bench):
        node = policy_bench()
        node.run()
        node.step()
        assert node._newest[1].inputs[:, 0].max() > 0.9
        assert node.give(max_acceleration=0.3).successful
        node.step()
        assert node._newest[1].inputs[:, 0].max() <= 0.3 + 1e-6
        before = node._driver.command[0]
        node._driver.drive(np.array([1.0, 0.0]), np.zeros(2))
        assert node._driver.command[0] == pytest.approx(before + 0.3 * PERIOD)

    def test_a_bad_value_is_refused_and_changes_nothing(self, policy_bench):
        node = policy_bench()
        node.run()
        answer = node.give(cruise_speed=3.0)
        assert not answer.successful
        assert "must be at most max_speed" in answer.reason
        answer = node.give(input_weights=[1.0])
        assert "must be one each of ax, alpha" in answer.reason
        for _ in range(10):
            node.step()
        assert 0.0 < node.outputs["cmd_vel"][-1].twist.linear.x <= 1.0

    def test_a_model_does_not_change_while_it_is_driven(self, policy_bench):
        node = policy_bench()
        node.run()
        assert "fixed while" in node.give(model="omni").reason

    def test_a_robot_that_backs_up_keeps_leave_to(self, policy_bench):
        node = policy_bench()
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


def test_a_bad_marker_is_told_for_ten_seconds(policy_bench):
    node = policy_bench()
    node.run()
    marker = Marker(type=Marker.CUBE)
    marker.header.frame_id = "odom"
    node.callbacks["obstacles"](MarkerArray(markers=[marker]))
    node.step()
    assert node.condition() == (Level.WARN, "planning; ignored: not a cylinder")
    node.time += 11 * 10**9
    node.step()
    assert node.condition().level is Level.OK


def test_enabling_says_what_holds_the_robot_back(policy_bench):
    node = policy_bench(enabled=False)
    node.run()
    node.time += 10**9
    answer = node.served["~/enable"](SetBool.Request(data=True), SetBool.Response())
    assert answer.success
    assert answer.message == ("enabled; the robot is held back: estimate is more than 0.1 s old")


def test_a_rolling_robot_without_a_plan_is_slowed_down(policy_bench):
    node = policy_bench()
    node.run()
    node.state[3] = 2.0
    node.time += round(PERIOD * 1e9)
    node.estimated()
    node.estimated()
    node.timers_of["_drive"]()
    assert node._driver.command[0] == pytest.approx(1.95)
