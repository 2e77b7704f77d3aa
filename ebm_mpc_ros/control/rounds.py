"""One QP of the controller solved in rounds, and whether the outcome may be driven."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.control.solver import Outcome, Status

if TYPE_CHECKING:
    from ebm_mpc_ros.control.qp import HorizonQP
    from ebm_mpc_ros.control.solver import QuadraticSolver

_LARGEST = 1e16  # of a sum of squares
_FIRST_ROUND = 4
_UNFINISHED = Status.ITERATION_LIMIT, Status.SOLVED_INACCURATE
_USABLE = Status.SOLVED, *_UNFINISHED


def solve_in_rounds(qp: HorizonQP, solver: QuadraticSolver, most: int) -> Outcome:
    """Return the outcome of a QP within `most` iterations.

    Most QPs end in the first round. After each further one, a third as long as all before it,
    rows are weighed anew: with a bound that is held other than expected a QP can take hundreds of
    iterations otherwise. All step sizes change where rows don't, and after every second round, for
    rows may come and go for ever.

    Raises:
        KeyboardInterrupt: Ctrl-C came during the solve, where OSQP takes it.
    """
    done, length, balanced = 0, _FIRST_ROUND, True
    solver.restore()
    while solver.bound(qp.q, qp.lower, qp.upper):
        outcome = solver.solve(min(length, most - done))
        done += outcome.iterations
        if done >= most or outcome.status not in _UNFINISHED:
            return outcome if done == outcome.iterations else outcome._replace(iterations=done)
        length = max(_FIRST_ROUND, done // 3)
        balanced = not balanced
        dual = outcome.dual
        change = qp.weigh(dual)
        if change is None or balanced:
            solver.balance(outcome)
        if change is not None:
            qp.rescale(change)
            if not solver.update(qp.A.data, qp.changed_P):
                break
            solver.warm_start(outcome.primal, dual)
    return Outcome(Status.FAILED, done, math.inf, math.inf, qp.q, qp.lower)


def fault_of(outcome: Outcome, qp: HorizonQP, tolerance: float) -> str:
    """Return why an outcome may not be driven, or nothing.

    Args:
        outcome: The end of a solve.
        qp: The QP it was about.
        tolerance: Highest primal residual at the iteration limit, relative to the largest
            deviation where that is above 1.
    """
    status, residual, primal = outcome.status, outcome.primal_residual, outcome.primal
    if status not in _USABLE:
        return f"OSQP: {status.value}"
    # A comparison with NaN is false.
    if not np.dot(primal, primal) < _LARGEST:
        return "the plan is not finite, or absurdly far from the last one"
    if status is not Status.ITERATION_LIMIT:
        return ""
    highest = tolerance * max(1.0, qp.size(primal))
    if residual <= highest:
        return ""
    return (
        f"OSQP: {status.value} after {outcome.iterations} iterations with a primal residual of "
        f"{residual:.2g}, above {highest:.2g}"
    )
