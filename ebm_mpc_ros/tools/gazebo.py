"""Gazebo and its bridge, as launch actions."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch_ros.actions import Node

from ebm_mpc_ros.resources import share_directory


def gazebo_actions(world: str, *, seed: int, gui: bool, namespace: str) -> list[Any]:
    """Return what starts Gazebo on a world, and the bridge to its robot.

    The world is kept as gazebo.sdf in the launch's log folder. When Gazebo ends, so does all.

    Args:
        world: The world's SDF.
        seed: Of the noise of Gazebo's sensors.
        gui: Whether to show it.
        namespace: Of the robot.

    Raises:
        RuntimeError: Gazebo's packages are missing.
    """
    try:
        starter = share_directory("ros_gz_sim") / "launch" / "gz_sim.launch.py"
        share_directory("ros_gz_bridge")
    except FileNotFoundError as error:
        raise RuntimeError("Gazebo is not installed: apt install ros-$ROS_DISTRO-ros-gz") from error
    file = Path(launch_config.log_dir) / "gazebo.sdf"
    file.write_text(world, encoding="utf-8")
    show = "" if gui else "-s "
    # To Gazebo a seed of 0 is none.
    arguments = f"-r {show}--seed {seed + 1} {shlex.quote(str(file))}"
    bridge = {
        "config_file": str(share_directory() / "config" / "gazebo_bridge.yaml"),
        "expand_gz_topic_names": True,
    }
    return [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(starter)),
            launch_arguments=[("gz_args", arguments), ("on_exit_shutdown", "true")],
        ),
        Node(
            package="ros_gz_bridge",
            executable="parameter_bridge",
            name="gazebo_bridge",
            namespace=namespace,
            parameters=[bridge],
            output="screen",
        ),
    ]
