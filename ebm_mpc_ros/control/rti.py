"""Model predictive control by the real-time iteration.

Diehl, Bock, Schlöder, "A real-time iteration scheme for nonlinear optimization in optimal feedback
control" (2005): one QP a tick, prepared before the state arrives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.qp import HorizonQP
from ebm_mpc_ros.control.solver import Outcome, QuadraticSolver, SolverSettings, Status

if TYPE_CHECKING:
    from ebm_mpc_ros.control.problem import ControlProblem

Vector = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """The plan of one tick.

    Attributes:
        status: How the solve ended.
        inputs: u (N, m), within the bounds; NaN unless usable.
        states: x (N+1, state_size), the first the state given; NaN unless usable. Like the
            inputs read-only: the next tick starts from them.
        iterations: ADMM iterations of the tick.
        primal_residual: Largest violation of a constraint of the last QP, in scaled coordinates.
        reason: Why the plan is not usable, in words; empty if it is.
    """

    status: Status
    inputs: Vector
    states: Vector
    iterations: int
    primal_residual: float
    reason: str

    @property
    def usable(self) -> bool:
        """Whether the plan may be driven."""
        return not self.reason


class _Plan(NamedTuple):
    """What the next tick starts from."""

    states: Vector
    inputs: Vector
    errors: Vector
    primal: Vector
    dual: Vector


class RealTimeIteration:
    """The controller: `prepare` before the state arrives, `feedback` when it does, in turns.

    Each tick linearises about the last plan, shifted by one step, so ticks should come every
    `dt`. The first tick, one after a reset or a failure, and one after a jump of the reference or
    the state linearise several times and may take more iterations. After a failure the solver and
    the plan start anew. Not for use by several threads at once.

    Args:
        problem: What to solve.
        settings: How to solve it.
    """

    def __init__(self, problem: ControlProblem, settings: SolverSettings | None = None) -> None:
        self._problem = problem
        self._settings = settings or SolverSettings()
        self._qp = HorizonQP(problem)
        N, m = problem.horizon, len(problem.model.input_names)
        self._lower = np.asarray(problem.input_lower)
        self._upper = np.asarray(problem.input_upper)
        self._states = np.empty((N + 1, problem.model.state_size))
        self._inputs = np.empty((N, m))
        self._reference = np.empty_like(self._states)
        self._solver: QuadraticSolver | None = None
        self._plan: _Plan | None = None
        self._jumped = False
        self._prepared = False
        self._refusal = ""

    def reset(self) -> None:
        """Forget the plan and the solver: the next `prepare` starts anew."""
        self._solver = None
        self._plan = None
        self._prepared = False

    def prepare(self, reference: ArrayLike) -> None:
        """Linearise about the shifted plan, or about the reference if there is none.

        A reference that can't be used is refused by the next `feedback`.

        Args:
            reference: x_ref (N+1, state_size).
        """
        self._refusal = _fault("reference", reference, self._states.shape)
        if not self._refusal:
            self._reference[:] = reference
            with np.errstate(all="ignore"):
                ready = self._continue() or self._start_anew()
            if not ready:
                self._refusal = "the problem about this reference is not finite or out of range"
        self._prepared = True

    def feedback(self, state: ArrayLike) -> Solution:
        """Return the plan from `state` (state_size,); its first input is the one to apply.

        A refused state may be followed by another one without a new `prepare`.

        Raises:
            RuntimeError: `prepare` was not called since the last plan.
        """
        if not self._prepared:
            raise RuntimeError("feedback was called without prepare")
        refusal = self._refusal or _fault("state", state, self._states.shape[1:])
        if refusal or self._solver is None:
            return self._unusable(Status.BAD_INPUT, refusal or "there is no solver")
        state = np.asarray(state, dtype=np.float64)
        with np.errstate(all="ignore"):
            distance = self._qp.start(self._problem.model.minus(state, self._states[0]))
            if distance == math.inf:
                return self._unusable(Status.BAD_INPUT, "the state is absurdly far from the plan")
            self._prepared = False
            solution = self._iterate(self._solver, state, distance)
        if not solution.usable:
            self.reset()
        return solution

    def _start_anew(self) -> bool:
        self.reset()
        self._states[:] = self._reference
        self._inputs[:] = np.clip(0.0, self._lower, self._upper)
        qp = self._qp
        self._jumped = True
        if not qp.linearise(self._states, self._inputs, self._follow(), self._reference):
            return False
        try:
            self._solver = QuadraticSolver(qp.P, qp.A, qp.q, qp.lower, qp.upper, self._settings)
        except ValueError:
            return False
        return True

    def _continue(self) -> bool:
        solver, plan = self._solver, self._plan
        if solver is None or plan is None:
            return False
        qp, states, inputs = self._qp, self._states, self._inputs
        states[:-1] = plan.states[1:]
        inputs[:-1] = plan.inputs[1:]
        inputs[-1] = plan.inputs[-1]
        following = self._follow()
        states[-1] = following[-1]
        if not qp.linearise(states, inputs, following, self._reference):
            return False
        if not solver.update(qp.A.data, qp.q):
            return False
        solver.warm_start(qp.guess(plan.primal, later=True), qp.later_dual(plan.dual))
        change = np.abs(qp.errors[:-2] - plan.errors[1:-1]).max(initial=0.0)
        self._jumped = bool(change > self._settings.jump)
        return True

    def _linearise_again(self, solver: QuadraticSolver, state: Vector, outcome: Outcome) -> bool:
        qp = self._qp
        if not qp.linearise(self._states, self._inputs, self._follow(), self._reference):
            return False
        qp.start(self._problem.model.minus(state, self._states[0]))
        if not solver.update(qp.A.data, qp.q):
            return False
        solver.warm_start(qp.guess(outcome.primal, later=False), outcome.dual)
        return True

    def _follow(self) -> Vector:
        following: Vector = self._problem.model.f(self._states[:-1], self._inputs, self._problem.dt)
        return following

    def _iterate(self, solver: QuadraticSolver, state: Vector, distance: float) -> Solution:
        """Solve about the current linearisation, after a jump about several more."""
        settings, qp, model = self._settings, self._qp, self._problem.model
        patient = self._jumped or distance > settings.jump
        solve = solver.solve_patiently if patient else solver.solve
        left = settings.sqp_iterations if patient else 1
        iterations = 0
        while True:
            outcome = solve(qp.lower, qp.upper)
            iterations += outcome.iterations
            status, residual = outcome.status, outcome.primal_residual
            reason = self._judge(outcome)
            if reason:
                return self._unusable(status, reason, iterations, residual)
            dx, du = qp.step(outcome.primal)
            states = model.plus(self._states, dx)
            inputs = np.clip(self._inputs + du, self._lower, self._upper)
            if not (np.isfinite(states).all() and np.isfinite(inputs).all()):
                reason = "the plan is not finite"
                return self._unusable(Status.FAILED, reason, iterations, residual)
            left -= 1
            if not left or qp.size(outcome.primal) < settings.eps_abs:
                break
            self._states[:], self._inputs[:] = states, inputs
            if not self._linearise_again(solver, state, outcome):
                reason = "the problem about the plan is not finite"
                return self._unusable(Status.FAILED, reason, iterations, residual)
        solver.restore()
        states[0] = state
        states.setflags(write=False)
        inputs.setflags(write=False)
        self._plan = _Plan(
            states,
            inputs,
            qp.expected_errors(outcome.primal),
            outcome.primal,
            outcome.dual,
        )
        return Solution(
            status=status,
            inputs=inputs,
            states=states,
            iterations=iterations,
            primal_residual=residual,
            reason="",
        )

    def _judge(self, outcome: Outcome) -> str:
        """Return why an outcome is not usable, or nothing."""
        status, residual = outcome.status, outcome.primal_residual
        if status in (Status.SOLVED, Status.SOLVED_INACCURATE):
            return ""
        if status is not Status.ITERATION_LIMIT:
            return f"OSQP: {status.value}"
        highest = self._settings.residual_tolerance * max(1.0, self._qp.size(outcome.primal))
        if residual <= highest:
            return ""
        return (
            f"OSQP: {status.value} after {outcome.iterations} iterations with a primal residual "
            f"of {residual:.2g}, above {highest:.2g}"
        )

    def _unusable(
        self, status: Status, reason: str, iterations: int = 0, residual: float = np.inf
    ) -> Solution:
        return Solution(
            status=status,
            inputs=np.full_like(self._inputs, np.nan),
            states=np.full_like(self._states, np.nan),
            iterations=iterations,
            primal_residual=residual,
            reason=reason,
        )


def _fault(name: str, value: ArrayLike, shape: tuple[int, ...]) -> str:
    """Return what is wrong with an input, or nothing."""
    array = np.asarray(value)
    if array.shape != shape:
        return f"the {name} has shape {array.shape}, not {shape}"
    return "" if np.isfinite(array).all() else f"the {name} is not finite"
