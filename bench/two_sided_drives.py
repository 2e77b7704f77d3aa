"""Who drives past the obstacle in bench/two_sided.py, and how an episode went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ebm_mpc_ros.control import (
    PathFollower,
    ReferencePath,
    Trajectory,
    model_reference,
    planar_outputs,
)
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import command_limits, follower_settings
from ebm_mpc_ros.simulation.passing import draw_passing
from ebm_mpc_ros.tools.closed_loop import ClosedLoop, push
from ebm_mpc_ros.tools.demonstrator import MODEL, SPEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.energy.outcome import Plan
    from ebm_mpc_ros.simulation.courses import Course

    Vector = NDArray[np.float64]

VALUES, _ = read(MPC_PARAMETERS, {"cruise_speed": SPEED})
DT = 0.1
_PERIOD = VALUES["dt"]
_EACH = 4
_LIMITS = command_limits(VALUES, MODEL)
_SETTINGS = follower_settings(VALUES, MODEL)
_ROWS = 60
_ARRIVED, _LONGEST = 0.3, 25.0


class Planner(Protocol):
    """What plans from a state: a learned policy."""

    def reset(self) -> None:
        """Forget the last plan."""

    def plan(
        self, state: Vector, reference: Vector, obstacles: Vector, elapsed_s: float = 0.0
    ) -> Plan:
        """Return a plan."""


class Episode(NamedTuple):
    """How an episode went: whether it touched or arrived, its least gap in m, its side, stops."""

    touched: bool
    arrived: bool
    gap: float
    left: bool
    stops: int


def drive(planner: Planner, seed: int, *, controlled: bool) -> Episode:
    """Drive an episode by a plan every 0.2 s, through the limiter, or with the MPC behind it.

    The states are the true ones.
    """
    rng = np.random.default_rng([1, seed])
    course = draw_passing(rng, SPEED)
    loop = ClosedLoop(MODEL, course, _LIMITS, period=_PERIOD, seed=seed)
    push(loop, rng)
    follower = PathFollower(ReferencePath(course.points), _SETTINGS)
    follow = _Controlled(course) if controlled else _alone
    planner.reset()
    places: list[Vector] = []
    stops, elapsed, plan, tick = 0, 0.0, None, 0
    while loop.time < _LONGEST and not loop.touched:
        state = loop.state
        places.append(state[:2])
        if math.dist(state[:2], course.points[-1]) < _ARRIVED:
            break
        if tick % _EACH == 0:
            way = model_reference(
                MODEL, follower.reference(planar_outputs(MODEL, state), DT, _ROWS)
            )
            found = planner.plan(state, way, course.obstacles, elapsed)
            plan, elapsed = (found, 0.0) if found.usable else (None, elapsed)
        u = None if plan is None else follow(plan, state, elapsed, loop)
        stops += u is None
        loop.send(u)
        loop.advance()
        elapsed += _PERIOD
        tick += 1
    arrived = math.dist(loop.state[:2], course.points[-1]) < _ARRIVED
    return Episode(loop.touched, arrived, loop.closest, _left(course, np.array(places)), stops)


def _alone(plan: Plan, _state: Vector, elapsed: float, _loop: ClosedLoop) -> Vector:
    """Return the plan's own input."""
    u: Vector = plan.inputs[min(int(elapsed / DT + 1e-6), len(plan.inputs) - 1)]
    return u


class _Controlled:
    """The controller on a plan, as mpc_node runs it."""

    def __init__(self, course: Course) -> None:
        self._controller = Controller(controller_settings(VALUES, MODEL))
        self._obstacles = course.obstacles

    def __call__(
        self, plan: Plan, state: Vector, elapsed: float, loop: ClosedLoop
    ) -> Vector | None:
        stamps = DT * np.arange(len(plan.states))
        trajectory = Trajectory(stamps, planar_outputs(MODEL, plan.states))
        planar = trajectory.resample(elapsed, _PERIOD, VALUES["horizon"])
        reference = model_reference(MODEL, planar)
        u = self._controller.tick(state, reference, self._obstacles, planar[:, :2]).input
        sent = np.zeros(len(loop.command)) if u is None else u
        self._controller.sent(round(1e9 * loop.time), sent)
        return u


def _left(course: Course, places: Vector) -> bool:
    """Return whether the obstacle was passed on its left, or as far as it came stood there."""
    obstacle = course.obstacles[0, :2]
    beside = int(np.hypot(*(course.points[:-1] - obstacle).T).argmin())
    ahead = course.segments[beside] / course.lengths[beside]
    away = places - obstacle
    nearest = int((np.abs(away @ ahead) + np.hypot(*away.T)).argmin())
    return bool(ahead[0] * away[nearest, 1] - ahead[1] * away[nearest, 0] > 0.0)
