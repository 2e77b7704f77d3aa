"""Ctrl-C on each launch file: every node ends well, and nothing is left behind."""

from pathlib import Path

import pytest
from conftest import Listener
from nav_msgs.msg import Odometry

BAG = Path(__file__).resolve().parents[1] / "data" / "husky.bag"
NODES = {
    "bringup": {"ekf_node", "policy_node", "mpc_node"},
    "simulation": {"simulator_node", "ekf_node", "policy_node", "mpc_node", "course_node"},
    "replay": {"ekf_node", "player_node"},
}


def at_work(listener, name):
    """Wait until the graph of a launch file does what it is for."""
    if name == "bringup":
        listener.wait_for_condition("policy_node", "no estimate")
        listener.wait_for_condition("mpc_node", "not enabled")
    elif name == "simulation":
        listener.wait_for(
            Odometry, "/ground_truth/odom", lambda message: message.twist.twist.linear.x > 0.4
        )
    else:
        listener.wait_for(Odometry, "/odometry/filtered", lambda _: True)


def fails(launch, words):
    """Wait until a launch has failed, with these words and nothing left."""
    assert launch.process.wait(80.0) == 1
    assert words in launch.output
    assert not launch.alive()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", NODES)
def test_ctrl_c_ends_every_node_well(launched, name):
    launch = launched(name, **({"bag": BAG} if name == "replay" else {}))
    with Listener() as listener:
        at_work(listener, name)
    started = {node for node, _ in launch.started()}
    assert {node.partition("-")[0] for node in started} == NODES[name]
    assert launch.process.poll() is None
    assert launch.interrupt() == 0, launch.output
    for node in started:
        assert f"[{node}]: process has finished cleanly" in launch.output, launch.output
    assert not launch.alive()
    assert "Traceback" not in launch.output


@pytest.mark.timeout(150)
def test_a_replay_ends_with_its_bag_and_leaves_nothing_behind(launched):
    launch = launched("replay", bag=BAG, rate="20.0")
    assert launch.process.wait(120.0) == 0, launch.output
    assert launch.output.count("process has finished cleanly") == len(NODES["replay"])
    assert not launch.alive()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("bringup", {"robot": "missing.yaml"}, "robot:=missing.yaml: no such file"),
        ("bringup", {"params_file": "missing.yaml"}, "params_file:=missing.yaml: no such file"),
        ("bringup", {"remap": "cmd_vel"}, "'cmd_vel' must be FROM:=TO"),
        ("bringup", {"controller": "joystick"}, "'joystick': must be policy_mpc, mpc, policy"),
        ("simulation", {"seed": "-1"}, "seed:=-1: must be a whole number, at least 0"),
        ("simulation", {"rate": "abc"}, "rate:=abc: must be a number above 0, at most 1"),
        ("simulation", {"rate": "0"}, "rate:=0: must be a number above 0"),
        ("replay", {"bag": BAG, "rate": "abc"}, "rate:=abc: must be a number above 0"),
        ("replay", {"bag": BAG, "rate": "0"}, "rate:=0: must be a number above 0"),
        ("replay", {"bag": BAG, "rate": "-1"}, "rate:=-1: must be a number above 0"),
        ("replay", {"bag": "missing.bag"}, "missing.bag: no such bag"),
        ("gazebo", {"seed": "abc"}, "seed:=abc: must be a whole number, at least 0"),
        ("gazebo", {"use_sim_time": "false"}, "use_sim_time:=false: Gazebo's time is simulated"),
    ],
)
def test_a_mistake_starts_nothing_and_is_one_line(launched, name, arguments, words):
    launch = launched(name, **arguments)
    assert launch.process.wait(40.0) == 1
    assert words in launch.output
    assert "Traceback" not in launch.output
    assert not launch.started()


@pytest.mark.timeout(60)
def test_a_file_that_is_not_for_this_namespace_is_a_mistake(launched, tmp_path):
    file = tmp_path / "bare.yaml"
    file.write_text("mpc_node: {ros__parameters: {max_speed: 0.5}}\n")
    launch = launched("bringup", robot=file, namespace="robot1")
    assert launch.process.wait(40.0) == 1
    assert "it has /mpc_node" in launch.output


@pytest.mark.timeout(120)
def test_a_relay_that_is_sent_its_own_output_fails_the_launch(launched):
    arguments = {"remap": "cmd_vel:=base/cmd_vel", "controller": "mpc", "respawn": "false"}
    launch = launched("bringup", relay="true", **arguments)
    fails(launch, "cmd_vel and base/cmd_vel are both /base/cmd_vel")


@pytest.mark.timeout(120)
def test_a_node_that_cant_start_fails_the_launch(launched, tmp_path):
    file = tmp_path / "mixed.yaml"
    file.write_text("/**/mpc_node: {ros__parameters: {horizon: [1, a]}}\n")
    launch = launched("bringup", robot=file, controller="mpc")
    fails(launch, "can't start: see what it says above")
