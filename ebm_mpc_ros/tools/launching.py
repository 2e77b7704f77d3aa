"""The graph's description as launch actions. Needs the launch packages of a ROS installation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch.actions import DeclareLaunchArgument, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.utilities import make_namespace_absolute, prefix_namespace

from ebm_mpc_ros.ros.parameter_file import check_speaks_of
from ebm_mpc_ros.ros.parameters import Kind, Parameter, ParameterError
from ebm_mpc_ros.simulation.courses import course_names
from ebm_mpc_ros.tools.graph import (
    CONTROLLERS,
    ROBOT_NODES,
    TRANSFORMS,
    NodeSpec,
    default_params_file,
    discovery,
)
from ebm_mpc_ros.tools.respawning import giving_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from launch import LaunchContext

_PACKAGE = "ebm_mpc_ros"
_RESPAWN_DELAY = 1.0
_SIGTERM_TIMEOUT = "15"
_NEW_LINE = "\n        "


def common_arguments(*, use_sim_time: bool, params_file: Path | None = None) -> list[Any]:
    """Return the declarations of params_file, use_sim_time and namespace."""
    return [
        DeclareLaunchArgument(
            "params_file",
            default_value=str(params_file or default_params_file()),
            description="Parameter YAML of the robot.",
        ),
        switch("use_sim_time", "true" if use_sim_time else "false", "Take time from /clock."),
        DeclareLaunchArgument(
            "namespace", default_value="", description="Namespace of all nodes and topics."
        ),
    ]


def controller_argument() -> Any:
    """Return the declaration of controller."""
    # `--show-args` breaks no lines and would put choices behind the last one.
    words = _NEW_LINE.join(f"{name}: {text}." for name, text in CONTROLLERS.items())
    return DeclareLaunchArgument("controller", default_value="policy_mpc", description=words)


def checkpoint_argument() -> Any:
    """Return the declaration of checkpoint."""
    return DeclareLaunchArgument(
        "checkpoint",
        default_value="",
        description="Trained policy, a path or package://NAME/PATH; empty: params_file's.",
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


def robot_argument() -> Any:
    """Return the declaration of robot."""
    return DeclareLaunchArgument(
        "robot",
        default_value="",
        description="YAMLs of what differs from params_file: A.yaml,B.yaml (B over A).",
    )


def remap_argument() -> Any:
    """Return the declaration of remap."""
    return DeclareLaunchArgument(
        "remap",
        default_value="",
        description='Topics under other names: "cmd_vel:=drive/cmd_vel imu/data:=imu".',
    )


def respawn_argument() -> Any:
    """Return the declaration of respawn."""
    return switch("respawn", "true", "Start a node that dies again.")


def rviz_argument() -> Any:
    """Return the declaration of rviz."""
    return switch("rviz", "false", "Show it all in RViz.")


def switch(name: str, default: str, description: str) -> Any:
    """Return the declaration of an argument that is true or false."""
    return DeclareLaunchArgument(
        name, default_value=default, choices=["true", "false"], description=description
    )


def text(context: LaunchContext, name: str) -> str:
    """Return a launch argument's value."""
    return str(LaunchConfiguration(name).perform(context))


def flag(context: LaunchContext, name: str) -> bool:
    """Return a launch argument's value as a boolean."""
    return text(context, name) == "true"


def number(
    context: LaunchContext,
    name: str,
    *,
    kind: Kind = "float",
    above: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Return a launch argument's value as a number within its bounds, those of a `Parameter`.

    Raises:
        RuntimeError: It is none, or out of bounds.
    """
    row = Parameter(
        name=name,
        kind=kind,
        default=0,
        description="",
        above=above,
        minimum=minimum,
        maximum=maximum,
    )
    given = text(context, name)
    try:
        return row.check(int(given) if kind == "int" else float(given))
    except (ValueError, ParameterError) as error:
        raise RuntimeError(f"{name}:={given}: must be {row.allowed}") from error


def seed(context: LaunchContext) -> int:
    """Return the argument seed.

    Raises:
        RuntimeError: It can't be one.
    """
    return int(number(context, "seed", kind="int", minimum=0))


def absolute_namespace(context: LaunchContext) -> str:
    """Return the namespace of the nodes: the argument's within that of the launch; may be empty."""
    pushed = context.launch_configurations.get("ros_namespace")
    found = make_namespace_absolute(prefix_namespace(pushed, text(context, "namespace")))
    return (found or "").rstrip("/")


def params_file(context: LaunchContext) -> Path:
    """Return the argument params_file.

    Raises:
        RuntimeError: There is no such file.
        ParameterFileError: It is no parameter YAML, or has nothing for a robot's nodes.
    """
    return _checked(context, "params_file", text(context, "params_file"))


def robot_files(context: LaunchContext) -> tuple[Path, ...]:
    """Return the files of the argument robot.

    Raises:
        RuntimeError: There is no such file.
        ParameterFileError: It is no parameter YAML, or has nothing for a robot's nodes.
    """
    names = text(context, "robot").split(",")
    return tuple(_checked(context, "robot", name) for name in map(str.strip, names) if name)


def remappings(context: LaunchContext) -> list[tuple[str, str]]:
    """Return the rules of the argument remap.

    Raises:
        RuntimeError: One is not of the form FROM:=TO.
    """
    rules = []
    for rule in text(context, "remap").split():
        before, _, after = rule.partition(":=")
        if not (before and after):
            raise RuntimeError(f"remap: {rule!r} must be FROM:=TO")
        rules.append((before, after))
    return rules


def to_actions(
    specs: Iterable[NodeSpec],
    namespace: str,
    *,
    remap: Sequence[tuple[str, str]] = (),
    respawn: bool = False,
) -> list[Any]:
    """Return a launch_ros Node for each process of the graph.

    With `respawn`, or where it is vital, a node that dies is started again after a second. The
    launch fails where that can't help: it can't start, or has died five times within a minute.
    """
    actions = []
    for spec in specs:
        again = respawn or spec.vital
        node = Node(
            package=_PACKAGE,
            executable=spec.name,
            name=spec.name,
            namespace=namespace,
            parameters=[*map(str, spec.params_files), dict(spec.parameters)],
            remappings=[*remap, *spec.remap, *TRANSFORMS],
            respawn=again,
            respawn_delay=_RESPAWN_DELAY,
            output="screen",
            emulate_tty=True,
            additional_env=discovery(os.environ),
            # On a busy computer torch alone takes seconds of it to go.
            sigterm_timeout=_SIGTERM_TIMEOUT,
        )
        if again:
            given_up = OnProcessExit(target_action=node, on_exit=giving_up())
            actions.append(RegisterEventHandler(given_up))
        actions.append(node)
    return actions


def _checked(context: LaunchContext, argument: str, name: str) -> Path:
    """Return a parameter file that says something to one of a robot's nodes."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise RuntimeError(f"{argument}:={name}: no such file")
    namespace = absolute_namespace(context)
    check_speaks_of(path, [f"{namespace}/{node}" for node in ROBOT_NODES])
    return path
