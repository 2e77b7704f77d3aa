"""The optimal control problem, its QP, the real-time iteration on OSQP, and the command limiter."""

from ebm_mpc_ros.control.actuation import Actuation
from ebm_mpc_ros.control.approach import led_from
from ebm_mpc_ros.control.bend import within_turn_rate
from ebm_mpc_ros.control.delay import DelayCompensation
from ebm_mpc_ros.control.detour import led_around
from ebm_mpc_ros.control.fallback import Fallback, FallbackSettings
from ebm_mpc_ros.control.follower import PathFollower
from ebm_mpc_ros.control.half_planes import HalfPlanes, around_discs
from ebm_mpc_ros.control.limiter import CommandLimits, at_rest, integrate, slow_down
from ebm_mpc_ros.control.path import ReferencePath, goal_path
from ebm_mpc_ros.control.planar import PLANAR_NAMES, model_reference, planar_outputs
from ebm_mpc_ros.control.problem import ControlProblem
from ebm_mpc_ros.control.rti import RealTimeIteration
from ebm_mpc_ros.control.solution import Solution
from ebm_mpc_ros.control.solver import SolverSettings, Status
from ebm_mpc_ros.control.speed import FollowerSettings
from ebm_mpc_ros.control.standing import Standing
from ebm_mpc_ros.control.stretches import split_path
from ebm_mpc_ros.control.timed import TimedFollower, timed_path
from ebm_mpc_ros.control.trajectory import Trajectory

__all__ = [
    "PLANAR_NAMES",
    "Actuation",
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
    "Standing",
    "Status",
    "TimedFollower",
    "Trajectory",
    "around_discs",
    "at_rest",
    "goal_path",
    "integrate",
    "led_around",
    "led_from",
    "model_reference",
    "planar_outputs",
    "slow_down",
    "split_path",
    "timed_path",
    "within_turn_rate",
]
