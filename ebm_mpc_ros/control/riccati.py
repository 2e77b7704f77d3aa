"""The cost of the infinite horizon as terminal cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.problem import ControlProblem

Vector = NDArray[np.float64]

_LOWEST_SPEED = 0.2
_MOST_DOUBLINGS = 30
_TOLERANCE = 1e-12
_LARGEST = 1e16  # of a sum of squares
_INDEFINITE = 1e-9


def riccati_cost(problem: ControlProblem, state: Vector) -> Vector | None:
    """Return P (n, n) with P = Q + Aᵀ P A - Aᵀ P B (R + Bᵀ P B)⁻¹ Bᵀ P A, or None.

    A and B are those at `state`, at no less than 0.2 m/s and no input: the sideways error of a
    robot on wheels that stands can't be brought to 0. None is returned where there is still no
    stabilising solution. The cost of the inputs' rates is not part of P.

    Args:
        problem: The model and its weights Q and R.
        state: End of the reference (state_size,).
    """
    model = problem.model
    moving = _at_speed(problem, state)
    jacobians = model.jacobians(moving[None], np.zeros((1, len(model.input_names))), problem.dt)
    return solve_riccati(jacobians.A[0], jacobians.B[0], problem.Q, problem.R)


def solve_riccati(A: Vector, B: Vector, Q: Vector, R: Vector) -> Vector | None:
    """Return the stabilising solution (n, n) of the discrete Riccati equation; None without one.

    By doubling, which takes as many steps as the recursion takes powers of two: Chu, Fan, Lin,
    Wang, "Structure-preserving algorithms for periodic discrete-time algebraic Riccati
    equations" (2004).
    """
    n = len(A)
    unit = np.eye(n)
    G, P = B @ np.linalg.solve(R, B.T), Q
    for _ in range(_MOST_DOUBLINGS):
        try:
            V = np.linalg.solve(unit + G @ P, np.hstack([A, G]))
        except np.linalg.LinAlgError:
            return None
        gain = A.T @ P @ V[:, :n]
        G = G + A @ V[:, n:] @ A.T
        A = A @ V[:, :n]
        P = P + 0.5 * (gain + gain.T)
        size = float(np.vdot(P, P))
        if not size < _LARGEST:
            return None
        if float(np.vdot(gain, gain)) <= _TOLERANCE**2 * size:
            # Rounding errors can lead astray where A is far from normal.
            lowest = float(np.linalg.eigvalsh(P)[0])
            return P if lowest >= -_INDEFINITE * math.sqrt(size) else None
    return None


def _at_speed(problem: ControlProblem, state: Vector) -> Vector:
    model = problem.model
    if "vx" not in model.state_names:
        return state
    coordinate = model.state_names.index("vx")
    speed = float(model.minus(state, np.array(model.origin()))[coordinate])
    gain = np.zeros(len(model.state_names))
    if abs(speed) < _LOWEST_SPEED:
        gain[coordinate] = (_LOWEST_SPEED if speed >= 0.0 else -_LOWEST_SPEED) - speed
    moving: Vector = model.plus(state, gain)
    return moving
