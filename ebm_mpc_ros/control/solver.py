"""OSQP with its data kept in place and an outcome that can be trusted."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import numpy as np
import osqp
import scipy.sparse as sp
from numpy.typing import NDArray

from ebm_mpc_ros.control.problem import check_count, check_positive

Vector = NDArray[np.float64]

_ROUND = 50
_LOWEST_RHO, _HIGHEST_RHO = 1e-3, 1e5
_TINY = 1e-12
_CERTIFICATE = 1e-8
_CODES = osqp.SolverStatus


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

    Residuals and jumps are measured in scaled coordinates, √weight times error, so that rho and
    the tolerances hold for any units.

    Attributes:
        rho: Step size of ADMM, above 0.
        max_iterations: Most ADMM iterations of a tick.
        cold_start_iterations: The same for each QP of a first tick or after a jump.
        sqp_iterations: Most linearisations on a first tick or after a jump.
        check_interval: Iterations between two checks for termination.
        eps_abs: Absolute tolerance, above 0.
        eps_rel: Relative tolerance, above 0.
        residual_tolerance: Highest primal residual of a usable solution at the iteration limit,
            relative to the largest deviation from the last plan where that is above 1.
        jump: A state or reference further than this from the expected one is a jump.

    Raises:
        ValueError: A field is out of its range.
    """

    rho: float = 10.0
    max_iterations: int = 50
    cold_start_iterations: int = 500
    sqp_iterations: int = 5
    check_interval: int = 5
    eps_abs: float = 1e-3
    eps_rel: float = 1e-3
    residual_tolerance: float = 0.05
    jump: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rho", "eps_abs", "eps_rel", "residual_tolerance", "jump"):
            check_positive(name, getattr(self, name))
        for name in (
            *("max_iterations", "cold_start_iterations", "sqp_iterations", "check_interval"),
        ):
            check_count(name, getattr(self, name))


class Outcome(NamedTuple):
    """The end of one solve; where it failed `primal` and `dual` hold anything."""

    status: Status
    iterations: int
    primal_residual: float
    primal: Vector
    dual: Vector


class QuadraticSolver:
    """min ½xᵀPx + qᵀx, l ≤ Ax ≤ u, of fixed sparsity, warm-started.

    It works on the binding that `osqp.OSQP` wraps: the wrapper drops the return codes of updates
    and spends long on wrapping its result. The data must be finite, contiguous float64
    of the right lengths (l and u may be infinite): nothing below checks it.

    Args:
        P: Diagonal of the cost's matrix.
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
        self, P: Vector, A: Any, q: Vector, lower: Vector, upper: Vector, settings: SolverSettings
    ) -> None:
        ext = osqp.OSQP(algebra="builtin").ext
        options = ext.OSQPSettings()
        ext.osqp_set_default_settings(options)
        options.verbose = False
        options.scaling = 0
        options.check_dualgap = False
        options.adaptive_rho = False
        options.polishing = False
        options.rho = settings.rho
        options.eps_abs = settings.eps_abs
        options.eps_rel = settings.eps_rel
        options.max_iter = settings.max_iterations
        # Slacks make the problem feasible and R > 0 bounds it: a certificate must be sharp.
        options.eps_prim_inf = options.eps_dual_inf = _CERTIFICATE
        options.check_termination = settings.check_interval
        self._options = options
        self._settings = settings
        self._rho = settings.rho
        rows, columns = A.shape
        cost = sp.csc_matrix(sp.diags(P))
        self._infinity = ext.OSQP_INFTY
        lower, upper = self._finite(lower, upper)
        self._solver = ext.OSQPSolver(
            ext.CSC(cost), q, ext.CSC(A), lower, upper, rows, columns, options
        )

    def update(self, A_values: Vector, q: Vector) -> bool:
        """Replace A's values and q; return whether OSQP took them."""
        return not (
            self._solver.update_data_mat(P_x=None, P_i=None, A_x=A_values, A_i=None)
            or self._solver.update_data_vec(q=q, l=None, u=None)
        )

    def warm_start(self, primal: Vector, dual: Vector) -> None:
        """Start the next solve from here; to be called after `update`."""
        self._solver.warm_start(primal, dual)

    def solve(self, lower: Vector, upper: Vector) -> Outcome:
        """Solve within bounds and within `max_iterations`.

        Raises:
            KeyboardInterrupt: Ctrl-C came during the solve, where OSQP takes it.
        """
        if not self._bound(lower, upper):
            return self._outcome(Status.FAILED, 0)
        status = self._run(self._settings.max_iterations)
        return self._outcome(status, self._solver.info.iter)

    def solve_patiently(self, lower: Vector, upper: Vector) -> Outcome:
        """Solve within `cold_start_iterations`, with rho adapted every `_ROUND` of them.

        Multipliers far from those of the last tick, as of a state beyond its bounds, take
        thousands of iterations at a fixed rho. `restore` returns to it.

        Raises:
            KeyboardInterrupt: Ctrl-C came during the solve, where OSQP takes it.
        """
        if not self._bound(lower, upper):
            return self._outcome(Status.FAILED, 0)
        iterations, most = 0, self._settings.cold_start_iterations
        while True:
            status = self._run(min(_ROUND, most - iterations))
            info = self._solver.info
            iterations += info.iter
            unfinished = status in (Status.ITERATION_LIMIT, Status.SOLVED_INACCURATE)
            if not unfinished or iterations >= most:
                return self._outcome(status, iterations)
            ratio = max(info.prim_res, _TINY) / max(info.dual_res, _TINY)
            self._set_rho(min(max(self._rho * math.sqrt(ratio), _LOWEST_RHO), _HIGHEST_RHO))

    def restore(self) -> None:
        """Return to the rho of the settings."""
        self._set_rho(self._settings.rho)

    def _set_rho(self, rho: float) -> None:
        if rho != self._rho:
            self._rho = rho
            self._solver.update_rho(rho)

    def _bound(self, lower: Vector, upper: Vector) -> bool:
        lower, upper = self._finite(lower, upper)
        return not self._solver.update_data_vec(q=None, l=lower, u=upper)

    def _run(self, iterations: int) -> Status:
        if self._options.max_iter != iterations:
            self._options.max_iter = iterations
            self._solver.update_settings(self._options)
        with self._one_at_a_time:
            self._solver.solve()
        code = self._solver.info.status_val
        if code == _CODES.OSQP_SIGINT:
            raise KeyboardInterrupt
        return _STATUS.get(code, Status.FAILED)

    def _outcome(self, status: Status, iterations: int) -> Outcome:
        solution = self._solver.solution
        residual = self._solver.info.prim_res
        return Outcome(status, iterations, residual, solution.x, solution.y)

    def _finite(self, lower: Vector, upper: Vector) -> tuple[Vector, Vector]:
        return np.maximum(lower, -self._infinity), np.minimum(upper, self._infinity)


_STATUS = {
    int(_CODES.OSQP_SOLVED): Status.SOLVED,
    int(_CODES.OSQP_SOLVED_INACCURATE): Status.SOLVED_INACCURATE,
    int(_CODES.OSQP_PRIMAL_INFEASIBLE): Status.INFEASIBLE,
    int(_CODES.OSQP_PRIMAL_INFEASIBLE_INACCURATE): Status.INFEASIBLE,
    int(_CODES.OSQP_DUAL_INFEASIBLE): Status.INFEASIBLE,
    int(_CODES.OSQP_DUAL_INFEASIBLE_INACCURATE): Status.INFEASIBLE,
    int(_CODES.OSQP_MAX_ITER_REACHED): Status.ITERATION_LIMIT,
}
