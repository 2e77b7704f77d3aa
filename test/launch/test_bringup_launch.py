"""bringup.launch.py: waits for its robot, drives it once enabled, and brings back what dies."""

import os
import signal

import launch_pytest
import pytest
from conftest import Listener, included, ready
from geometry_msgs.msg import TwistStamped
from launch.actions import GroupAction, RegisterEventHandler
from launch.event_handlers import OnProcessStart
from launch_ros.actions import Node, PushRosNamespace, SetRemap
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import SetBool

COURSE = {"course": "corridor"}


def base():
    """Return the robot's base and sensors, by the system's clock as a real one's, and a plan."""
    simulator = {**COURSE, "publish_clock": False}
    return (
        Node(package="ebm_mpc_ros", executable="simulator_node", parameters=[simulator]),
        Node(package="ebm_mpc_ros", executable="course_node", parameters=[COURSE]),
    )


@pytest.fixture
def started():
    """The pids of the processes of a launch, by name; the last one where it came back."""
    return {}


def watching(started):
    def note(event, _):
        started[event.process_name.partition("-")[0]] = event.pid

    return RegisterEventHandler(OnProcessStart(on_start=note))


@launch_pytest.fixture
def bringup():
    return ready(included("bringup"))


@launch_pytest.fixture
def robot(started, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("/**/mpc_node: {ros__parameters: {cruise_speed: 0.4, robot_radius: 0.15}}\n")
    second.write_text("/**/mpc_node: {ros__parameters: {cruise_speed: 0.6}}\n")
    arguments = {"controller": "mpc", "robot": f"{first},{second}"}
    return ready(watching(started), *base(), included("bringup", **arguments))


@launch_pytest.fixture
def relayed(started, tmp_path):
    """The robot behind a relay, its base under a name and with a type of its own."""
    mine = tmp_path / "relay.yaml"
    mine.write_text("/**/relay_node: {ros__parameters: {stamped_output: true}}\n")
    arguments = {"controller": "mpc", "robot": str(mine), "relay": "true", "respawn": "false"}
    behind = GroupAction([SetRemap("cmd_vel", "base/cmd_vel"), *base()])
    remap = "cmd_vel:=command"
    return ready(watching(started), behind, included("bringup", remap=remap, **arguments))


@launch_pytest.fixture
def renamed():
    rules = SetRemap("cmd_vel", "base/cmd_vel"), PushRosNamespace("robot1")
    remap = "mpc/prediction:=shown"
    return ready(included("bringup", *rules, controller="mpc", remap=remap))


def moves(message):
    return message.twist.twist.linear.x > 0.4


def stands(message):
    return abs(message.twist.twist.linear.x) < 0.02


def drive(listener):
    """Enable the robot and wait until it moves."""
    answer = listener.ask(SetBool, "/mpc_node/enable", SetBool.Request(data=True))
    assert answer.success
    listener.wait_for(Odometry, "/ground_truth/odom", moves)


def kill(listener, started, name):
    """Kill a node; return what waits until it came back."""
    killed = started[name]
    os.kill(killed, signal.SIGKILL)
    return lambda: listener.wait_until(lambda: started[name] != killed, f"another {name}")


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=bringup)
def test_every_node_says_what_it_waits_for():
    with Listener() as listener:
        for name, words in (
            ("ekf_node", "wheel/odometry"),
            ("policy_node", "no estimate"),
            ("mpc_node", "not enabled"),
        ):
            listener.wait_for_condition(name, words)


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=robot)
def test_it_drives_once_enabled_by_the_defaults_under_the_robots_own_files():
    with Listener() as listener:
        listener.wait_for_condition("mpc_node", "not enabled")
        request = GetParameters.Request(names=["cruise_speed", "robot_radius", "horizon"])
        values = listener.ask(GetParameters, "/mpc_node/get_parameters", request).values
        assert [v.double_value for v in values[:2]] == [0.6, 0.15]
        assert values[2].integer_value == 25
        drive(listener)


@pytest.mark.timeout(150)
@pytest.mark.launch(fixture=robot)
def test_an_estimator_that_dies_stops_the_robot_and_comes_back(started):
    with Listener() as listener:
        drive(listener)
        back = kill(listener, started, "ekf_node")
        listener.wait_for(Odometry, "/ground_truth/odom", stands)
        back()
        listener.wait_for(Odometry, "/odometry/filtered", lambda _: True)
        # The new estimate starts at the origin: nobody drives on from there unasked.
        listener.wait_for_condition("mpc_node", "the estimate jumped")


@pytest.mark.timeout(150)
@pytest.mark.launch(fixture=robot)
def test_a_controller_that_dies_comes_back_disabled(started):
    with Listener() as listener:
        drive(listener)
        kill(listener, started, "mpc_node")()
        listener.wait_for_condition("mpc_node", "not enabled")
        listener.wait_for(Odometry, "/ground_truth/odom", stands)
        drive(listener)


@pytest.mark.timeout(150)
@pytest.mark.launch(fixture=relayed)
def test_a_relay_hands_on_to_the_base_and_comes_back_whatever_respawn_says(started):
    with Listener() as listener:
        drive(listener)
        kill(listener, started, "relay_node")()
        listener.wait_for_condition("relay_node", "handing on")
        listener.wait_for(Odometry, "/ground_truth/odom", moves)


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=renamed)
def test_remappings_and_a_namespace_around_the_include_are_kept():
    with Listener() as listener:
        listener.wait_for_condition("robot1/mpc_node", "not enabled")
        node = listener.node
        published = dict(node.get_publisher_names_and_types_by_node("mpc_node", "/robot1"))
        assert "/robot1/base/cmd_vel" in published
        assert "/robot1/shown" in published
        assert not {"/robot1/cmd_vel", "/robot1/mpc/prediction"} & published.keys()
        assert TwistStamped.__name__ in published["/robot1/base/cmd_vel"][0]
        heard = dict(node.get_subscriber_names_and_types_by_node("mpc_node", "/robot1"))
        assert "/robot1/tf" in heard
        assert "/tf" not in heard
