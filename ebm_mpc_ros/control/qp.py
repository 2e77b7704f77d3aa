"""The QP of one linearisation: its sparsity once, its values in place at every tick."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ebm_mpc_ros.control.layout import Layout, probe_pattern
from ebm_mpc_ros.control.riccati import riccati_cost
from ebm_mpc_ros.control.scaling import Scaling

if TYPE_CHECKING:
    from ebm_mpc_ros.control.half_planes import HalfPlanes
    from ebm_mpc_ros.control.problem import ControlProblem
    from ebm_mpc_ros.models import Jacobians

Vector = NDArray[np.float64]

_LARGEST = 1e16  # of a sum of squares
_UNBOUNDED = 1e30
_HELD = 1e-7


class HorizonQP:
    """The QP in the deviations (dx, du) from a trajectory x̄ (N+1), ū (N), and slacks s.

        min  ½ Σ |dxᵢ + x̄ᵢ ⊟ x_ref,ᵢ|²_Q + ½ Σ |duᵢ + ūᵢ|²_R + ½ Σ |rate|²_S + ½ w Σ s² + w₁ Σ s
        s.t. dxᵢ₊₁ = Aᵢ dxᵢ + Bᵢ duᵢ + f(x̄ᵢ, ūᵢ) ⊟ x̄ᵢ₊₁ with dx₀ = x ⊟ x̄₀ known, and bounds

    Deviations keep the numbers small wherever the robot is.

    ADMM converges in a few iterations where its step size is large for the rows that will be at
    their bound and small for the others (Stellato et al., "OSQP", 2020, section 5.2). Rows are
    therefore multiplied by √ρ of the one or the other kind, told by the last dual. Primal and
    dual are those of the scaled QP throughout.

    Attributes:
        layout: Where variables and rows stand.
        states: x̄ᵢ (N, state_size) for i ≥ 1, for others to write.
        reference: x_ref,ᵢ (N, state_size) for i ≥ 1, for others to write.
        P: Scaled cost, its upper triangle.
        A: Scaled constraints, another object once the pattern has grown.
        q: Scaled linear cost.
        lower: Scaled lower bounds.
        upper: Scaled upper bounds.
        row_scale: What the rows are multiplied by, another array where it changes.
        crossing: How far x̄ is beyond a half-plane at most, in scaled coordinates.
    """

    def __init__(self, problem: ControlProblem, *, rho: float, rho_active: float) -> None:
        self._problem = problem
        self.layout = layout = Layout(problem)
        self._scaling = scaling = Scaling(problem, layout)
        N, n, m = layout.N, layout.n, layout.m
        self.P = scaling.P
        self._riccati = problem.terminal == "riccati"
        self._set_end()
        self._roots = math.sqrt(rho_active), math.sqrt(rho)

        self._held = np.zeros(layout.rows - layout.dynamics.stop, dtype=np.bool_)
        self._held_key = self._held.tobytes()
        self._pattern = probe_pattern(problem.model, problem.dt)
        self._source = np.zeros(layout.source.size)
        self._stages, self._differences, self._inputs, self._normals, one = layout.source.views(
            self._source
        )
        self._jacobians = self._stages[:, :, :n], self._stages[:, :, n:]
        one[:] = 1.0
        self._lowest, self._highest = layout.bounds(problem)
        self.lower, self.upper = np.zeros(layout.rows), np.zeros(layout.rows)
        self._first_lower, self._first_upper = self.lower[:n], self.upper[:n]
        # The last errors have weights of their own.
        self._stages_compared = max(N - 2, 0)
        self._expected = np.zeros(layout.x.stop)
        self._expected_there = self._expected[n : n * (1 + self._stages_compared)]
        self._P_x = self.P.diagonal()[layout.x]
        self.crossing = 0.0
        self._arrange()

        self._left = np.zeros((3, N, problem.model.state_size))
        self._right = np.zeros_like(self._left)
        self._right[2] = np.array(problem.model.origin())
        self.states, self.reference, self._following = self._left[0], self._right[1], self._right[0]
        self._has_rates = bool(layout.rated.size) or problem.input_rate_weights is not None
        self._rates = np.zeros((N + 1, m))
        self._step = np.zeros(layout.columns)
        self._dx = self._step[layout.x].reshape(N, n)
        self._du = self._step[layout.u].reshape(N, m)
        self._start = np.zeros(layout.columns)

    def _set_end(self) -> None:
        """Find the end's block among the values of P."""
        stop, n, P = self.layout.x.stop, self.layout.n, self.P
        columns = np.repeat(np.arange(self.layout.columns), np.diff(P.indptr))
        self._ends = np.flatnonzero((columns >= stop - n) & (columns < stop))
        self._end_places = P.indices[self._ends] - (stop - n), columns[self._ends] - (stop - n)

    def _arrange(self) -> None:
        """Make A and what fills it for the pattern of the Jacobians."""
        layout, scaling = self.layout, self._scaling
        N, n = layout.N, layout.n
        entries = layout.entries(self._pattern)
        first, (rows, columns) = layout.first_jacobian(), layout.values()
        self._row = entries.row
        self._unit = entries.sign * scaling.E[entries.row] * scaling.D[entries.column]
        self._take = np.concatenate([entries.source, first.ravel(), rows, columns])
        # A sum of numbers is 0 where each is; drawn at random no weights hide one that is not.
        weights = np.random.default_rng(0).uniform(1.0, 2.0, size=self._stages.shape)
        self._outside = np.zeros_like(self._source)
        self._outside[: weights.size] = (weights * ~self._pattern).ravel()

        self._filled = np.zeros(self._take.size)
        values, A_0, self._values, self.q = np.split(
            self._filled, np.cumsum([entries.row.size, n * n, layout.rows])
        )
        self._checked = self._filled[: self._filled.size - layout.columns + layout.s.start]
        self._A_0 = A_0.reshape(n, n)
        self._first_values = self._values[:n]
        self._tracking = self.q[layout.x]
        self._compared = self.q[: n * self._stages_compared]
        self._q_x, self._q_u = (self.q[block].reshape(N, -1) for block in (layout.x, layout.u))
        self._of_rates, self._of_planes = (
            self._values[block].reshape(N, -1) for block in (layout.rates, layout.plane_rows)
        )
        shape = (layout.rows, layout.columns)
        self.A = sp.csc_matrix((values, entries.row, entries.starts), shape=shape)
        self.A.data = values
        self._scale_rows()

    def _scale_rows(self) -> None:
        """Scale the rows by √ρ, larger where they were held."""
        layout, scaling = self.layout, self._scaling
        held = np.where(self._held, *self._roots)
        root = np.concatenate([np.ones(layout.dynamics.stop), held])
        self.row_scale = scale = scaling.E * root
        self._scale = np.concatenate(
            [
                self._unit * root[self._row],
                np.repeat(scale[: layout.n], layout.n),
                *(scale[: layout.signs.start], np.zeros(layout.rows - layout.signs.start)),
                scaling.q,
            ]
        )
        self._scaled_lowest = np.maximum(self._lowest * scale, -_UNBOUNDED)
        self._scaled_highest = np.minimum(self._highest * scale, _UNBOUNDED)
        self._later_scale = scale[layout.later_rows] / scale

    def weigh(self, dual: Vector) -> Vector | None:
        """Scale the rows as a dual tells, and the dual with them.

        Returns:
            The change (rows,) of the scales, None where they remain.
        """
        held = np.abs(dual[self.layout.dynamics.stop :]) > _HELD
        key = held.tobytes()
        if key == self._held_key:
            return None
        self._held, self._held_key = held, key
        before = self.row_scale
        self._scale_rows()
        change: Vector = self.row_scale / before
        dual /= change
        return change

    def rescale(self, change: Vector) -> None:
        """Apply a change of the rows' scales to what was filled in before it."""
        self.lower *= change
        self.upper *= change
        self.A.data *= change[self._row]

    def fill(
        self,
        inputs: Vector,
        following: Vector,
        jacobians: Jacobians,
        sent: Vector,
        half_planes: HalfPlanes | None,
    ) -> bool:
        """Take a linearisation about `states`; return whether it is finite and not huge.

        Args:
            inputs: ū (N, m).
            following: f(x̄ᵢ, ūᵢ) (N, state_size).
            jacobians: Those of f at (x̄ᵢ, ūᵢ).
            sent: Input sent last (m,).
            half_planes: Half-planes of the stages 1 … N.
        """
        self._jacobians[0][:], self._jacobians[1][:] = jacobians.A, jacobians.B
        # One call for all differences: defects, errors and heights above the origin.
        self._left[1:] = self.states
        self._following[:] = following
        self._differences[:] = self._problem.model.minus(self._left, self._right)
        self._inputs[:] = inputs
        if self.layout.planes:
            self._normals[:] = half_planes.normals if half_planes is not None else 0.0
        # A number that is not finite times 0 is none either, and a comparison with it is false.
        if np.dot(self._source, self._outside) != 0.0 and not self._grow():
            return False
        # One gather and one product make A, the rows' values and q.
        filled = self._source.take(self._take, out=self._filled, mode="clip")
        np.multiply(filled, self._scale, out=filled)
        if self._scaling.coupled:
            self._couple()
        if self._has_rates:
            self._take_rates(sent)
        if self.layout.planes:
            self._take_half_planes(half_planes)
        np.subtract(self._scaled_lowest, self._values, out=self.lower)
        np.subtract(self._scaled_highest, self._values, out=self.upper)
        return bool(np.dot(self._checked, self._checked) < _LARGEST)

    def _couple(self) -> None:
        """Write the linear cost of weights that are no diagonals."""
        scaling, errors = self._scaling, self._differences[1]
        Q_N = scaling.Q_N
        if self._riccati:
            found = riccati_cost(self._problem, self.reference[-1])
            if found is not None:
                Q_N = found * scaling.terminal
            self.P.data[self._ends] = (Q_N.T * scaling.terminal)[self._end_places]
        np.matmul(errors[:-1], scaling.Q, out=self._q_x[:-1])
        np.matmul(errors[-1], Q_N, out=self._q_x[-1])
        np.matmul(self._inputs, scaling.R, out=self._q_u)

    def _take_rates(self, sent: Vector) -> None:
        rates, inputs, layout = self._rates, self._inputs, self.layout
        np.subtract(inputs[0], sent, out=rates[0])
        np.subtract(inputs[1:], inputs[:-1], out=rates[1:-1])
        self._q_u += (rates[:-1] - rates[1:]) @ self._scaling.S
        scale = self.row_scale[layout.rates].reshape(layout.N, -1)
        np.multiply(rates[:-1, layout.rated], scale, out=self._of_rates)

    def _take_half_planes(self, half_planes: HalfPlanes | None) -> None:
        layout, normals = self.layout, self._normals
        positions = self._differences[2][:, layout.position]
        along = np.einsum("ikj,ij->ik", normals, positions)
        beyond = along - half_planes.offsets if half_planes is not None else along + 1.0
        self.crossing = float(-beyond.min(initial=0.0) * self._scaling.stage[layout.position].max())
        scale = self.row_scale[layout.plane_rows].reshape(layout.N, -1)
        np.multiply(beyond, scale, out=self._of_planes)

    def _grow(self) -> bool:
        """Take entries into A that were 0 before; return whether all are finite."""
        if not np.isfinite(self._source).all():
            return False
        self._pattern |= np.any(self._stages != 0.0, axis=0)
        self._arrange()
        return True

    def start(self, deviation: Vector) -> float:
        """Set dx₀ (n,) and return its length in scaled coordinates."""
        scaled = deviation * self._scaling.stage
        moved = np.dot(self._A_0, deviation)
        first = np.subtract(moved, self._first_values, out=self._first_lower)
        self._first_upper[:] = first
        return math.sqrt(np.dot(scaled, scaled))

    def step(self, primal: Vector) -> tuple[Vector, Vector]:
        """Return dx (N, n) for i ≥ 1 and du (N, m) of a primal, which the next call overwrites."""
        np.multiply(primal, self._scaling.D, out=self._step)
        return self._dx, self._du

    def size(self, primal: Vector) -> float:
        """Return the largest coordinate of a primal, slacks aside."""
        return float(np.abs(primal[: self.layout.u.stop]).max())

    def expect(self, primal: Vector) -> None:
        """Take the errors that a primal leads to as those that are expected a step later."""
        np.multiply(self._P_x, primal[: self._P_x.size], out=self._expected)
        self._expected += self._tracking

    def surprise(self) -> float:
        """Return the root mean square of the errors' difference from those expected; scaled."""
        if not self._stages_compared:
            return 0.0
        difference = self._compared - self._expected_there
        return math.sqrt(np.dot(difference, difference) / self._stages_compared)

    def later(self, dual: Vector) -> Vector:
        """Return a dual for one step later, the last stage's multipliers repeated."""
        dual = dual.take(self.layout.later_rows, mode="clip")
        dual *= self._later_scale
        return dual

    def guess(self, primal: Vector, *, later: bool) -> Vector:
        """Return a start for the primal: no deviation, and the slacks, of one step `later`."""
        slack = self.layout.s
        slacks = primal[slack]
        self._start[slack] = slacks.take(self.layout.later_slacks, mode="clip") if later else slacks
        return self._start

    @property
    def changed_P(self) -> Vector | None:
        """P's values where a linearisation changes them."""
        return self.P.data if self._riccati else None
