"""gazebo.launch.py on stand-ins for Gazebo's packages: what it starts, and that it drives."""

import shlex
import sys
from pathlib import Path

import launch_pytest
import pytest
from ament_index_python.packages import get_package_share_directory
from conftest import Listener, described
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch_ros.actions import Node
from nav_msgs.msg import Odometry

from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.simulation.gazebo import compose_world
from ebm_mpc_ros.tools.graph import gazebo_graph
from launch import LaunchContext

FAKE = Path(__file__).resolve().parents[1] / "nodes" / "fake_gazebo.py"
# As ros_gz_sim's own: the arguments go through a shell, and all ends with it.
STARTER = f"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, Shutdown
from launch.substitutions import LaunchConfiguration

def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("gz_args"),
        DeclareLaunchArgument("on_exit_shutdown", default_value="false"),
        ExecuteProcess(
            cmd=["exec {sys.executable} {FAKE}", LaunchConfiguration("gz_args")],
            shell=True, output="screen", on_exit=Shutdown(),
        ),
    ])
"""
BRIDGE = f"""#!{sys.executable}
import rclpy
from rclpy.executors import ExternalShutdownException
rclpy.init()
node = rclpy.create_node("ros_gz_bridge")
file = node.declare_parameter("config_file", "").value
assert node.declare_parameter("expand_gz_topic_names", False).value
assert open(file).read()
try:
    rclpy.spin(node)
except (KeyboardInterrupt, ExternalShutdownException):
    pass
"""


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Gazebo's packages, in an ament prefix of the test's own."""
    for name, inside, content in (
        ("ros_gz_sim", "share/ros_gz_sim/launch/gz_sim.launch.py", STARTER),
        ("ros_gz_bridge", "lib/ros_gz_bridge/parameter_bridge", BRIDGE),
    ):
        for path, text in (
            (f"share/ament_index/resource_index/packages/{name}", ""),
            (f"share/{name}/package.xml", "<package/>"),
            (inside, content),
        ):
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path), prepend=":")


@launch_pytest.fixture
def gazebo(stand_ins):
    return described("gazebo", controller="mpc", gui="false")


@launch_pytest.fixture
def namespaced(stand_ins):
    return described("gazebo", controller="mpc", course="slalom", namespace="robot1", gui="false")


def started(**given):
    """Return the actions that the launch file starts."""
    share = get_package_share_directory("ebm_mpc_ros")
    description = get_launch_description_from_python_launch_file(f"{share}/launch/gazebo.launch.py")
    context = LaunchContext()
    context.launch_configurations.update(given)
    actions = []
    for entity in description.entities:
        actions += entity.visit(context) or []
    return actions


def moves(message):
    return message.twist.twist.linear.x > 0.4


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=gazebo)
def test_the_robot_in_the_stand_in_drives():
    with Listener() as listener:
        listener.wait_for(Odometry, "/ground_truth/odom", moves)


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=namespaced)
def test_it_drives_in_a_namespace_there_too():
    with Listener() as listener:
        listener.wait_for(Odometry, "/robot1/ground_truth/odom", moves)


@pytest.mark.parametrize("gui", ["true", "false"])
def test_it_starts_gazebo_on_the_course_and_the_bridge_to_the_robot(stand_ins, gui):
    actions = started(course="slalom", seed="4", gui=gui, namespace="robot1")
    (include,) = [one for one in actions if isinstance(one, IncludeLaunchDescription)]
    given = dict(include.launch_arguments)
    words = shlex.split(given["gz_args"])
    assert words[:-1] == ["-r", *(["-s"] if gui == "false" else []), "--seed", "5"]
    assert Path(words[-1]).read_text() == compose_world(load_course("slalom"), "robot1")
    assert given["on_exit_shutdown"] == "true"
    nodes = [one for one in actions if isinstance(one, Node)]
    assert {node.node_package for node in nodes} == {"ebm_mpc_ros", "ros_gz_bridge"}
    graph = gazebo_graph(
        controller="policy_mpc",
        course="slalom",
        seed=4,
        params_file=Path(get_package_share_directory("ebm_mpc_ros")) / "config/diff_drive.yaml",
    )
    ours = {node.node_executable for node in nodes if node.node_package == "ebm_mpc_ros"}
    assert ours == {spec.name for spec in graph}


def test_without_gazebo_one_line_says_what_to_install():
    with pytest.raises(RuntimeError, match=r"^Gazebo is not installed: apt install .*ros-gz$"):
        started()
