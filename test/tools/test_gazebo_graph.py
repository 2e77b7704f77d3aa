"""The graph on Gazebo's robot: the simulation's, with the same topics."""

import ast
import inspect

import pytest
import yaml

from ebm_mpc_ros.errors import UserError
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


def graphs(controller="policy_mpc", params_file=None):
    arguments = {
        "controller": controller,
        "course": "slalom",
        "seed": 3,
        "params_file": params_file or default_params_file(),
    }
    simulated = {spec.name: spec for spec in simulation_graph(**arguments)}
    return simulated, {spec.name: spec for spec in gazebo_graph(**arguments)}


def extra():
    config = yaml.safe_load((share_directory() / "config" / "gazebo.yaml").read_text())
    return config["/**/ekf_node"]["ros__parameters"]


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
    for name in gazebo.keys() - {"relay_node", "ekf_node"}:
        assert gazebo[name] == simulated[name]
    assert gazebo["relay_node"].parameters["use_sim_time"] is True
    ours, theirs = dict(gazebo["ekf_node"].parameters), simulated["ekf_node"].parameters
    assert {name: ours.pop(name) for name in extra()} == extra()
    assert ours == theirs


def test_what_the_parameter_file_says_counts_more_than_gazebos(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("/**/ekf_node: {ros__parameters: {odom0_variance: [%s]}}" % ("0.01, " * 15))
    _, gazebo = graphs(params_file=path)
    assert "odom0_variance" not in gazebo["ekf_node"].parameters
    assert gazebo["ekf_node"].parameters["imu0_variance"] == extra()["imu0_variance"]


def test_a_parameter_file_without_an_estimator_is_a_mistake(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("/**/mpc_node: {ros__parameters: {model: diff_drive}}")
    with pytest.raises(UserError, match="ekf_node"):
        graphs(params_file=path)


def test_the_bridge_brings_what_the_simulator_publishes():
    types = dict(line.split() for line in RECORDED)
    topics = {topic for _, topic in calls(simulator, "advertise")}
    assert bridged("GZ_TO_ROS") == {(topic, types[topic]) for topic in topics}


def test_the_relay_listens_where_the_simulator_does_and_speaks_to_the_bridge():
    assert calls(relay, "listen") == calls(simulator, "listen")
    assert bridged("ROS_TO_GZ") == {
        (topic, f"geometry_msgs/msg/{kind}") for kind, topic in calls(relay, "advertise")
    }
