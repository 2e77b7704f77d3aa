"""The graph on Gazebo's robot: the simulation's, with the same topics."""

import ast
import inspect

import pytest
import yaml

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import (
    CONTROLLERS,
    RECORDED,
    default_params_file,
    gazebo_graph,
    simulation_graph,
)

pytest.importorskip("rclpy")

from ebm_mpc_ros.nodes import relay, simulator


def graphs(controller="policy_mpc", robot_files=()):
    arguments = {
        "controller": controller,
        "course": "slalom",
        "seed": 3,
        "params_file": default_params_file(),
        "robot_files": robot_files,
    }
    simulated = {spec.name: spec for spec in simulation_graph(**arguments)}
    return simulated, {spec.name: spec for spec in gazebo_graph(**arguments)}


def calls(module, method):
    """Return (type, topic) of each call of a node's method that names them."""
    tree = ast.parse(inspect.getsource(module))
    return {
        (node.args[0].id, node.args[1].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    }


def bridged(direction):
    entries = yaml.safe_load((share_directory() / "config" / "gazebo_bridge.yaml").read_text())
    return {
        (entry["ros_topic_name"], entry["ros_type_name"])
        for entry in entries
        if entry["direction"] == direction
    }


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_it_is_the_simulations_with_a_relay_for_the_simulator(controller):
    simulated, gazebo = graphs(controller)
    assert set(gazebo) == set(simulated) - {"simulator_node"} | {"relay_node"}
    for name in gazebo.keys() - {"relay_node"}:
        assert gazebo[name].parameters == simulated[name].parameters
    assert gazebo["relay_node"].parameters["use_sim_time"] is True
    assert {name for name, spec in gazebo.items() if spec.vital} == {"relay_node"}


def test_what_a_parameter_file_says_counts_more_than_gazebos(tmp_path):
    robot = tmp_path / "robot.yaml"
    _, gazebo = graphs(robot_files=[robot])
    for name in ("ekf_node", "mpc_node", "policy_node"):
        below, *above = gazebo[name].params_files
        assert below.name == "gazebo.yaml"
        assert above == [default_params_file(), robot]
    assert gazebo["relay_node"].params_files[-1] == robot


def test_the_bridge_brings_what_the_simulator_publishes():
    types = dict(line.split() for line in RECORDED)
    topics = {topic for _, topic in calls(simulator, "advertise")}
    assert bridged("GZ_TO_ROS") == {(topic, types[topic]) for topic in topics}


def test_the_relay_listens_where_the_simulator_does_and_speaks_to_the_bridge():
    assert calls(relay, "listen") == calls(simulator, "listen")
    (command,) = bridged("ROS_TO_GZ")
    assert command in {
        (topic, f"geometry_msgs/msg/{kind}") for kind, topic in calls(relay, "advertise")
    }
    stamped = command[1].endswith("Stamped")
    assert {row.name: row.default for row in relay.RELAY_PARAMETERS}["stamped_output"] is stamped
