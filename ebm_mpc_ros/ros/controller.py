"""What mpc_node does in a tick between the estimate and the command. No rclpy here."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.control import (
    ControlProblem,
    DelayCompensation,
    Fallback,
    FallbackSettings,
    HalfPlanes,
    RealTimeIteration,
    Solution,
    SolverSettings,
    around_discs,
    led_around,
    led_from,
    model_reference,
    planar_outputs,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

Vector = NDArray[np.float64]

# Of the mean of the ticks' durations.
_LEARNING = 0.1
# m by which a plan may cross a soft bound.
_TOUCH = 0.01
# A robot is blocked where its plan comes this near (m) to what it keeps clear of, and leads it
# less than this share of the way that it is wanted to go, if that is longer than this (m).
_NEAR, _STANDING, _FAR = 0.1, 0.25, 0.2
# It is blocked too where it has come no farther than this (m) in this time (s).
_MOVED, _PATIENCE = 0.05, 2.0
# s after which a plan is no longer started from.
_STALE = 0.5
# A way around an obstacle begins within so many times the distance to its centre to keep.
_REACH = 3.5
_NO_DISCS = np.empty((0, 3))


@dataclass(frozen=True, kw_only=True)
class ControllerSettings:
    """What a controller does.

    Attributes:
        problem: The optimal control problem.
        solver: How it is solved.
        fallback: What is driven where it can't be.
        latency: Time from sending a command to its acting in s.
        robot_radius: Radius of the robot's circle in m.
        obstacle_clearance: Distance to keep between that circle and obstacles in m.
        lateral_acceleration: Highest acceleration across the way past an obstacle in m/s².
    """

    problem: ControlProblem
    solver: SolverSettings
    fallback: FallbackSettings
    latency: float
    robot_radius: float
    obstacle_clearance: float
    lateral_acceleration: float

    @property
    def distance(self) -> float:
        """Distance of the robot's middle to keep from obstacles in m."""
        return self.robot_radius + self.obstacle_clearance


class Decision(NamedTuple):
    """What a tick comes to.

    Attributes:
        input: The input (m,) to apply; None where the robot is to be stopped.
        reason: Why it is stopped, or what else is amiss; empty where nothing is.
        solution: The answer of the solver.
        prepare: Time of the solve's preparation in s.
        feedback: Time of its feedback in s.
    """

    input: Vector | None
    reason: str
    solution: Solution
    prepare: float
    feedback: float


class Controller:
    """From a state and a reference to an input, whatever happens on the way.

    It predicts the state to when the next input acts, keeps the plan out of obstacles, solves,
    and drives the last plan's tail where that fails. A plan that would touch an obstacle is not
    driven: a stop is shorter.
    """

    def __init__(self, settings: ControllerSettings) -> None:
        """Start without a plan."""
        problem = settings.problem
        self._settings = settings
        self._iteration = RealTimeIteration(problem, settings.solver)
        self._fallback = Fallback(settings.fallback)
        self._delay = DelayCompensation(problem.model, latency=settings.latency, hold=problem.dt)
        self._sent = np.zeros(len(problem.model.input_names))
        self._sent_at: int | None = None
        self._lead = 0.0
        self._rests = 0
        self._stood, self._stands_at = 0, np.full(2, np.inf)
        names = problem.model.state_names
        self._place = [names.index("x"), names.index("y")] if problem.half_planes else []

    @property
    def settings(self) -> ControllerSettings:
        """What it does."""
        return self._settings

    @property
    def counts(self) -> Counter[str]:
        """How often solves failed, by how they ended, and what was driven then."""
        return self._fallback.counts

    @property
    def ahead(self) -> float:
        """Time from the begin of a tick to when its input acts in s."""
        return self._lead + self._settings.latency

    def change(self, settings: ControllerSettings) -> Callable[[], None]:
        """Prepare for other settings; return what puts them in force, going on from the plan.

        Raises:
            ValueError: Something differs that must be the same, such as the horizon.
        """
        iteration = self._iteration.changed(settings.problem, settings.solver)
        delay = self._delay.with_latency(settings.latency)

        def apply() -> None:
            self._settings, self._iteration, self._delay = settings, iteration, delay

        return apply

    def rest(self) -> None:
        """Note a period in which the robot is stopped for a reason that is not the solver's.

        There is no tail after it, and after half a second no plan to go on from.
        """
        self._fallback.forget()
        self._stood = 0
        self._rests += 1
        if self._rests * self._settings.problem.dt >= _STALE:
            self._iteration.reset()

    def forget(self) -> None:
        """Forget the plan."""
        self._iteration.reset()
        self._fallback.forget()

    def sent(self, stamp: int, u: Vector, took: float | None = None) -> None:
        """Note the input (m,) that a command amounts to, sent at `stamp` (ns).

        `took` is the time from the begin of the tick to that in s, where there was one.
        """
        if self._sent_at is not None and stamp < self._sent_at:
            self._delay.clear()
        self._delay.sent(stamp, u)
        self._sent, self._sent_at = u, stamp
        if took is not None:
            self._lead += _LEARNING * (min(took, self._settings.problem.dt) - self._lead)

    def predict(self, state: Vector, stamp: int, now: int) -> Vector:
        """Return the state (state_size,) when an input acts that a tick begun `now` (ns) finds.

        Args:
            state: Estimate (state_size,), not older than 2 s.
            stamp: Its time in ns.
            now: Time in ns.
        """
        return self._delay.predict(state, stamp, now + round(1e9 * self._lead))

    def tick(
        self,
        state: Vector,
        reference: Vector,
        discs: Vector,
        guess: Vector | None = None,
        periods: int = 1,
    ) -> Decision:
        """Return what to do.

        Args:
            state: Predicted state (state_size,).
            reference: x_ref (N+1, state_size) from then on.
            discs: Obstacles (M, 3): x, y, radius in m.
            guess: Path (N+1, 2) that passes obstacles on the sides to take, in m, such as the
                policy's; where omitted the reference is led around them.
            periods: Time since the last tick in periods. The plan that the solve starts from is
                shifted by one however many there were: the solve makes up for the rest.
        """
        started = time.perf_counter()
        self._rests = 0
        discs = self._within_reach(state, reference, discs)
        plan = self._iteration.forecast() if len(discs) else None
        planes = None
        if len(discs):
            self._see_whether_it_moves(state, periods)
            if guess is None:
                reference = self._led_around(state, reference, discs, plan)
                guess = reference[:, self._place]
            planes = self._half_planes(
                guess if plan is None else plan[:, self._place], discs, guess
            )
        self._iteration.prepare(reference, sent=self._sent, half_planes=planes)
        prepared = time.perf_counter()
        solution = self._iteration.feedback(state)
        ended = time.perf_counter()
        u = self._fallback.take(solution, periods)
        driven = solution.states if solution.usable else plan
        gaps = None
        if u is not None and len(discs) and driven is not None:
            gaps = self._gaps(driven, discs)
            # Where the robot touches an obstacle as it is, it may drive out.
            if np.any(gaps[1:].min(axis=0) < np.minimum(gaps[0], 0.0) - _TOUCH):
                self._fallback.forget()
                u = None
        return Decision(
            u,
            self._amiss(u, solution, reference, gaps),
            solution,
            prepared - started,
            ended - prepared,
        )

    def _amiss(
        self, u: Vector | None, solution: Solution, reference: Vector, gaps: Vector | None
    ) -> str:
        """Return what is to be said of a tick; empty where all is well."""
        if not solution.usable:
            driven = "" if u is None else ", driving on along the last plan"
            return f"no solution{driven}: {solution.reason}"
        if u is None:
            return "an obstacle is too close: the plan would touch it"
        if gaps is None or gaps.min() > self._settings.obstacle_clearance + _NEAR:
            return ""
        places = solution.states[:, self._place]
        way = reference[-1, self._place] - places[0]
        wanted = float(np.hypot(*way))
        little = np.dot(places[-1] - places[0], way) < _STANDING * wanted * wanted
        stands = self._stood * self._settings.problem.dt > _PATIENCE
        if wanted > _FAR and (little or stands):
            return "an obstacle blocks the way: no plan leads past it"
        return ""

    def _see_whether_it_moves(self, state: Vector, periods: int) -> None:
        """Count the periods for which the robot has been where it is."""
        here = state[self._place]
        self._stood += periods
        if not math.dist(here, self._stands_at) < _MOVED:
            self._stood, self._stands_at = 0, here

    def _within_reach(self, state: Vector, reference: Vector, discs: Vector) -> Vector:
        """Return the discs that the horizon or a way around them can come near to."""
        if not (self._place and len(discs)):
            return _NO_DISCS
        here, places = state[self._place], reference[:, self._place]
        if not (np.isfinite(here).all() and np.isfinite(places).all()):
            # The solver refuses it, in words.
            return _NO_DISCS
        # The way from the robot to where the reference begins counts as part of it.
        length = np.abs(places[1:] - places[:-1]).sum() + np.abs(places[0] - here).sum()
        away = discs[:, :2] - here
        radii = discs[:, 2] + self._settings.distance
        near = np.hypot(away[:, 0], away[:, 1]) < 2.0 * float(length) + _REACH * radii
        found: Vector = discs[near]
        return found

    def _led_around(
        self, state: Vector, reference: Vector, discs: Vector, plan: Vector | None
    ) -> Vector:
        settings = self._settings
        model = settings.problem.model
        planar = planar_outputs(model, reference)
        here = state[self._place]
        # Nearer than that the robot may be on its way around a disc.
        aside = 2.0 * (float(discs[:, 2].max()) + settings.distance)
        if math.dist(here, planar[0, :2]) > aside:
            planar = led_from(planar, here, settings.problem.dt)
            reference = model_reference(model, planar)
        moved = led_around(
            planar,
            discs,
            settings.problem.dt,
            clearance=settings.distance,
            lateral_acceleration=settings.lateral_acceleration,
            plan=None if plan is None else plan[:, self._place],
        )
        return reference if moved is planar else model_reference(model, moved)

    def _half_planes(self, positions: Vector, discs: Vector, guess: Vector) -> HalfPlanes:
        settings = self._settings
        problem = settings.problem
        return around_discs(
            discs,
            positions,
            problem.dt,
            problem.half_planes,
            clearance=settings.distance,
            guess=guess,
        )

    def _gaps(self, states: Vector, discs: Vector) -> Vector:
        """Return the distances (N+1, M) between the robot's circle along a plan and the discs."""
        away = states[:, None, self._place] - discs[:, :2]
        gaps: Vector = np.hypot(away[..., 0], away[..., 1]) - discs[:, 2]
        return gaps - self._settings.robot_radius
