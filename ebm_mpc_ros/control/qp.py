"""The QP of one linearisation: its sparsity once, its values in place at every tick."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.problem import ControlProblem

Vector = NDArray[np.float64]

_LARGEST = 1e16  # of a sum of squares
_FLOOR = 1e-4


class HorizonQP:
    """The QP in the deviations (dx, du) from a trajectory x̄ (N+1), ū (N), and slacks s.

        min  ½ Σ |dxᵢ + x̄ᵢ ⊟ x_ref,ᵢ|²_Q + ½ Σ |duᵢ + ūᵢ|²_R + ½ w Σ sᵢ²
        s.t. dx₀ = x ⊟ x̄₀,   dxᵢ₊₁ = Aᵢ dxᵢ + Bᵢ duᵢ + f(x̄ᵢ, ūᵢ) ⊟ x̄ᵢ₊₁,
             bounds on ūᵢ + duᵢ, and on x̄ᵢ + dxᵢ + sᵢ for i ≥ 1

    Deviations keep the numbers small wherever the robot is. Variables are divided by
    D = 1/√diag P (P floored, that a free coordinate stays finite) and the rows by the D of the
    variable they bound: cost and dynamics are then without units and need no scaling by OSQP.
    Columns are x (N+1, n), u (N, m), s (N, bounded states); rows are dynamics (N+1, n), bounded
    inputs and bounded states of each stage.

    Attributes:
        P: Scaled diagonal of the cost.
        q: Scaled linear cost.
        lower: Scaled lower bounds.
        upper: Scaled upper bounds.
        A: Scaled constraint matrix; its values are rewritten by `linearise`.
        errors: Scaled errors of x̄ (N+1, n), a view of q.
    """

    def __init__(self, problem: ControlProblem) -> None:
        self._problem = problem
        model, N = problem.model, problem.horizon
        n, m = len(model.state_names), len(model.input_names)
        self._shape = (N, n, m)
        self._origin = np.array(model.origin(), dtype=np.float64)
        self._bounded_inputs = _bounded(problem.input_lower, problem.input_upper)
        self._bounded_states = _bounded(problem.state_lower, problem.state_upper)
        bounded = self._bounded_states.size
        self._x = slice(0, (N + 1) * n)
        self._u = slice(self._x.stop, self._x.stop + N * m)
        self._slack = slice(self._u.stop, self._u.stop + N * bounded)
        self._input_rows = slice(self._x.stop, self._x.stop + N * self._bounded_inputs.size)
        self._state_rows = slice(self._input_rows.stop, self._input_rows.stop + N * bounded)

        weights = np.concatenate(
            [
                np.tile(np.asarray(problem.state_weights), N),
                np.asarray(problem.terminal_weights),
                np.tile(np.asarray(problem.input_weights), N),
                np.full(N * bounded, problem.slack_weight),
            ]
        )
        floor = _FLOOR * np.max(weights[: self._u.stop])
        self._D = 1.0 / np.sqrt(np.maximum(weights, floor))
        self._cost_scale = weights * self._D
        self.P = self._cost_scale * self._D
        x_scale, u_scale = self._D[self._x], self._D[self._u]
        self._E = np.concatenate(
            [
                1.0 / x_scale,
                1.0 / u_scale.reshape(N, m)[:, self._bounded_inputs].ravel(),
                1.0 / x_scale.reshape(N + 1, n)[1:, self._bounded_states].ravel(),
            ]
        )
        self._lowest, self._highest = (
            np.concatenate(
                [
                    np.tile(np.asarray(inputs)[self._bounded_inputs], N),
                    np.tile(np.asarray(states)[self._bounded_states], N),
                ]
            )
            * self._E[self._x.stop :]
            for inputs, states in (
                (problem.input_lower, problem.state_lower),
                (problem.input_upper, problem.state_upper),
            )
        )
        self._bounded_values = np.empty_like(self._lowest)
        self._later_slacks = _later(self._slack, N)
        self._later_rows = np.concatenate(
            [_later(self._x, N + 1), _later(self._input_rows, N), _later(self._state_rows, N)]
        )
        self.q = np.zeros(self._slack.stop)
        self.errors = self.q[self._x].reshape(N + 1, n)
        self.lower = np.zeros(self._state_rows.stop)
        self.upper = np.zeros(self._state_rows.stop)
        self._values = np.ones(N * n * (n + m) + 1)  # A and B of each stage, then a 1
        self._stages = self._values[:-1].reshape(N, n, n + m)
        self.A, self._source, self._scale = self._pattern()
        differences = 2 * N + 1 + (N if bounded else 0)
        self._left = np.empty((differences, model.state_size))
        self._right = np.empty_like(self._left)
        self._right[2 * N + 1 :] = self._origin

    def _pattern(self) -> tuple[Any, NDArray[np.intp], Vector]:
        """Return A, and for each of its values where it comes from and its scale."""
        N, n, m = self._shape
        one = self._values.size - 1
        x = np.arange(self._x.stop).reshape(N + 1, n)
        u = np.arange(self._u.start, self._u.stop).reshape(N, m)
        s = np.arange(self._slack.start, self._slack.stop).reshape(N, -1)
        input_rows = np.arange(self._input_rows.start, self._input_rows.stop).reshape(N, -1)
        state_rows = np.arange(self._state_rows.start, self._state_rows.stop).reshape(N, -1)
        stage = np.concatenate([x[:-1], u], axis=1)
        blocks: list[tuple[Any, Any, Any, float]] = [
            (x, x, one, -1.0),
            (x[1:, :, None], stage[:, None, :], np.arange(one).reshape(N, n, n + m), 1.0),
            (input_rows, u[:, self._bounded_inputs], one, 1.0),
            (state_rows, x[1:, self._bounded_states], one, 1.0),
            (state_rows, s, one, 1.0),
        ]
        parts = [np.broadcast_arrays(*block) for block in blocks]
        row, column, source, sign = (
            np.concatenate([part[k].ravel() for part in parts]) for k in range(4)
        )
        order = np.lexsort((row, column))
        row, column, source = row[order], column[order], source[order]
        scale = sign[order] * self._E[row] * self._D[column]
        starts = np.searchsorted(column, np.arange(self.q.size + 1))
        shape = (self.lower.size, self.q.size)
        return sp.csc_matrix((np.zeros(row.size), row, starts), shape=shape), source, scale

    def linearise(
        self, states: Vector, inputs: Vector, following: Vector, reference: Vector
    ) -> bool:
        """Fill in all but the first state; return whether the QP is finite and not huge.

        Args:
            states: x̄ (N+1, state_size).
            inputs: ū (N, m).
            following: f(x̄ᵢ, ūᵢ) (N, state_size).
            reference: x_ref (N+1, state_size).
        """
        N, n, _ = self._shape
        model = self._problem.model
        jacobians = model.jacobians(states[:-1], inputs, self._problem.dt)
        self._stages[:, :, :n] = jacobians.A
        self._stages[:, :, n:] = jacobians.B
        values = self.A.data
        np.take(self._values, self._source, out=values, mode="clip")
        np.multiply(values, self._scale, out=values)

        # One call for all differences: defects, errors and heights above the origin.
        left, right = self._left, self._right
        left[:N], right[:N] = following, states[1:]
        left[N : 2 * N + 1], right[N : 2 * N + 1] = states, reference
        left[2 * N + 1 :] = states[1 : 1 + len(left) - (2 * N + 1)]
        differences = model.minus(left, right)

        q = self.q
        np.multiply(differences[N : 2 * N + 1].ravel(), self._cost_scale[self._x], out=q[self._x])
        np.multiply(inputs.ravel(), self._cost_scale[self._u], out=q[self._u])
        defects = self.lower[n : self._x.stop]
        np.multiply(differences[:N].ravel(), self._E[n : self._x.stop], out=defects)
        np.negative(defects, out=defects)
        self.upper[n : self._x.stop] = defects
        bounded = self._bounded_values
        heights = differences[2 * N + 1 :, self._bounded_states].ravel()
        bounded[: len(bounded) - heights.size] = inputs[:, self._bounded_inputs].ravel()
        bounded[len(bounded) - heights.size :] = heights
        np.multiply(bounded, self._E[self._x.stop :], out=bounded)
        np.subtract(self._lowest, bounded, out=self.lower[self._x.stop :])
        np.subtract(self._highest, bounded, out=self.upper[self._x.stop :])
        # A comparison with NaN is false.
        return bool(
            q @ q < _LARGEST
            and defects @ defects < _LARGEST
            and values @ values < _LARGEST
            and bounded @ bounded < _LARGEST
        )

    def start(self, deviation: Vector) -> float:
        """Set x ⊟ x̄₀ (n,) and return the largest of its scaled coordinates.

        Nothing is set, and infinity returned, where it is not finite or huge.
        """
        first = slice(0, deviation.size)
        scaled = self._E[first] * deviation
        if not scaled @ scaled < _LARGEST:
            return math.inf
        np.negative(scaled, out=self.lower[first])
        self.upper[first] = self.lower[first]
        return float(np.abs(scaled).max())

    def step(self, primal: Vector) -> tuple[Vector, Vector]:
        """Return dx (N+1, n) and du (N, m) of a scaled solution."""
        N, n, m = self._shape
        deviation = primal * self._D
        return deviation[self._x].reshape(N + 1, n), deviation[self._u].reshape(N, m)

    def expected_errors(self, primal: Vector) -> Vector:
        """Return what `errors` is to become at a scaled solution."""
        deviation = self.P[self._x] * primal[self._x]
        expected: Vector = self.errors + deviation.reshape(self.errors.shape)
        return expected

    def size(self, primal: Vector) -> float:
        """Return the largest coordinate of a scaled solution, slacks aside."""
        return float(np.abs(primal[: self._u.stop]).max())

    def guess(self, primal: Vector, *, later: bool) -> Vector:
        """Return a start for the primal: no deviation, and the slacks, of one step `later`."""
        start = np.zeros_like(primal)
        start[self._slack] = primal[self._later_slacks] if later else primal[self._slack]
        return start

    def later_dual(self, dual: Vector) -> Vector:
        """Return the multipliers one step later, the last stage's repeated."""
        later: Vector = dual[self._later_rows]
        return later


def _bounded(lower: Any, upper: Any) -> NDArray[np.intp]:
    """Return the coordinates with a bound."""
    return np.flatnonzero(np.isfinite(lower) | np.isfinite(upper))


def _later(block: slice, stages: int) -> NDArray[np.intp]:
    """Return the indices of the next stage for each element of a block, the last one's twice."""
    indices = np.arange(block.start or 0, block.stop).reshape(stages, -1)
    return np.concatenate([indices[1:], indices[-1:]]).ravel()
