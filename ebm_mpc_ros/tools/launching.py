"""The graph's description as launch actions. Needs the launch packages of a ROS installation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.logging import launch_config
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import course_names
from ebm_mpc_ros.tools.graph import CONTROLLERS, NodeSpec, default_params_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from launch import LaunchContext

_PACKAGE = "ebm_mpc_ros"


def common_arguments(*, use_sim_time: bool, params_file: Path | None = None) -> list[Any]:
    """Return the declarations of params_file, use_sim_time and namespace."""
    return [
        DeclareLaunchArgument(
            "params_file",
            default_value=str(params_file or default_params_file()),
            description="Parameter YAML of the robot.",
        ),
        DeclareLaunchArgument(
            "use_sim_time",
            default_value="true" if use_sim_time else "false",
            choices=["true", "false"],
            description="Take time from /clock.",
        ),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of all nodes and topics."
        ),
    ]


def controller_argument() -> Any:
    """Return the declaration of controller."""
    words = "; ".join(f"{name}: {text}" for name, text in CONTROLLERS.items())
    return DeclareLaunchArgument(
        "controller", default_value="policy_mpc", choices=list(CONTROLLERS), description=words
    )


def checkpoint_argument() -> Any:
    """Return the declaration of checkpoint."""
    return DeclareLaunchArgument(
        "checkpoint",
        default_value="",
        description=(
            "Trained policy, a path or package://NAME/PATH; empty for what params_file says."
        ),
    )


def course_arguments() -> list[Any]:
    """Return the declarations of course and seed."""
    return [
        DeclareLaunchArgument(
            "course",
            default_value="figure_eight",
            choices=list(course_names()),
            description="The course to drive.",
        ),
        DeclareLaunchArgument("seed", default_value="0", description="Seed of all noise."),
    ]


def text(context: LaunchContext, name: str) -> str:
    """Return a launch argument's value."""
    return str(LaunchConfiguration(name).perform(context))


def flag(context: LaunchContext, name: str) -> bool:
    """Return a launch argument's value as a boolean."""
    return text(context, name) == "true"


def params_file(context: LaunchContext) -> Path:
    """Return the argument params_file.

    Raises:
        RuntimeError: There is no such file.
    """
    path = Path(text(context, "params_file"))
    if not path.is_file():
        raise RuntimeError(f"params_file:={path}: no such file")
    return path


def to_actions(specs: Iterable[NodeSpec], namespace: str) -> list[Any]:
    """Return a launch_ros Node for each process of the graph."""
    return [
        Node(
            package=_PACKAGE,
            executable=spec.name,
            name=spec.name,
            namespace=namespace,
            parameters=[
                *([str(spec.params_file)] if spec.params_file is not None else []),
                dict(spec.parameters),
            ],
            output="screen",
            emulate_tty=True,
        )
        for spec in specs
    ]


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
        raise RuntimeError(f"{error}, or install Gazebo: apt install ros-jazzy-ros-gz") from error
    file = Path(launch_config.log_dir) / "gazebo.sdf"
    file.write_text(world, encoding="utf-8")
    # To Gazebo a seed of 0 is none.
    show = "" if gui else "-s "
    arguments = f"-r {show}--seed {seed + 1} {shlex.quote(str(file))}"
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
            parameters=[
                {
                    "config_file": str(share_directory() / "config" / "gazebo_bridge.yaml"),
                    "expand_gz_topic_names": True,
                }
            ],
            output="screen",
        ),
    ]
