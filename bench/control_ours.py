"""The controller that mpc_node runs, as bench/control.py drives it and takes it apart."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import osqp
from control_exact import ExactRTI, shifted

from ebm_mpc_ros.control import RealTimeIteration

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ebm_mpc_ros.control import ControlProblem

    Vector = NDArray[np.float64]

_OSQP_CALLS = {
    "solve": "solve",
    "update_data_mat": "update",
    "update_data_vec": "update",
    "update_rho": "update",
    "update_settings": "update",
    "warm_start": "update",
}


class Ours:
    """The controller that mpc_node runs; keeps what its ticks took in s and in iterations."""

    def __init__(self, problem: ControlProblem) -> None:
        self._problem = problem
        self._controller = RealTimeIteration(problem)
        self.feedback: list[float] = []
        self.iterations: list[int] = []
        self.plan: tuple[Vector, Vector] | None = None

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input for a reference (N+1, 5) and a state (5,)."""
        self._controller.prepare(reference)
        start = time.thread_time()
        solution = self._controller.feedback(state)
        self.feedback.append(time.thread_time() - start)
        self.iterations.append(solution.iterations)
        self.plan = solution.states, solution.inputs
        return solution.inputs[0]


class Checked(Ours):
    """Ours, its first inputs compared with those of the same QP solved exactly.

    An error is NaN where either plan is not usable.
    """

    def __init__(self, problem: ControlProblem) -> None:
        super().__init__(problem)
        self._exact = ExactRTI(problem)
        self.errors: list[float] = []

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input for a reference (N+1, 5) and a state (5,)."""
        plan = self.plan
        u = super().tick(reference, state)
        if plan is not None:
            error = np.nan
            if np.isfinite(plan[0]).all() and np.isfinite(u).all():
                about = shifted(self._problem.model, *plan, self._problem.dt)
                _, inputs = self._exact.solve(*about, reference, state)
                error = float(np.abs(u - inputs[0]).max())
            self.errors.append(error)
        return u


class Parted(Ours):
    """Ours, the parts of its ticks timed from outside, in s.

    linearise is the model's f and Jacobians; update and solve are the calls of OSQP's binding; fill
    is what remains of `prepare`, rest what remains of `feedback`. The wall clock's reading takes
    less than the CPU clock's, and medians bear preemption.
    """

    def __init__(self, problem: ControlProblem) -> None:
        self.parts: dict[str, list[float]] = defaultdict(list)
        self._spent: dict[str, float] = defaultdict(float)
        self._inside = False
        linearizer = problem.model.linearizer
        with mock.patch.object(
            problem.model, "linearizer", lambda *args: self._timed("linearise", linearizer(*args))
        ):
            super().__init__(problem)
        self._binding = osqp.OSQP(algebra="builtin").ext
        self._solver_type = self._binding.OSQPSolver

    def tick(self, reference: Vector, state: Vector) -> Vector:
        """Return the input for a reference (N+1, 5) and a state (5,)."""
        self._spent.clear()
        with mock.patch.object(self._binding, "OSQPSolver", self._solver):
            start = time.perf_counter()
            self._controller.prepare(reference)
            middle = time.perf_counter()
            prepared = sum(self._spent.values())
            solution = self._controller.feedback(state)
            end = time.perf_counter()
        both = sum(self._spent.values())
        for part in ("linearise", "update", "solve"):
            self.parts[part].append(self._spent[part])
        self.parts["fill"].append(middle - start - prepared)
        self.parts["rest"].append(end - middle - (both - prepared))
        self.iterations.append(solution.iterations)
        return solution.inputs[0]

    def _solver(self, *args: Any) -> Any:
        solver = self._solver_type(*args)
        calls = {
            name: self._timed(part, getattr(solver, name)) for name, part in _OSQP_CALLS.items()
        }
        return _Wrapped(solver, calls)

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            if self._inside:
                return function(*args, **keywords)
            self._inside = True
            start = time.perf_counter()
            result = function(*args, **keywords)
            self._spent[part] += time.perf_counter() - start
            self._inside = False
            return result

        return call


class _Wrapped:
    """An object some of whose methods are replaced."""

    def __init__(self, wrapped: Any, methods: dict[str, Callable[..., Any]]) -> None:
        self._wrapped = wrapped
        self.__dict__ |= methods

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)
