"""A bag through the live estimator."""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import OWN_CLOCK, bag_play, replay_graph
from ebm_mpc_ros.tools.launching import (
    absolute_namespace,
    common_arguments,
    flag,
    number,
    params_file,
    robot_argument,
    robot_files,
    rviz_argument,
    text,
    to_actions,
)
from ebm_mpc_ros.tools.replay_topics import topics_read_live
from ebm_mpc_ros.tools.rviz import rviz_actions
from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="The bag: ROS 1 file, or ROS 2 folder."),
            DeclareLaunchArgument("rate", default_value="1.0", description="Bag seconds a second."),
            DeclareLaunchArgument(
                "player",
                default_value="own",
                choices=["own", "ros2"],
                description="own: player_node, which reads ROS 1 and 2; ros2: `ros2 bag play`.",
            ),
            DeclareLaunchArgument(
                "event_log",
                default_value="",
                description="New folder for ekf_node's event log, which `replay` takes.",
            ),
            *common_arguments(
                use_sim_time=True, params_file=share_directory() / "config" / "husky.yaml"
            ),
            robot_argument(),
            rviz_argument(),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    bag = Path(text(context, "bag"))
    rate = number(context, "rate", above=0.0)
    whole, differing = params_file(context), robot_files(context)
    inside = absolute_namespace(context)
    topics = topics_read_live(bag, (whole, *differing), inside)
    own = text(context, "player") == "own"
    specs = replay_graph(
        bag=bag,
        topics=topics,
        params_file=whole,
        robot_files=differing,
        rate=rate,
        with_player=own,
        use_sim_time=flag(context, "use_sim_time"),
        event_log=text(context, "event_log"),
    )
    namespace = text(context, "namespace")
    actions = to_actions(specs, namespace)
    if not own:
        play = bag_play(bag, topics.values(), rate, inside)
        actions.append(ExecuteProcess(cmd=play, output="screen"))
    ended = OnProcessExit(
        target_action=actions[-1],
        on_exit=[EmitEvent(event=Shutdown(reason="the bag has ended"))],
    )
    shown = rviz_actions(context, namespace, remap=[OWN_CLOCK])
    return [*actions, RegisterEventHandler(ended), *shown]
