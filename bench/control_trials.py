"""Random trials of the controller as mpc_node strings it together, with input good and bad.

A trial is a random robot, problem and course. At each tick the robot drives what was commanded, and
what the controller is given may be spoilt first, in one of the `SPOILERS`' ways.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from control_robots import (
    KINDS,
    LASTING,
    Ghost,
    Linear,
    random_limits,
    random_problem,
    random_settings,
)
from control_spoilers import SPOILERS, Given, neat
from numpy.typing import NDArray

from ebm_mpc_ros.control import (
    DelayCompensation,
    Fallback,
    FallbackSettings,
    HalfPlanes,
    RealTimeIteration,
    Solution,
    SolverSettings,
    integrate,
    slow_down,
)

Vector = NDArray[np.float64]
Command = tuple[float, ...]

_SECOND = 1_000_000_000
_FAR = 3.0
_ROUNDING = 1e-12

BARS = (
    "unsound plan",
    "input out of bounds",
    "first input out of reach",
    "no plan, no reason",
    "solution changed later",
    "unexpected exception",
    "floating-point error",
    "stale plan",
    "argument changed",
    "argument kept or misread",
    "command not finite",
    "command out of bounds",
    "command changes too fast",
)
"""What must never happen."""
GOOD = ("good", "good, odd problem")
"""Ticks with the solver's usual settings and no bounded rates, and with others."""
SPOILT = "spoilt"


class Breach(NamedTuple):
    """One thing that must not happen, and where it did."""

    what: str
    seed: int
    tick: int
    detail: str


class Trial:
    """A random robot in closed loop; the seed and the kind tell everything.

    Attributes:
        breaches: What happened that must not.
        counts: Ticks by what they were, and whether there was a plan.
        recoveries: How many good ticks in a row had no usable plan, with the solver's usual
            settings.
    """

    def __init__(self, kind: str, seed: int, *, twin: bool = False) -> None:
        self._seed = seed
        self._rng = rng = np.random.default_rng([seed, KINDS.index(kind)])
        self.problem = random_problem(rng, kind)
        settings = random_settings(rng)
        self._usual = settings == SolverSettings()
        self._good_ones = GOOD[1 - (self._usual and self.problem.input_rate_limits is None)]
        self._controller = RealTimeIteration(self.problem, settings)
        self._twin = RealTimeIteration(self.problem, settings) if twin else None
        model, dt = self.problem.model, self.problem.dt
        self._fallback = Fallback(FallbackSettings(tail_ticks=int(rng.integers(4))))
        self._delay: DelayCompensation | None = None
        if rng.random() < 0.5:
            latency = float(rng.choice([0.0, dt, 0.13]))
            self._delay = DelayCompensation(model, latency=latency, hold=dt)
        self._m = len(model.input_names)
        self._state = np.zeros(model.state_size)
        self._ghost = Ghost(rng, model, dt, self.problem.horizon)
        self._goal = np.zeros(model.state_size)
        self._limits = random_limits(rng, self.problem)
        self._command: Command = (0.0,) * self._m
        self._sent = np.zeros(self._m)
        self._walls: tuple[Vector, Vector] | None = None
        self._now = 10 * _SECOND
        self._tick = 0
        self._kept: tuple[Solution, bytes] | None = None
        self._waiting = 0
        self._recovering = True
        self.breaches: list[Breach] = []
        self.counts: Counter[tuple[str, bool]] = Counter()
        self.recoveries: Counter[int] = Counter()
        self._place()

    def tick(self, *spoilers: str) -> bool:
        """Go on by a step, what is given spoilt in these ways; return whether there was a plan."""
        given = self._good()
        with np.errstate(all="ignore"):
            for name in spoilers:
                SPOILERS[name](self._rng, given)
        self._tick += 1
        self._now += round(self.problem.dt * _SECOND)
        with np.errstate(divide="call", over="call", invalid="call", under="ignore"):
            before = np.seterrcall(lambda error, _: self._breach("floating-point error", error))
            try:
                usable = self._drive(given)
            except Exception as error:  # noqa: BLE001  any is a breach
                self._breach("unexpected exception", repr(error))
                usable = False
            finally:
                np.seterrcall(before)
        self._count(given, usable)
        return usable

    def _good(self) -> Given:
        problem, rng = self.problem, self._rng
        if isinstance(problem.model, Linear):
            if rng.random() < LASTING:
                self._goal = rng.normal(size=self._goal.size)
            reference = np.tile(self._goal, (problem.horizon + 1, 1))
        else:
            reference = self._ghost.reference()
        if not np.abs(self._state[:2] - reference[0, :2]).max() < _FAR:
            self._place()
        state = self._state.copy()
        return Given(reference, state, self._sent.copy(), self._half_planes())

    def _half_planes(self) -> HalfPlanes | None:
        """Return walls for a while, which the robot is not behind when they come up."""
        rng, shape = self._rng, (self.problem.horizon, self.problem.half_planes)
        if not shape[1]:
            return None
        if self._walls is None or rng.random() < LASTING:
            angles = rng.uniform(-math.pi, math.pi, shape[1])
            normals = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
            self._walls = normals, normals @ self._state[:2] - rng.uniform(0.2, 3.0, shape[1])
        normals, offsets = self._walls
        return HalfPlanes(np.tile(normals, (shape[0], 1, 1)), np.tile(offsets, (shape[0], 1)))

    def _place(self) -> None:
        """Put the robot near its reference, at rest."""
        self._state[:] = 0.0
        if isinstance(self.problem.model, Linear):
            self._state[:] = self._goal
        else:
            self._state[:3] = self._ghost.pose
        self._state[:2] += 0.2 * self._rng.normal(size=2)
        self._command = (0.0,) * self._m
        self._walls = None

    def _drive(self, given: Given) -> bool:
        """Run what mpc_node runs at a tick, look at it, and move the robot."""
        held = [(array, array.tobytes()) for array in given.arrays() if self._twin is None]
        plain = neat(given)
        if given.then == "changed":
            self._change()
        solution = self._solve(given, plain)
        if solution is None:
            self._fallback.forget()
            u = None
        else:
            self._look(plain, solution)
            u = self._fallback.take(solution)
        if any(array.tobytes() != bits for array, bits in held):
            self._breach("argument changed")
        self._send(u)
        return solution is not None and solution.usable

    def _change(self) -> None:
        """Change bounds and weights while the robot drives."""
        rng = self._rng
        self.problem = replace(
            self.problem,
            input_upper=np.asarray(self.problem.input_upper) * rng.uniform(0.98, 1.1),
            state_weights=np.asarray(self.problem.state_weights) * rng.uniform(0.5, 2.0),
            slack_weight=self.problem.slack_weight * rng.uniform(0.5, 2.0),
        )
        self._controller = self._controller.changed(self.problem)
        if self._twin is not None:
            self._twin = self._twin.changed(self.problem)

    def _solve(self, given: Given, plain: Given) -> Solution | None:
        compensated: Any = given.state
        if self._delay is not None:
            try:
                compensated = self._delay.predict(given.state, self._now - given.age, self._now)
            except ValueError:
                return None
            plain.state = compensated.copy()
        solution = self._ask(self._controller, given, compensated, spoil=self._twin is not None)
        if self._twin is not None:
            other = self._ask(self._twin, plain, plain.state, spoil=False)
            if not _same(solution, other):
                self._breach("argument kept or misread", f"{_told(solution)}; {_told(other)}")
                self._twin = None
        return solution

    def _ask(  # noqa: C901  each way to misuse it is a branch
        self, controller: RealTimeIteration, given: Given, state: Any, *, spoil: bool
    ) -> Solution | None:
        """Return a controller's answer, None where it refuses by an exception that is its own.

        Arrays are overwritten once it had them if they are to `spoil`.
        """
        if given.then == "reset":
            controller.reset()
        if given.then == "prepare twice":
            controller.prepare(np.zeros((1, 1)))
        if given.then != "no prepare":
            try:
                controller.prepare(given.reference, sent=given.sent, half_planes=given.half_planes)
            except ValueError:
                return self._stale(controller)
            if spoil:
                _overwrite([array for array in given.arrays() if array is not given.state])
        try:
            solution = controller.feedback(state)
            if given.then == "feedback twice":
                solution = controller.feedback(state)
        except ValueError:
            return None
        except RuntimeError:
            if given.then in {"no prepare", "feedback twice"}:
                return None
            raise
        if spoil and isinstance(state, np.ndarray):
            _overwrite([state])
        return solution

    def _stale(self, controller: RealTimeIteration) -> Solution | None:
        """Ask for a plan after a reference that was refused by an exception: there must be none."""
        try:
            solution = controller.feedback(self._state)
        except RuntimeError:
            return None
        if solution.usable:
            self._breach("stale plan", "usable after a reference that was refused")
        return solution

    def _look(self, given: Given, solution: Solution) -> None:
        """Check a solution, and that the last one is as it was."""
        problem = self.problem
        if self._kept is not None and self._kept[0].inputs.tobytes() != self._kept[1]:
            self._breach("solution changed later")
        self._kept = solution, solution.inputs.tobytes()
        inputs, states = solution.inputs, solution.states
        if not solution.usable:
            if not solution.reason or np.isfinite(inputs).any():
                self._breach("no plan, no reason", f"{solution}")
            return
        if not (np.isfinite(inputs).all() and np.isfinite(states).all()):
            self._breach("unsound plan", f"{solution}")
        if inputs.shape != (problem.horizon, self._m) or solution.reason:
            self._breach("unsound plan", f"{solution}")
        lower, upper = np.asarray(problem.input_lower), np.asarray(problem.input_upper)
        if not np.all((inputs >= lower) & (inputs <= upper)):
            self._breach("input out of bounds", f"{inputs}")
        if problem.input_rate_limits is not None and given.sent is not None and not given.then:
            sent = np.clip(given.sent, lower, upper)
            change = problem.dt * np.asarray(problem.input_rate_limits)
            if not np.all((inputs[0] >= sent - change) & (inputs[0] <= sent + change)):
                self._breach("first input out of reach", f"{inputs[0]} from {sent}")

    def _send(self, u: Vector | None) -> None:
        """Send what follows from an input, or slow down; move the robot by it."""
        model, dt = self.problem.model, self.problem.dt
        if self._limits is None:
            acting = np.zeros(self._m) if u is None else np.clip(u, -10.0, 10.0)
        else:
            before = self._command
            if u is None:
                self._command = slow_down(before, dt, self._limits)
            else:
                self._command = integrate(before, tuple(u.tolist()), dt, self._limits)
            self._check_command(before)
            acting = (np.array(self._command) - before) / dt
        self._sent = acting
        if self._delay is not None:
            self._delay.sent(self._now, acting)
        noise = 1e-3 * self._rng.normal(size=self._state.size)
        self._state = model.f(self._state, acting, dt) + noise

    def _check_command(self, before: Command) -> None:
        """Check the command that follows another one."""
        limits, dt = self._limits, self.problem.dt
        assert limits is not None  # noqa: S101  there is a command
        if not np.isfinite(self._command).all():
            self._breach("command not finite", f"{self._command}")
        if not limits.hold(self._command):
            self._breach("command out of bounds", f"{self._command}")
        if not limits.hold(before):
            return  # Bounds outrank rates.
        for old, new, gain, loss in zip(
            before, self._command, limits.gain, limits.loss, strict=True
        ):
            # What brings a command to 0 counts as loss, the rest of the time there is for gain.
            towards = min(abs(new - old), abs(old)) if new * old < 0.0 or abs(new) < abs(old) else 0
            spent = towards / loss + (abs(new - old) - towards) / gain
            if spent > dt + _ROUNDING:
                self._breach("command changes too fast", f"{old} to {new} in {dt} s")

    def _count(self, given: Given, usable: bool) -> None:
        honest = given.honest and not given.then
        self.counts[self._good_ones if honest else SPOILT, usable] += 1
        if not honest:
            self._recovering = True
            self._waiting = 0
        elif not usable:
            self._waiting += 1
        else:
            if self._usual and (self._recovering or self._waiting):
                self.recoveries[self._waiting] += 1
            self._recovering, self._waiting = False, 0

    def _breach(self, what: str, detail: str = "") -> None:
        self.breaches.append(Breach(what, self._seed, self._tick, detail))


def _overwrite(arrays: list[Vector]) -> None:
    for array in arrays:
        if array.flags.writeable and array.dtype.kind == "f":
            array[...] = math.nan


def _told(solution: Solution | None) -> str:
    """Say how a solution ended."""
    return "none" if solution is None else solution.reason or f"{solution.inputs[0]}"


def _same(one: Solution | None, other: Solution | None) -> bool:
    """Return whether two solutions are equal to the last bit."""
    if one is None or other is None:
        return one is other
    return (
        one.inputs.tobytes() == other.inputs.tobytes()
        and one.states.tobytes() == other.states.tobytes()
        and one.status is other.status
    )
