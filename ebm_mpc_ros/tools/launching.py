"""The graph's description as launch actions. Needs the launch packages of a ROS installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

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
