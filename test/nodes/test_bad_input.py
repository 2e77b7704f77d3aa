"""Nodes as processes, fed what they must not act on."""

import math
import os
import signal
import time

import pytest
import rclpy
from geometry_msgs.msg import PoseStamped, TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry, Path
from sensor_msgs.msg import Imu
from std_srvs.srv import SetBool

from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.messages import to_path
from ebm_mpc_ros.tools.graph import NodeSpec, default_params_file

pytestmark = pytest.mark.timeout(120)


def node(name, **parameters):
    return NodeSpec(name=name, parameters=parameters, params_file=default_params_file())


def stamped(observer, message, frame="odom"):
    message.header.stamp = observer.node.get_clock().now().to_msg()
    message.header.frame_id = frame
    return message


def odometry(observer, x=0.0, speed=0.0, frame="odom"):
    message = stamped(observer, Odometry(child_frame_id="base_link"), frame)
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x = speed
    message.twist.covariance[::7] = [1e-4] * 6
    return message


def imu(observer):
    message = stamped(observer, Imu(), "base_link")
    message.orientation_covariance[0] = -1.0
    message.angular_velocity_covariance[::4] = [1e-4] * 3
    message.linear_acceleration_covariance[::4] = [1e-2] * 3
    return message


def stream(*sources, seconds, until=lambda: False):
    """Publish what each (publisher, make) makes, at 50 Hz, until a condition or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until():
        for publisher, make in sources:
            publisher.publish(make())
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("name", "parameter", "value", "allowed"),
    [
        ("ekf_node", "frequency", -1.0, "a number above 0, at most 1000"),
        ("ekf_node", "model", "hovercraft", "diff_drive"),
        ("mpc_node", "horizon", 0, "a whole number from 2 to 500"),
        ("mpc_node", "input_weights", [0.1], "must be one each of ax, alpha"),
        ("policy_node", "temperature", 0.0, "a number above 0"),
        ("policy_node", "device", "abacus", "must be auto or one that torch has"),
        ("course_node", "course", "monaco", "figure_eight"),
        ("simulator_node", "rate", 2.0, "at most 1"),
    ],
)
def test_a_wrong_parameter_stops_configure_and_is_named(start, name, parameter, value, allowed):
    processes, observer = start(node(name, **{parameter: value}))
    observer.wait_for(lambda: "can't configure" in processes.log(name), "the refusal in the log")
    line = next(text for text in processes.log(name).splitlines() if "can't configure" in text)
    assert f"parameter {parameter}" in line
    assert allowed in line
    assert "Traceback" not in processes.log(name)
    observer.wait_for_condition(name, parameter)


def test_an_unknown_parameter_is_warned_about_by_name(start):
    processes, observer = start(node("mpc_node", horizont=30))
    observer.wait_for_condition("mpc_node", "stopping")
    assert "unknown parameter horizont" in processes.log("mpc_node")


def test_the_estimator_drops_counts_and_reports_bad_messages(start):
    _, observer = start(node("ekf_node"))
    observer.listen(Odometry, "odometry/filtered")
    wheels = observer.node.create_publisher(Odometry, "wheel/odometry", 10)
    gyro = observer.node.create_publisher(Imu, "imu/data", 10)
    observer.wait_for(
        lambda: wheels.get_subscription_count() and gyro.get_subscription_count(), "the node"
    )

    def broken():
        message = odometry(observer)
        message.twist.twist.linear.x = math.nan
        return message

    def lost():
        message = imu(observer)
        message.header.frame_id = "somewhere"
        return message

    def impossible():
        message = odometry(observer)
        message.twist.covariance[0] = -1.0
        return message

    good = [(wheels, lambda: odometry(observer, speed=0.5)), (gyro, lambda: imu(observer))]
    bad = [(wheels, broken), (gyro, lost), (wheels, impossible)]
    told = []

    def enough():
        told.append("messages dropped" in observer.conditions().get("ekf_node", ""))
        return len(told) > 150 and any(told)

    stream(*good, *bad, seconds=15.0, until=enough)
    assert any(told)
    time.sleep(1.2)
    figures = observer.values("ekf_node")
    reasons = " ".join(key for key in figures if "dropped" in key)
    for words in ("not finite", "somewhere", "covariance"):
        assert words in reasons
    heard = observer.heard["odometry/filtered"]
    assert heard
    for message in heard:
        numbers = (message.pose.pose.position.x, message.twist.twist.linear.x)
        assert all(map(math.isfinite, numbers))
    assert abs(heard[-1].twist.twist.linear.x - 0.5) < 0.05


def test_a_silent_sensor_is_named(start):
    _, observer = start(node("ekf_node"))
    wheels = observer.node.create_publisher(Odometry, "wheel/odometry", 10)
    observer.wait_for(wheels.get_subscription_count, "the node")
    stream(
        (wheels, lambda: odometry(observer)),
        seconds=10.0,
        until=lambda: "imu0 (imu/data): no message" in observer.conditions().get("ekf_node", ""),
    )
    observer.wait_for_condition("ekf_node", "imu0 (imu/data): no message")


def straight(observer, frame="odom"):
    now = observer.node.get_clock().now().nanoseconds
    return to_path(now, frame, [(0.1 * k, 0.0, 0.0) for k in range(100)])


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


def call(observer, client, value):
    return ask(observer, client, SetBool.Request(data=value))


def ask(observer, client, request):
    """Call a service; a call made while DDS still matches the ends can get lost, so ask again."""
    observer.wait_for(client.service_is_ready, "the service")
    calls = []

    def answered():
        if not calls or time.monotonic() > calls[-1][0] + 5.0:
            calls.append((time.monotonic(), client.call_async(request)))
        return next((future for _, future in calls if future.done()), None)

    return observer.wait_for(answered, "the answer").result()


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
        until=lambda: observer.heard["cmd_vel"],
    )
    assert observer.heard["cmd_vel"][-1].twist.linear.x > 0.0


def drive(observer, estimate, seconds, until):
    stream((estimate, lambda: odometry(observer, speed=0.5)), seconds=seconds, until=until)


def speed(observer):
    heard = observer.heard["cmd_vel"]
    return heard[-1].twist.linear.x if heard else 0.0


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


def change_state(observer, transition):
    client = observer.node.create_client(ChangeState, "mpc_node/change_state")
    request = ChangeState.Request()
    request.transition.id = transition
    assert ask(observer, client, request).success


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


def test_the_observer_itself_hears(start):
    """Guards the tests above, which would pass on a deaf observer's silence."""
    _, observer = start(node("course_node"))
    observer.wait_for_condition("course_node", "course figure_eight")
    assert rclpy.ok(context=observer.context)
