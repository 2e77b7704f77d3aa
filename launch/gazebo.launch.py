"""The robot on a course in Gazebo Harmonic, and the nodes that drive it."""

from launch.actions import DeclareLaunchArgument, OpaqueFunction

from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.simulation.gazebo import compose_world
from ebm_mpc_ros.tools.graph import gazebo_graph
from ebm_mpc_ros.tools.launching import (
    checkpoint_argument,
    common_arguments,
    controller_argument,
    course_arguments,
    flag,
    gazebo_actions,
    params_file,
    text,
    to_actions,
)
from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the launch description."""
    return LaunchDescription(
        [
            controller_argument(),
            checkpoint_argument(),
            *course_arguments(),
            DeclareLaunchArgument(
                "gui",
                default_value="true",
                choices=["true", "false"],
                description="Show Gazebo's window.",
            ),
            *common_arguments(use_sim_time=True),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    namespace, course = text(context, "namespace"), text(context, "course")
    seed = int(text(context, "seed"))
    specs = gazebo_graph(
        controller=text(context, "controller"),
        course=course,
        seed=seed,
        params_file=params_file(context),
        checkpoint=text(context, "checkpoint"),
        use_sim_time=flag(context, "use_sim_time"),
    )
    return [
        *gazebo_actions(
            compose_world(load_course(course), namespace),
            seed=seed,
            gui=flag(context, "gui"),
            namespace=namespace,
        ),
        *to_actions(specs, namespace),
    ]
