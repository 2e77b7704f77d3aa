"""The optimal control problem, its QP, the real-time iteration on OSQP, and the command limiter."""

from ebm_mpc_ros.control.delay import DelayCompensation
from ebm_mpc_ros.control.fallback import Fallback, FallbackSettings
from ebm_mpc_ros.control.half_planes import HalfPlanes, around_discs
from ebm_mpc_ros.control.limiter import CommandLimits, integrate, slow_down
from ebm_mpc_ros.control.path import ReferencePath, goal_path
from ebm_mpc_ros.control.problem import ControlProblem
from ebm_mpc_ros.control.reference import (
    FollowerSettings,
    PathFollower,
    Trajectory,
    model_reference,
)
from ebm_mpc_ros.control.rti import RealTimeIteration
from ebm_mpc_ros.control.solution import Solution
from ebm_mpc_ros.control.solver import SolverSettings, Status

__all__ = [
    "CommandLimits",
    "ControlProblem",
    "DelayCompensation",
    "Fallback",
    "FallbackSettings",
    "FollowerSettings",
    "HalfPlanes",
    "PathFollower",
    "RealTimeIteration",
    "ReferencePath",
    "Solution",
    "SolverSettings",
    "Status",
    "Trajectory",
    "around_discs",
    "goal_path",
    "integrate",
    "model_reference",
    "slow_down",
]
