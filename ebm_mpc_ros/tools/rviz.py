"""RViz on the graph, as a launch action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch_ros.actions import Node

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import TRANSFORMS
from ebm_mpc_ros.tools.launching import flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from launch import LaunchContext


def rviz_actions(
    context: LaunchContext, namespace: str, *, remap: Sequence[tuple[str, str]] = ()
) -> list[Any]:
    """Return what shows the graph in RViz where the argument rviz says so.

    The topics in its configuration are relative, and so follow the namespace.

    Raises:
        RuntimeError: rviz2 is not installed.
    """
    if not flag(context, "rviz"):
        return []
    try:
        share_directory("rviz2")
    except FileNotFoundError as error:
        raise RuntimeError(
            "rviz:=true: rviz2 is not installed: apt install ros-$ROS_DISTRO-rviz2"
        ) from error
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            namespace=namespace,
            arguments=["-d", str(share_directory() / "rviz" / "ebm_mpc_ros.rviz")],
            parameters=[{"use_sim_time": flag(context, "use_sim_time")}],
            remappings=[*remap, *TRANSFORMS],
            output="screen",
        )
    ]
