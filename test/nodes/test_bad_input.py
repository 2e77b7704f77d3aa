"""Nodes as processes, fed what they must not act on."""

import math
import time

import pytest
import rclpy
from feeding import imu, node, odometry, stream
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("name", "parameter", "value", "allowed"),
    [
        ("ekf_node", "frequency", -1.0, "a number above 0, at most 1000"),
        ("ekf_node", "model", "hovercraft", "diff_drive"),
        ("mpc_node", "horizon", 0, "a whole number from 2 to 500"),
        ("mpc_node", "input_weights", [0.1], "must be one each of ax, alpha"),
        ("policy_node", "temperature", 0.0, "a number from 1e-06 to 1e+09"),
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


def test_the_observer_itself_hears(start):
    """Guards the tests above, which would pass on a deaf observer's silence."""
    _, observer = start(node("course_node"))
    observer.wait_for_condition("course_node", "course figure_eight")
    assert rclpy.ok(context=observer.context)
