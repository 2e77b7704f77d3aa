"""mpc_node as a process: when it drives, and when it stops."""

import math
import os
import signal
import time

import pytest
from feeding import call, change_state, drive, node, odometry, speed, stamped, straight, stream
from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import Odometry, Path
from std_srvs.srv import SetBool
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.messages import to_path

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def controller(start):
    """mpc_node on a plan, not enabled, and publishers for its inputs."""
    _, observer = start(node("mpc_node", reference_source="plan"))
    observer.listen(TwistStamped, "cmd_vel")
    estimate = observer.node.create_publisher(Odometry, "odometry/filtered", 10)
    plan = observer.node.create_publisher(Path, "plan", qos.LATCHED)
    goal = observer.node.create_publisher(PoseStamped, "goal_pose", 1)
    enable = observer.node.create_client(SetBool, "mpc_node/enable")
    observer.wait_for(estimate.get_subscription_count, "the node")
    return observer, estimate, plan, goal, enable


def test_nothing_is_sent_before_the_robot_is_enabled(controller):
    observer, estimate, plan, _, enable = controller
    plan.publish(straight(observer))
    stream((estimate, lambda: odometry(observer)), seconds=1.5)
    assert not observer.heard["cmd_vel"]
    assert "not enabled" in observer.conditions()["mpc_node"]
    assert call(observer, enable, value=True).success
    stream(
        (estimate, lambda: odometry(observer)),
        seconds=5.0,
        until=lambda: speed(observer) > 0.0,
    )
    assert speed(observer) > 0.0


def test_it_stops_when_estimates_go_bad_and_when_it_is_disabled(controller):
    observer, estimate, plan, _, enable = controller
    plan.publish(straight(observer))
    call(observer, enable, value=True)
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.5)
    assert speed(observer) > 0.5

    def broken():
        message = odometry(observer, speed=0.5)
        message.pose.pose.position.y = math.inf
        return message

    stream((estimate, broken), seconds=5.0, until=lambda: speed(observer) == 0.0)
    assert speed(observer) == 0.0
    assert "estimate" in observer.conditions()["mpc_node"]

    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.3)
    call(observer, enable, value=False)
    drive(observer, estimate, 5.0, lambda: speed(observer) == 0.0)
    assert speed(observer) == 0.0
    time.sleep(0.3)
    count = len(observer.heard["cmd_vel"])
    drive(observer, estimate, 0.5, lambda: False)
    assert len(observer.heard["cmd_vel"]) == count


def test_a_pause_stops_the_robot_and_it_waits_to_be_enabled_again(controller):
    observer, estimate, plan, _, enable = controller
    plan.publish(straight(observer))
    call(observer, enable, value=True)
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.5)
    change_state(observer, Transition.TRANSITION_DEACTIVATE)
    assert speed(observer) == 0.0
    observer.wait_for_condition("mpc_node", "not active")
    count = len(observer.heard["cmd_vel"])
    change_state(observer, Transition.TRANSITION_ACTIVATE)
    drive(observer, estimate, 1.0, lambda: False)
    assert len(observer.heard["cmd_vel"]) == count
    observer.wait_for_condition("mpc_node", "not enabled")


def test_a_node_can_be_cleaned_up_and_configured_again(controller):
    observer, estimate, plan, _, enable = controller
    for transition in (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CONFIGURE,
        Transition.TRANSITION_ACTIVATE,
    ):
        change_state(observer, transition)
    plan.publish(straight(observer))
    call(observer, enable, value=True)
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.3)
    assert speed(observer) > 0.3


@pytest.fixture
def unconfigured(start):
    """mpc_node not configured, and latched publishers for what it is told once."""
    _, observer = start(
        node("mpc_node", reference_source="plan", enabled=True, half_planes=2, autostart=False)
    )
    estimate = observer.node.create_publisher(Odometry, "odometry/filtered", 10)
    plan = observer.node.create_publisher(Path, "plan", qos.LATCHED)
    obstacles = observer.node.create_publisher(MarkerArray, "obstacles", qos.LATCHED)
    return observer, estimate, plan, obstacles


def cylinder(observer, number):
    marker = stamped(observer, Marker(id=number, type=Marker.CYLINDER))
    marker.pose.position.x, marker.pose.position.y = 3.0 * number, 2.0
    marker.scale.x = 0.6
    return MarkerArray(markers=[marker])


def test_what_is_told_once_while_it_is_not_active_counts_when_it_is(unconfigured):
    observer, estimate, plan, obstacles = unconfigured
    plan.publish(straight(observer))
    obstacles.publish(cylinder(observer, 1))
    change_state(observer, Transition.TRANSITION_CONFIGURE)
    observer.wait_for(plan.get_subscription_count, "the node")
    time.sleep(1.0)
    change_state(observer, Transition.TRANSITION_ACTIVATE)
    drive(observer, estimate, 20.0, lambda: "driving" in observer.conditions()["mpc_node"])
    observer.wait_for_condition("mpc_node", "driving")
    assert observer.values("mpc_node")["obstacles"] == "1"
    change_state(observer, Transition.TRANSITION_DEACTIVATE)
    plan.publish(to_path(0, "odom", []))
    obstacles.publish(cylinder(observer, 2))
    time.sleep(1.0)
    change_state(observer, Transition.TRANSITION_ACTIVATE)
    drive(observer, estimate, 20.0, lambda: "cancelled" in observer.conditions()["mpc_node"])
    observer.wait_for_condition("mpc_node", "cancelled")
    assert observer.values("mpc_node")["obstacles"] == "2"


def test_a_stalled_controller_goes_on_from_the_robots_own_speed(start):
    processes, observer = start(node("mpc_node", reference_source="plan", enabled=True))
    observer.listen(TwistStamped, "cmd_vel")
    estimate = observer.node.create_publisher(Odometry, "odometry/filtered", 10)
    plan = observer.node.create_publisher(Path, "plan", qos.LATCHED)
    observer.wait_for(estimate.get_subscription_count, "the node")
    plan.publish(straight(observer))
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.8)
    os.kill(processes.pid("mpc_node"), signal.SIGSTOP)
    time.sleep(1.0)
    count = len(observer.heard["cmd_vel"])
    os.kill(processes.pid("mpc_node"), signal.SIGCONT)
    stream((estimate, lambda: odometry(observer)), seconds=1.0)
    after = [m.twist.linear.x for m in observer.heard["cmd_vel"][count:]]
    assert after
    assert max(after[:5]) < 0.4


def test_a_jump_of_the_estimate_disables_the_robot(controller):
    observer, estimate, plan, _, enable = controller
    plan.publish(straight(observer))
    call(observer, enable, value=True)
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.3)
    stream(
        (estimate, lambda: odometry(observer, x=30.0, speed=0.5)),
        seconds=5.0,
        until=lambda: speed(observer) == 0.0,
    )
    assert speed(observer) == 0.0
    observer.wait_for_condition("mpc_node", "the estimate jumped")


def test_another_estimator_disables_the_robot_wherever_it_begins(controller):
    observer, estimate, plan, _, enable = controller
    plan.publish(straight(observer))
    call(observer, enable, value=True)
    drive(observer, estimate, 10.0, lambda: speed(observer) > 0.3)
    observer.node.destroy_publisher(estimate)
    another = observer.node.create_publisher(Odometry, "odometry/filtered", 10)
    drive(observer, another, 10.0, lambda: speed(observer) == 0.0)
    drive(observer, another, 1.0, lambda: False)
    assert speed(observer) == 0.0
    observer.wait_for_condition("mpc_node", "the estimate jumped or began anew")
    call(observer, enable, value=True)
    drive(observer, another, 10.0, lambda: speed(observer) > 0.3)
    assert speed(observer) > 0.3


def test_a_plan_in_an_unknown_frame_is_refused_with_a_reason(controller):
    observer, estimate, plan, _, enable = controller
    call(observer, enable, value=True)
    plan.publish(straight(observer, frame="mars"))
    stream(
        (estimate, lambda: odometry(observer)),
        seconds=5.0,
        until=lambda: "mars" in observer.conditions().get("mpc_node", ""),
    )
    observer.wait_for_condition("mpc_node", "plan refused")
    assert speed(observer) == 0.0


def test_it_drives_to_a_goal(controller):
    observer, estimate, _, goal, enable = controller
    call(observer, enable, value=True)
    message = stamped(observer, PoseStamped())
    message.pose.position.x = 3.0
    message.pose.orientation.w = 1.0
    goal.publish(message)
    drive(observer, estimate, 5.0, lambda: speed(observer) > 0.1)
    assert speed(observer) > 0.1


def test_an_unsolvable_tick_stops_the_robot_and_says_so(start):
    _, observer = start(node("mpc_node", reference_source="plan", enabled=True, max_iterations=1))
    observer.listen(TwistStamped, "cmd_vel")
    estimate = observer.node.create_publisher(Odometry, "odometry/filtered", 10)
    plan = observer.node.create_publisher(Path, "plan", qos.LATCHED)
    observer.wait_for(estimate.get_subscription_count, "the node")
    plan.publish(straight(observer))
    count = iter(range(10**6))
    stream(
        (estimate, lambda: odometry(observer, x=0.1 * (next(count) % 7), speed=0.3)),
        seconds=10.0,
        until=lambda: "no solution" in observer.conditions().get("mpc_node", ""),
    )
    observer.wait_for_condition("mpc_node", "no solution")
