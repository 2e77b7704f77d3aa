"""The graph, described once: launch files and the demo start what this says."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import load_course

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CONTROLLERS = {
    "policy_mpc": "the policy proposes, the MPC disposes",
    "mpc": "the MPC follows the plan, around single obstacles",
    "policy": "the policy drives by itself",
}
"""What drives the robot, by the value of the argument `controller`."""

SHIPPED_POLICY = "package://ebm_mpc_ros/checkpoints/two_sided.safetensors"
"""The trained policy that comes with the package."""

ROBOT_NODES = ("ekf_node", "policy_node", "mpc_node", "relay_node")
"""The nodes that a robot's parameter files speak of."""

TRANSFORMS = (("/tf", "tf"), ("/tf_static", "tf_static"))
"""Remappings that give each namespace its own frames, as Nav2 has it."""

_PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")

OWN_CLOCK = ("/clock", "clock")
"""Remapping that gives a namespace its own time."""
_REPLAYED = "replayed"

RECORDED = (
    "odometry/filtered nav_msgs/msg/Odometry",
    "ground_truth/odom nav_msgs/msg/Odometry",
    "wheel/odometry nav_msgs/msg/Odometry",
    "imu/data sensor_msgs/msg/Imu",
    "cmd_vel geometry_msgs/msg/TwistStamped",
    "policy/plan trajectory_msgs/msg/MultiDOFJointTrajectory",
    "policy/samples visualization_msgs/msg/MarkerArray",
    "mpc/prediction nav_msgs/msg/Path",
    "/diagnostics diagnostic_msgs/msg/DiagnosticArray",
    "/clock rosgraph_msgs/msg/Clock",
)
RECORDED_LATCHED = (
    "plan nav_msgs/msg/Path",
    "obstacles visualization_msgs/msg/MarkerArray",
)


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """One process of the graph: a node, its parameter files, and parameters that overrule them.

    `name` is that of the node and of its console script. Of two files the later one wins. `remap`
    has rules (from, to) beside `TRANSFORMS`, before which they go. One that is `vital` is started
    again when it dies, whatever is done with the others.
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    params_files: Sequence[Path] = ()
    remap: Sequence[tuple[str, str]] = ()
    vital: bool = False

    def command(self, namespace: str = "") -> list[str]:
        """Return the command line that runs it without `ros2 run`."""
        module = f"ebm_mpc_ros.nodes.{self.name.removesuffix('_node')}"
        line = [sys.executable, "-m", module, "--ros-args", "-r", f"__node:={self.name}"]
        if namespace:
            line += ["-r", f"__ns:=/{namespace.strip('/')}"]
        for before, after in (*self.remap, *TRANSFORMS):
            line += ["-r", f"{before}:={after}"]
        for file in self.params_files:
            line += ["--params-file", str(file)]
        for key, value in self.parameters.items():
            line += ["-p", f"{key}:={_yaml(value)}"]
        return line


def discovery(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that names config/discovery.xml, unless the user's own profiles are set.

    Args:
        environment: The environment that the nodes would have.
    """
    if any(environment.get(name) for name in _PROFILES):
        return {}
    return {_PROFILES[0]: str(share_directory() / "config" / "discovery.xml")}


def default_params_file() -> Path:
    """Return config/diff_drive.yaml."""
    return share_directory() / "config" / "diff_drive.yaml"


def robot_graph(
    *,
    controller: str,
    params_file: Path,
    use_sim_time: bool,
    robot_files: Sequence[Path] = (),
    checkpoint: str = "",
    relay: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[NodeSpec, ...]:
    """Return the nodes that drive a robot: estimator, and policy and controller as chosen.

    Args:
        controller: One of `CONTROLLERS`.
        params_file: Of all nodes.
        use_sim_time: Whether time is that of /clock.
        robot_files: What differs from `params_file`, the last one last.
        checkpoint: A trained policy's; empty for what the parameter file says.
        relay: Whether a relay stops the base when commands end, for a base that doesn't itself.
        overrides: Parameters by node that overrule the file.

    Raises:
        ValueError: There is no such controller, or none that a checkpoint is for.
    """
    if controller not in CONTROLLERS:
        raise ValueError(f"controller {controller!r}: must be {', '.join(CONTROLLERS)}")
    if checkpoint and controller == "mpc":
        raise ValueError("controller 'mpc' has no policy, so a checkpoint has no use")
    chosen: dict[str, dict[str, Any]] = {"relay_node": {}} if relay else {}
    chosen["ekf_node"] = {}
    if controller != "mpc":
        chosen["policy_node"] = {"send_commands": controller == "policy"}
        if checkpoint:
            chosen["policy_node"]["checkpoint"] = checkpoint
    if controller != "policy":
        source = "policy" if controller == "policy_mpc" else "plan"
        chosen["mpc_node"] = {"reference_source": source}
    overrides = overrides or {}
    return tuple(
        NodeSpec(
            name=name,
            params_files=(params_file, *robot_files),
            parameters={
                "use_sim_time": use_sim_time,
                **parameters,
                **overrides.get(name, {}),
            },
            # Without it the base goes on as it was told last; it starts by stopping it.
            vital=name == "relay_node",
        )
        for name, parameters in chosen.items()
    )


def simulation_graph(
    *,
    controller: str,
    course: str,
    seed: int,
    params_file: Path,
    robot_files: Sequence[Path] = (),
    checkpoint: str = "",
    rate: float = 1.0,
    use_sim_time: bool = True,
) -> tuple[NodeSpec, ...]:
    """Return a simulated robot on a course and the nodes that drive it; see `robot_graph`.

    Without `use_sim_time` the simulator lives by the system's clock and leaves /clock alone, so
    that several of them can run side by side.

    Raises:
        ValueError: There is no such course or controller, or none that a checkpoint is for; or a
            `rate` other than that of the system's clock.
    """
    if not use_sim_time and rate != 1.0:
        raise ValueError(f"rate {rate:g}: must be 1 without use_sim_time")
    simulator = NodeSpec(
        name="simulator_node",
        parameters={
            "course": course,
            "seed": seed,
            "rate": rate,
            "publish_clock": use_sim_time,
        },
    )
    driving = _course_graph(
        controller=controller,
        course=course,
        seed=seed,
        params_file=params_file,
        robot_files=robot_files,
        checkpoint=checkpoint,
        use_sim_time=use_sim_time,
    )
    return (simulator, *driving)


def gazebo_graph(
    *,
    controller: str,
    course: str,
    seed: int,
    params_file: Path,
    robot_files: Sequence[Path] = (),
    checkpoint: str = "",
) -> tuple[NodeSpec, ...]:
    """Return what drives the robot in Gazebo on a course: as `simulation_graph`, and the relay.

    config/gazebo.yaml holds where the parameter files say nothing else.

    Raises:
        ValueError: There is no such course or controller, or none that a checkpoint is for.
    """
    return _course_graph(
        controller=controller,
        course=course,
        seed=seed,
        params_file=share_directory() / "config" / "gazebo.yaml",
        robot_files=(params_file, *robot_files),
        checkpoint=checkpoint,
        use_sim_time=True,
        relay=True,
    )


def _course_graph(
    *,
    controller: str,
    course: str,
    seed: int,
    params_file: Path,
    robot_files: Sequence[Path],
    checkpoint: str,
    use_sim_time: bool,
    relay: bool = False,
) -> tuple[NodeSpec, ...]:
    """Return the nodes that drive an enabled robot from the start of a course, and the course."""
    laid_out = load_course(course)
    x, y, yaw = laid_out.start
    driven: dict[str, Any] = {"enabled": True, "cruise_speed": laid_out.speed}
    overrides: dict[str, dict[str, Any]] = {
        "ekf_node": {"initial_state": [x, y, 0.0, 0.0, 0.0, yaw, *[0.0] * 9]},
        "mpc_node": driven,
        "policy_node": {**driven, "seed": seed},
    }
    return (
        *robot_graph(
            controller=controller,
            params_file=params_file,
            robot_files=robot_files,
            use_sim_time=use_sim_time,
            checkpoint=checkpoint,
            relay=relay,
            overrides=overrides,
        ),
        NodeSpec(name="course_node", parameters={"use_sim_time": use_sim_time, "course": course}),
    )


def replay_graph(
    *,
    bag: Path,
    topics: Mapping[str, str],
    params_file: Path,
    rate: float,
    with_player: bool,
    robot_files: Sequence[Path] = (),
    use_sim_time: bool = True,
    event_log: str = "",
) -> tuple[NodeSpec, ...]:
    """Return the estimator on a bag's sensors and, unless ros2 bag plays, our player.

    A robot that hears them must not take them for its own: what is played goes to
    replayed/TOPIC, which the estimator here listens to, and time to the namespace's own clock.

    Args:
        bag: What is played.
        topics: The bag's topics to play by the estimator's names for them, `topics_read_live`'s.
        params_file: Of the estimator.
        rate: Bag seconds in a second.
        with_player: Whether to play with `player_node`; else `bag_play` says how.
        robot_files: What differs from `params_file`, the last one last.
        use_sim_time: Whether time is that of the bag.
        event_log: New bag folder for the estimator's event log; empty for what the files say.
    """
    estimator = NodeSpec(
        name="ekf_node",
        params_files=(params_file, *robot_files),
        parameters={
            "use_sim_time": use_sim_time,
            **({"event_log": event_log} if event_log else {}),
        },
        remap=(*((name, f"{_REPLAYED}{topic}") for name, topic in topics.items()), OWN_CLOCK),
    )
    played = sorted(set(topics.values()))
    player = NodeSpec(
        name="player_node",
        parameters={"bag": str(bag), "rate": rate, "topics": played},
        remap=(*((topic, f"{_REPLAYED}{topic}") for topic in played), OWN_CLOCK),
    )
    return (estimator, player) if with_player else (estimator,)


def bag_play(bag: Path, topics: Iterable[str], rate: float, namespace: str) -> list[str]:
    """Return the `ros2 bag play` that stands in for the player of `replay_graph`.

    Args:
        bag: What is played.
        topics: The bag's topics to play.
        rate: Bag seconds in a second.
        namespace: That of the nodes, such as /robot1; empty for none.
    """
    played = sorted(set(topics))
    rules = [(topic, f"{_REPLAYED}{topic}") for topic in played]
    remap = [f"{before}:={namespace}/{after}" for before, after in (*rules, OWN_CLOCK)]
    line = ["ros2", "bag", "play", str(bag), "--clock", "100", "--rate", str(rate)]
    return [*line, "--topics", *played, "--remap", *remap]


def recorder(bag: Path) -> NodeSpec:
    """Return the node that records the whole graph into the folder `bag`; see `announced`."""
    return NodeSpec(
        name="recorder_node",
        parameters={
            "use_sim_time": True,
            "bag": str(bag),
            "topics": list(RECORDED),
            "latched_topics": list(RECORDED_LATCHED),
            "announce": "cmd_vel",
        },
    )


def announced(log: str) -> tuple[float, float] | None:
    """Return what a recorder's log says last of the drive, None before it begins.

    That is the seconds since the first command that was not zero, and this one's UNIX time.
    """
    for line in reversed(log.split("\n")[:-1]):
        try:
            driven, began = map(float, line.split())
        except ValueError:
            continue
        return driven, began
    return None


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1_000_000)
    return text.removesuffix("\n").removesuffix("...").strip()
