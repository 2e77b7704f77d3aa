"""A real robot: estimator, policy and controller; the robot brings its sensors and its base."""

from launch.actions import OpaqueFunction

from ebm_mpc_ros.tools.graph import robot_graph
from ebm_mpc_ros.tools.launching import (
    checkpoint_argument,
    common_arguments,
    controller_argument,
    flag,
    params_file,
    remap_argument,
    remappings,
    respawn_argument,
    robot_argument,
    robot_files,
    rviz_argument,
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
            *common_arguments(use_sim_time=False),
            robot_argument(),
            remap_argument(),
            switch("relay", "false", "Stop a base that has no command timeout: see base/cmd_vel."),
            respawn_argument(),
            rviz_argument(),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    specs = robot_graph(
        controller=text(context, "controller"),
        params_file=params_file(context),
        robot_files=robot_files(context),
        checkpoint=text(context, "checkpoint"),
        relay=flag(context, "relay"),
        use_sim_time=flag(context, "use_sim_time"),
    )
    namespace, remap = text(context, "namespace"), remappings(context)
    return [
        *to_actions(specs, namespace, remap=remap, respawn=flag(context, "respawn")),
        *rviz_actions(context, namespace, remap=remap),
    ]
