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
from ebm_mpc_ros.tools.graph import replay_graph
from ebm_mpc_ros.tools.launching import (
    common_arguments,
    flag,
    params_file,
    robot_argument,
    robot_files,
    rviz_argument,
    text,
    to_actions,
)
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
    if not bag.exists():
        raise RuntimeError(f"bag:={bag}: no such bag")
    own = text(context, "player") == "own"
    rate = text(context, "rate")
    specs = replay_graph(
        bag=bag,
        params_file=params_file(context),
        robot_files=robot_files(context),
        rate=float(rate),
        with_player=own,
        use_sim_time=flag(context, "use_sim_time"),
    )
    namespace = text(context, "namespace")
    actions = to_actions(specs, namespace)
    if not own:
        play = ["ros2", "bag", "play", str(bag), "--clock", "100", "--rate", rate]
        actions.append(ExecuteProcess(cmd=play, output="screen"))
    ended = OnProcessExit(
        target_action=actions[-1],
        on_exit=[EmitEvent(event=Shutdown(reason="the bag has ended"))],
    )
    return [*actions, RegisterEventHandler(ended), *rviz_actions(context, namespace)]
