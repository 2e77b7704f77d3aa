"""Model predictive control by the real-time iteration.

Diehl, Bock, Schlöder, "A real-time iteration scheme for nonlinear optimization in optimal feedback
control" (2005): one QP a tick, prepared before the state arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.half_planes import HalfPlanes
from ebm_mpc_ros.control.problem import FARTHEST
from ebm_mpc_ros.control.qp import HorizonQP
from ebm_mpc_ros.control.rounds import fault_of, solve_in_rounds
from ebm_mpc_ros.control.solution import Solution
from ebm_mpc_ros.control.solver import QuadraticSolver, SolverSettings, Status

if TYPE_CHECKING:
    from ebm_mpc_ros.control.problem import ControlProblem

Vector = NDArray[np.float64]

_KEPT = "model", "dt", "horizon", "half_planes"


class _Plan(NamedTuple):
    """What the next tick starts from: states (N+1), inputs (N), the QP's solution."""

    states: Vector
    inputs: Vector
    primal: Vector
    dual: Vector
    row_scale: Vector


class RealTimeIteration:
    """The controller: `prepare` before the state arrives, `feedback` when it does, in turns.

    Each tick linearises about the last plan, shifted by one step, so ticks should come every
    `dt`. The first tick, one after a reset or a failure, and one after a jump of the reference or
    the state linearise several times and may take more iterations. After a failure the solver
    starts anew about the last plan, after several without it. Not for use by several threads at
    once.

    Args:
        problem: What to solve.
        settings: How to solve it.
    """

    def __init__(self, problem: ControlProblem, settings: SolverSettings | None = None) -> None:
        self._problem = problem
        self._settings = settings or SolverSettings()
        rho, rho_active = self._settings.rho, self._settings.rho_active
        self._qp = HorizonQP(problem, rho=rho, rho_active=rho_active)
        N, m = problem.horizon, len(problem.model.input_names)
        # Operands of the same shape: NumPy takes twice as long where it has to broadcast.
        self._lower = np.tile(np.asarray(problem.input_lower), (N, 1))
        self._upper = np.tile(np.asarray(problem.input_upper), (N, 1))
        self._change: Vector | None = None
        if problem.input_rate_limits is not None:
            self._change = problem.dt * np.asarray(problem.input_rate_limits)
        self._uses_sent = self._change is not None or problem.input_rate_weights is not None
        self._shape = N + 1, problem.model.state_size
        self._sent = np.zeros(m)
        self._half_planes: HalfPlanes | None = None
        self._dual = np.zeros(self._qp.layout.rows)
        self._solver: QuadraticSolver | None = None
        self._solves = self._qp.A
        self._plan: _Plan | None = None
        self._jumped = False
        self._prepared = False
        self._refusal = ""
        self._failures = 0

    def reset(self) -> None:
        """Forget the plan and the solver: the next `prepare` starts anew."""
        self._qp.forget()
        self._solver = None
        self._plan = None
        self._prepared = False
        self._failures = 0

    def forecast(self) -> Vector | None:
        """Return the last plan (N+1, state_size) a step later, its end repeated; None without one.

        It is what the next `prepare` linearises about, and what half-planes are best made about.
        """
        if self._plan is None:
            return None
        states = self._plan.states
        return np.concatenate([states[1:], states[-1:]])

    def changed(
        self, problem: ControlProblem, settings: SolverSettings | None = None
    ) -> RealTimeIteration:
        """Return a controller for other weights, bounds or settings that goes on from this plan.

        This one is left as it is.

        Args:
            problem: What to solve: the same model, dt, horizon and number of half-planes.
            settings: How to solve it; as before where omitted.

        Raises:
            ValueError: Something differs that must be the same.
        """
        for name in _KEPT:
            before, after = getattr(self._problem, name), getattr(problem, name)
            if before != after:
                raise ValueError(f"{name} is {after}: the plan to go on from is for {before}")
        other = RealTimeIteration(problem, settings or self._settings)
        if self._plan is not None:
            other._plan = other._begun(self._plan.states, self._plan.inputs)
        return other

    def prepare(
        self,
        reference: ArrayLike,
        *,
        sent: ArrayLike | None = None,
        half_planes: HalfPlanes | None = None,
    ) -> None:
        """Linearise about the shifted plan, or about the reference if there is none.

        What can't be used is refused by the next `feedback`. Arrays are copied.

        Args:
            reference: x_ref (N+1, state_size).
            sent: The input sent last (m,), from which the first rate counts; that of the last
                plan where omitted. One out of bounds counts as at its bound.
            half_planes: Half-planes of the problem's number at each stage; none where omitted.

        Raises:
            ValueError, TypeError: An argument holds something else than numbers.
        """
        self._prepared = False
        given = np.asarray(reference, dtype=np.float64)
        if half_planes is not None:
            half_planes = HalfPlanes(*(np.array(part, dtype=np.float64) for part in half_planes))
        self._refusal = self._take(given, sent, half_planes)
        self._prepared = True
        if not self._refusal and not (self._continue() or self._start_anew(given)):
            self._refusal = "the problem about this reference is not finite or out of range"

    def feedback(self, state: ArrayLike) -> Solution:
        """Return the plan from `state` (state_size,); its first input is the one to apply.

        A refused state may be followed by another one without a new `prepare`.

        Raises:
            RuntimeError: `prepare` was not called since the last plan.
            ValueError, TypeError: `state` holds something else than numbers.
        """
        if not self._prepared:
            raise RuntimeError("feedback was called without prepare")
        x = np.asarray(state, dtype=np.float64)
        refusal = self._refusal or _fault("state", x, self._shape[1:])
        if refusal or self._solver is None:
            return self._unusable(Status.BAD_INPUT, refusal or "there is no solver")
        distance = self._qp.start(self._problem.model.minus(x, self._qp.trajectory[0]))
        self._prepared = False
        solution = self._iterate(self._solver, x, distance)
        if solution.usable:
            self._failures = 0
        else:
            self._fall_back()
        return solution

    def _take(
        self, reference: Vector, sent: ArrayLike | None, half_planes: HalfPlanes | None
    ) -> str:
        """Take what a tick is given; return what is wrong with it, or nothing."""
        fault = _fault("reference", reference, self._shape)
        if fault:
            return fault
        if self._qp.follow(reference, self._settings.jump):
            self._jumped = True
        if self._uses_sent:
            fault = self._take_sent(sent)
            if fault:
                return fault
        self._half_planes = half_planes
        if half_planes is None:
            return ""
        shape = self._problem.horizon, self._problem.half_planes
        return _fault("normals", half_planes.normals, (*shape, 2)) or _fault(
            "offsets", half_planes.offsets, shape
        )

    def _take_sent(self, sent: ArrayLike | None) -> str:
        if sent is not None:
            given = np.asarray(sent, dtype=np.float64)
            fault = _fault("input sent", given, self._sent.shape)
            if fault:
                return fault
        else:
            given = self._plan.inputs[0] if self._plan is not None else np.zeros_like(self._sent)
        np.maximum(given, self._lower[0], out=self._sent)
        np.minimum(self._sent, self._upper[0], out=self._sent)
        return ""

    def _start_anew(self, reference: Vector) -> bool:
        self.reset()
        self._prepared = True
        self._jumped = True
        qp = self._qp
        self._dual = np.zeros(qp.layout.rows)
        qp.weigh(self._dual)
        qp.trajectory[:] = reference
        qp.inputs[:] = np.clip(0.0, self._lower, self._upper)
        return qp.fill(self._sent, self._half_planes) and self._load(np.zeros(qp.layout.columns))

    def _continue(self) -> bool:
        plan, qp = self._plan, self._qp
        if plan is None:
            return False
        dual = plan.dual
        if plan.row_scale is not qp.row_scale:
            dual = dual * (plan.row_scale / qp.row_scale)
        self._dual = qp.later(dual)
        qp.weigh(self._dual)
        qp.trajectory[:-1] = plan.states[1:]
        qp.inputs[:-1], qp.inputs[-1] = plan.inputs[1:], plan.inputs[-1]
        if not qp.fill(self._sent, self._half_planes, extend=True):
            return False
        if self._solver is None or qp.crossing > self._settings.jump:
            self._jumped = True
        return self._load(qp.guess(plan.primal, later=True))

    def _fall_back(self) -> None:
        """Keep what the failed solve started from, unless failures go on."""
        self._solver = None
        self._failures += 1
        if self._plan is None or self._failures >= self._settings.max_failures:
            self._plan = None
            return
        self._plan = self._begun(self._qp.trajectory.copy(), self._qp.inputs.copy())

    def _begun(self, states: Vector, inputs: Vector) -> _Plan:
        """Return a plan that no solve has led to."""
        layout = self._qp.layout
        primal, dual = np.zeros(layout.columns), np.zeros(layout.rows)
        return _Plan(states, inputs, primal, dual, self._qp.row_scale)

    def _load(self, primal: Vector) -> bool:
        """Hand the QP and its start over to the solver, making one where there is none."""
        qp, solver = self._qp, self._solver
        if solver is None or self._solves is not qp.A:
            try:
                solver = QuadraticSolver(qp.P, qp.A, qp.q, qp.lower, qp.upper, self._settings)
            except ValueError:
                return False
            self._solver, self._solves = solver, qp.A
        elif not solver.update(qp.A.data, qp.changed_P):
            return False
        solver.warm_start(primal, self._dual)
        return True

    def _iterate(self, solver: QuadraticSolver, state: Vector, distance: float) -> Solution:
        """Solve about the current linearisation, after a jump about several more.

        Where a later one can't be solved, or the iterations are used up, the plan is the last one.
        """
        settings, qp, model = self._settings, self._qp, self._problem.model
        patient = self._jumped or distance > settings.jump
        most = settings.cold_start_iterations if patient else settings.max_iterations
        left = settings.sqp_iterations if patient else 1
        iterations = 0
        last: Solution | None = None
        while True:
            outcome = solve_in_rounds(qp, solver, most - iterations)
            iterations += outcome.iterations
            status, residual, primal = outcome.status, outcome.primal_residual, outcome.primal
            reason = fault_of(outcome, qp, settings.residual_tolerance)
            if reason:
                break
            dx, du = qp.step(primal)
            states = model.plus(qp.trajectory, dx)
            states[0] = state
            inputs = self._bounded(du)
            states.setflags(write=False)
            inputs.setflags(write=False)
            self._plan = _Plan(states, inputs, primal, outcome.dual, qp.row_scale)
            last = Solution(status, inputs, states, iterations, residual, "")
            left -= 1
            if not left or iterations >= most or qp.size(primal) < settings.eps_abs:
                self._jumped = False
                return last
            qp.trajectory[:], qp.inputs[:] = states, inputs
            self._dual = outcome.dual
            qp.weigh(self._dual)
            filled = qp.fill(self._sent, self._half_planes)
            if not (filled and self._load(qp.guess(primal, later=False))):
                break
        self._solver = None
        if last is None:
            return self._unusable(status, reason, iterations, residual)
        return last._replace(iterations=iterations)

    def _bounded(self, change: Vector) -> Vector:
        """Return ū + `change` within bounds; the first one is within reach of the one sent."""
        inputs = self._qp.inputs + change
        np.maximum(inputs, self._lower, out=inputs)
        np.minimum(inputs, self._upper, out=inputs)
        if self._change is not None:
            np.maximum(inputs[0], self._sent - self._change, out=inputs[0])
            np.minimum(inputs[0], self._sent + self._change, out=inputs[0])
        return inputs

    def _unusable(
        self, status: Status, reason: str, iterations: int = 0, residual: float = np.inf
    ) -> Solution:
        return Solution(
            status=status,
            inputs=np.full_like(self._lower, np.nan),
            states=np.full(self._shape, np.nan),
            iterations=iterations,
            primal_residual=residual,
            reason=reason,
        )


def _fault(name: str, array: Vector, shape: tuple[int, ...]) -> str:
    """Return what is wrong with an input, or nothing."""
    if array.shape != shape:
        return f"the {name} has shape {array.shape}, not {shape}"
    # A comparison with NaN is false.
    if np.vdot(array, array) < FARTHEST * FARTHEST:
        return ""
    if np.isfinite(array).all():
        return f"the {name} is absurdly far from the origin"
    return f"the {name} is not finite"
