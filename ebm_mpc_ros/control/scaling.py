"""The cost of the horizon's QP without units, and the scales that take the units away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.layout import Layout
    from ebm_mpc_ros.control.problem import ControlProblem

Vector = NDArray[np.float64]

_FLOOR = 1e-4
_DYNAMICS = 3.0


class Scaling:
    """Variables are divided by D = 1/√diag P, rows by the D of the variable they bound.

    P is floored, that a free coordinate stays finite. What `riccati` puts in place of the given
    terminal cost is divided by the scales of the given one.

    Attributes:
        D: Units of the variables.
        E: Inverse units of the rows.
        stage: Inverse units of the states of one stage (n,).
        terminal: Units of the states at the end (n,).
        P: Scaled cost, its upper triangle; at the end full for a Riccati cost.
        q: What takes errors, inputs and a 1 for each slack (columns,) to the scaled linear cost,
            but for what weights that are no diagonals couple.
        coupled: Whether there are such weights.
        Q, Q_N, R, S: What takes errors, the last ones, inputs and differences of rates (…, n or m)
            to the scaled linear cost.
    """

    def __init__(self, problem: ControlProblem, layout: Layout) -> None:
        N = layout.N
        rate_cost = problem.S / problem.dt**2
        weights = np.concatenate(
            [
                np.tile(np.diag(problem.Q), N - 1),
                np.diag(problem.Q_N),
                np.tile(np.diag(problem.R + 2.0 * rate_cost), N),
                np.tile(layout.slack_weights, N),
            ]
        )
        floor = _FLOOR * np.max(weights[: layout.u.stop])
        self.D = D = 1.0 / np.sqrt(np.maximum(weights, floor))
        self.stage = np.sqrt(np.maximum(np.diag(problem.Q), floor))
        x, u, s = (D[block].reshape(N, -1) for block in (layout.x, layout.u, layout.s))
        self.terminal = x[-1]
        plane = np.repeat(x[:, layout.position].min(axis=1, keepdims=True), layout.planes, axis=1)
        blocks = (
            *(x / _DYNAMICS, u[:, layout.inputs], x[:, layout.soft.states]),
            *(u[:, layout.rated], plane, s[:, layout.nonnegative]),
        )
        self.E = 1.0 / np.concatenate([block.ravel() for block in blocks])
        self.Q, self.Q_N = problem.Q / self.stage, problem.Q_N * self.terminal
        self.R, self.S = problem.R * u[0], rate_cost * u[0]
        riccati = problem.terminal == "riccati"
        diagonal = all(_is_diagonal(matrix) for matrix in (problem.Q, problem.Q_N, problem.R))
        self.coupled = riccati or not diagonal
        weights[layout.u] = np.tile(np.diag(problem.R), N)
        weights[layout.s] = np.tile(layout.slack_weights_l1, N)
        self.q = weights * D
        self.P = self._cost(problem, layout, rate_cost, riccati)

    def _cost(
        self, problem: ControlProblem, layout: Layout, rate_cost: Vector, riccati: bool
    ) -> Any:
        N = layout.N
        own = 2.0 * np.eye(N)
        own[-1, -1] = 1.0
        rates = own - np.eye(N, k=1) - np.eye(N, k=-1)
        end = np.ones_like(problem.Q_N) if riccati else problem.Q_N
        blocks = [
            *[problem.Q] * (N - 1),
            end,
            sp.kron(sp.eye(N), problem.R) + sp.kron(rates, rate_cost),
            sp.diags(np.tile(layout.slack_weights, N)),
        ]
        D = sp.diags(self.D)
        P = D @ sp.block_diag([block for block in blocks if block.shape[0]]) @ D
        upper = sp.triu(P, format="csc")
        upper.sort_indices()
        return upper


def _is_diagonal(matrix: Vector) -> bool:
    return not np.any(matrix - np.diag(np.diag(matrix)))
