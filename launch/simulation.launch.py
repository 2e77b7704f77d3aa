"""A simulated robot on a course, and the nodes that drive it."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from ebm_mpc_ros.tools.graph import simulation_graph
from ebm_mpc_ros.tools.launching import (
    checkpoint_argument,
    common_arguments,
    controller_argument,
    course_arguments,
    flag,
    number,
    params_file,
    robot_argument,
    robot_files,
    rviz_argument,
    seed,
    text,
    to_actions,
)
from ebm_mpc_ros.tools.rviz import rviz_actions
from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription(
        [
            controller_argument(),
            checkpoint_argument(),
            *course_arguments(),
            DeclareLaunchArgument(
                "rate", default_value="1.0", description="Simulated seconds in a second, at most 1."
            ),
            *common_arguments(use_sim_time=True),
            robot_argument(),
            rviz_argument(),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    specs = simulation_graph(
        controller=text(context, "controller"),
        course=text(context, "course"),
        seed=seed(context),
        rate=number(context, "rate", above=0.0, maximum=1.0),
        params_file=params_file(context),
        robot_files=robot_files(context),
        checkpoint=text(context, "checkpoint"),
        use_sim_time=flag(context, "use_sim_time"),
    )
    namespace = text(context, "namespace")
    return [*to_actions(specs, namespace), *rviz_actions(context, namespace)]
