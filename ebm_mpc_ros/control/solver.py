"""OSQP with its data kept in place and an outcome that can be trusted."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import numpy as np
import osqp
from numpy.typing import NDArray

from ebm_mpc_ros.control.problem import check_count, check_positive

Vector = NDArray[np.float64]

_CERTIFICATE = 1e-8
_TINY = 1e-12
_LOWEST_RHO, _HIGHEST_RHO = 1e-4, 1e4
_LARGEST_CHANGE = 10.0
_CODES = osqp.SolverStatus
_INTERRUPTED = int(_CODES.OSQP_SIGINT)


class Status(Enum):
    """How a solve ended."""

    SOLVED = "solved"
    SOLVED_INACCURATE = "solved, inaccurate"
    ITERATION_LIMIT = "iteration limit reached"
    INFEASIBLE = "reported infeasible"
    FAILED = "solver failed"
    BAD_INPUT = "bad input"


@dataclass(frozen=True, kw_only=True)
class SolverSettings:
    """Settings of the real-time iteration and of OSQP.

    Residuals and jumps are measured in scaled coordinates, √weight times error, so that step sizes
    and tolerances hold for any units.

    Attributes:
        rho: Step size of ADMM for bounds that are expected to be kept anyway, above 0.
        rho_active: The same for bounds that are expected to hold the plan back, above 0.
        max_iterations: Most ADMM iterations of a tick.
        cold_start_iterations: The same for a first tick and one after a jump, in all.
        sqp_iterations: Most linearisations on a first tick or after a jump.
        check_interval: Iterations between two checks for termination.
        eps_abs: Absolute tolerance, above 0.
        eps_rel: Relative tolerance, above 0.
        residual_tolerance: Highest primal residual of a usable solution at the iteration limit,
            relative to the largest deviation from the last plan where that is above 1.
        jump: A state or reference further than this from the expected one, or a plan this far
            beyond a half-plane, is a jump.
        max_failures: Failures in a row after which the plan is no longer started from.

    Raises:
        ValueError: A field is out of its range.
    """

    rho: float = 0.1
    rho_active: float = 300.0
    max_iterations: int = 200
    cold_start_iterations: int = 500
    sqp_iterations: int = 5
    check_interval: int = 2
    eps_abs: float = 5e-3
    eps_rel: float = 5e-3
    residual_tolerance: float = 0.05
    jump: float = 1.0
    max_failures: int = 2

    def __post_init__(self) -> None:
        for name in ("rho", "rho_active", "eps_abs", "eps_rel", "residual_tolerance", "jump"):
            check_positive(name, getattr(self, name))
        for name in (
            *("max_iterations", "cold_start_iterations", "sqp_iterations", "check_interval"),
            "max_failures",
        ):
            check_count(name, getattr(self, name))


class Outcome(NamedTuple):
    """The end of one solve; where it failed `primal` and `dual` hold anything."""

    status: Status
    iterations: int
    primal_residual: float
    dual_residual: float
    primal: Vector
    dual: Vector


class QuadraticSolver:
    """min ½xᵀPx + qᵀx, l ≤ Ax ≤ u, of fixed sparsity, warm-started.

    It works on the binding that `osqp.OSQP` wraps: the wrapper drops the return codes of updates
    and spends long on wrapping its result. The data must be finite, contiguous float64 of the
    right lengths, bounds within ±1e30: nothing below checks it.

    Args:
        P: Upper triangle of the cost's matrix in CSC form with sorted indices.
        A: Constraint matrix in CSC form with sorted indices.
        q: Linear cost.
        lower: Lower bounds.
        upper: Upper bounds.
        settings: Settings of OSQP.

    Raises:
        ValueError: OSQP refuses the problem.
    """

    # OSQP swaps the process's SIGINT handler during a solve: overlapping solves would lose it.
    _one_at_a_time: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self, P: Any, A: Any, q: Vector, lower: Vector, upper: Vector, settings: SolverSettings
    ) -> None:
        ext = osqp.OSQP(algebra="builtin").ext
        options = ext.OSQPSettings()
        ext.osqp_set_default_settings(options)
        options.verbose = False
        options.scaling = 0
        options.check_dualgap = False
        options.adaptive_rho = False
        options.polishing = False
        options.rho = 1.0
        # Over-relaxed, the states would approach the dynamics' solution by 0.6 an iteration.
        options.alpha = 1.0
        options.eps_abs = settings.eps_abs
        options.eps_rel = settings.eps_rel
        options.max_iter = self._most = settings.max_iterations
        # Slacks make the problem feasible and R > 0 bounds it: a certificate must be sharp.
        options.eps_prim_inf = options.eps_dual_inf = _CERTIFICATE
        options.check_termination = settings.check_interval
        self._options = options
        self._rho = 1.0
        self._matrices = ext.CSC(P), ext.CSC(A)
        rows, columns = A.shape
        self._solver = ext.OSQPSolver(
            self._matrices[0], q, self._matrices[1], lower, upper, rows, columns, options
        )
        # Views of the solver's memory, which must not outlive it.
        self._info, self._solution = self._solver.info, self._solver.solution

    def update(self, A_values: Vector, P_values: Vector | None = None) -> bool:
        """Replace the matrices' values, P's where given; return whether OSQP took them."""
        return not self._solver.update_data_mat(P_x=P_values, P_i=None, A_x=A_values, A_i=None)

    def bound(self, q: Vector, lower: Vector, upper: Vector) -> bool:
        """Replace q and the bounds; return whether OSQP took them."""
        return not self._solver.update_data_vec(q=q, l=lower, u=upper)

    def warm_start(self, primal: Vector, dual: Vector) -> None:
        """Start the next solve from here; to be called after `update`."""
        self._solver.warm_start(primal, dual)

    def balance(self, outcome: Outcome) -> None:
        """Change the step sizes as an outcome's residuals tell; `restore` takes it back."""
        ratio = max(outcome.primal_residual, _TINY) / max(outcome.dual_residual, _TINY)
        factor = min(max(math.sqrt(ratio), 1.0 / _LARGEST_CHANGE), _LARGEST_CHANGE)
        self._set_rho(min(max(self._rho * factor, _LOWEST_RHO), _HIGHEST_RHO))

    def restore(self) -> None:
        """Return to the step sizes as given."""
        self._set_rho(1.0)

    def _set_rho(self, rho: float) -> None:
        if rho != self._rho:
            self._rho = rho
            self._solver.update_rho(rho)

    def solve(self, iterations: int) -> Outcome:
        """Go on for some iterations at most.

        Raises:
            KeyboardInterrupt: Ctrl-C came during the solve, where OSQP takes it.
        """
        if self._most != iterations:
            self._most = self._options.max_iter = iterations
            self._solver.update_settings(self._options)
        with self._one_at_a_time:
            self._solver.solve()
        info, solution = self._info, self._solution
        code = info.status_val
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        status = _STATUS.get(code, Status.FAILED)
        return Outcome(status, info.iter, info.prim_res, info.dual_res, solution.x, solution.y)


_STATUS = {
    int(_CODES.OSQP_SOLVED): Status.SOLVED,
    int(_CODES.OSQP_SOLVED_INACCURATE): Status.SOLVED_INACCURATE,
    int(_CODES.OSQP_PRIMAL_INFEASIBLE): Status.INFEASIBLE,
    int(_CODES.OSQP_PRIMAL_INFEASIBLE_INACCURATE): Status.INFEASIBLE,
    int(_CODES.OSQP_DUAL_INFEASIBLE): Status.INFEASIBLE,
    int(_CODES.OSQP_DUAL_INFEASIBLE_INACCURATE): Status.INFEASIBLE,
    int(_CODES.OSQP_MAX_ITER_REACHED): Status.ITERATION_LIMIT,
}
