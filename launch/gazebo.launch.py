"""The robot on a course in Gazebo Harmonic, and the nodes that drive it."""

from launch.actions import OpaqueFunction

from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.simulation.gazebo import compose_world
from ebm_mpc_ros.tools.gazebo import gazebo_actions
from ebm_mpc_ros.tools.graph import gazebo_graph
from ebm_mpc_ros.tools.launching import (
    absolute_namespace,
    checkpoint_argument,
    common_arguments,
    controller_argument,
    course_arguments,
    flag,
    params_file,
    robot_argument,
    robot_files,
    rviz_argument,
    seed,
    switch,
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
            switch("gui", "true", "Show Gazebo's window."),
            *common_arguments(use_sim_time=True),
            robot_argument(),
            rviz_argument(),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    namespace, course = text(context, "namespace"), text(context, "course")
    noise = seed(context)
    if not flag(context, "use_sim_time"):
        raise RuntimeError("use_sim_time:=false: Gazebo's time is simulated")
    specs = gazebo_graph(
        controller=text(context, "controller"),
        course=course,
        seed=noise,
        params_file=params_file(context),
        robot_files=robot_files(context),
        checkpoint=text(context, "checkpoint"),
    )
    world = compose_world(load_course(course), absolute_namespace(context))
    return [
        *gazebo_actions(world, seed=noise, gui=flag(context, "gui"), namespace=namespace),
        *to_actions(specs, namespace),
        *rviz_actions(context, namespace),
    ]
