"""The QP of one linearisation: its sparsity once, its values in place at every tick."""

from __future__ import annotations

import math
import operator
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

Vector = NDArray[np.float64]

_LARGEST = 1e16  # of a sum of squares
_UNBOUNDED = 1e30
_HELD = np.array(1e-7)  # an array, for NumPy converts a float at each comparison
_STRETCH = 10.0  # of the square of errors, at most, to that of the difference of state arrays


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
        trajectory: x̄ᵢ (N+1, state_size), for others to write.
        inputs: ūᵢ (N, m), for others to write.
        reference: x_ref,ᵢ (N, state_size) for i ≥ 1, as `follow` took it.
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
        self._stage = scaling.stage.tolist()
        self._row_roots = np.ones(layout.rows + 1)
        self._pattern = probe_pattern(problem.model, problem.dt)
        self._source = np.zeros(layout.source.size)
        self._stages, self._differences, self.inputs, self._normals, one = layout.source.views(
            self._source
        )
        one[:] = 1.0
        self._limits = np.array(layout.bounds(problem))
        self._bounds = np.zeros_like(self._limits)
        self.lower, self.upper = self._bounds
        self._first_bounds = self._bounds[:, :n]
        self._stretch = _STRETCH * float(scaling.stage.max()) ** 2
        self.crossing = 0.0
        self._arrange()

        self.trajectory = np.zeros((N + 1, problem.model.state_size))
        self._right = np.zeros((3, N, problem.model.state_size))
        self._left = np.zeros_like(self._right)
        self._right[2] = np.array(problem.model.origin())
        self._following, self.reference = self._right[:2]
        self._expected = self.reference[1:]
        self._model, self._dt = problem.model, problem.dt
        self.forget()
        self._has_rates = bool(layout.rated.size) or problem.input_rate_weights is not None
        self._rates = np.zeros((N + 1, m))
        self._step = np.zeros(n + layout.columns)
        self._step_solved = self._step[n:]
        self._dx = self._step[: n + layout.x.stop].reshape(N + 1, n)
        self._du = self._step_solved[layout.u].reshape(N, m)
        self._start = np.zeros(layout.columns)

    def forget(self) -> None:
        """Linearise anew: a model may begin where its last answers were."""
        self._linearize = self._model.linearizer(self._dt, self._following, self._stages)

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
        self._take = np.concatenate([entries.source, first.ravel(), rows, columns])
        # What is taken is multiplied by these, and by the roots of these rows; the last one's is 1.
        shared = layout.signs.start
        factors = [
            entries.sign * scaling.E[entries.row] * scaling.D[entries.column],
            np.repeat(scaling.E[:n], n),
            *(scaling.E[:shared], np.zeros(layout.rows - shared)),
            scaling.q,
        ]
        self._factors = np.concatenate(factors)
        last = np.full(layout.columns, layout.rows)
        self._factor_rows = np.concatenate(
            [entries.row, np.repeat(np.arange(n), n), np.arange(layout.rows), last]
        )
        # A sum of numbers is 0 where each is; drawn at random no weights hide one that is not.
        weights = np.random.default_rng(0).uniform(1.0, 2.0, size=self._stages.shape)
        self._outside = np.zeros_like(self._source)
        outside, *_ = layout.source.views(self._outside)
        np.multiply(weights, ~self._pattern, out=outside)

        self._filled = np.zeros(self._take.size)
        values, A_0, self._values, self.q = np.split(
            self._filled, np.cumsum([entries.row.size, n * n, layout.rows])
        )
        self._checked = self._filled[: self._filled.size - layout.columns + layout.s.start]
        self._A_0 = A_0.reshape(n, n)
        self._first_values = self._values[:n]
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
        roots = self._row_roots
        roots[self.layout.dynamics.stop : -1] = np.where(self._held, *self._roots)
        self._scale = roots.take(self._factor_rows, mode="clip")
        self._scale *= self._factors
        self.row_scale = scale = self._scaling.E * roots[:-1]
        limits = self._limits * scale
        np.maximum(limits, -_UNBOUNDED, out=limits)
        self._lowest, self._highest = np.minimum(limits, _UNBOUNDED, out=limits)
        self._later_scale = scale.take(self.layout.later_rows, mode="clip") / scale

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
        self._bounds *= change
        self.A.data *= change[self._row]

    def fill(self, sent: Vector, half_planes: HalfPlanes | None, *, extend: bool = False) -> bool:
        """Linearise about x̄ and ū; return whether the QP is finite and not huge.

        Args:
            sent: Input sent last (m,).
            half_planes: Half-planes of the stages 1 … N.
            extend: Whether x̄_N is f(x̄_N₋₁, ū_N₋₁).
        """
        trajectory = self.trajectory
        self._linearize(trajectory[:-1], self.inputs)
        if extend:
            trajectory[-1] = self._following[-1]
        # One call for all differences: defects, errors and heights above the origin. Operands are
        # of the same shape: NumPy takes twice as long where it has to broadcast.
        self._left[:] = trajectory[1:]
        self._differences[:] = self._problem.model.minus(self._left, self._right)
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
        np.subtract(self._lowest, self._values, out=self.lower)
        np.subtract(self._highest, self._values, out=self.upper)
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
        np.matmul(self.inputs, scaling.R, out=self._q_u)

    def _take_rates(self, sent: Vector) -> None:
        rates, inputs, layout = self._rates, self.inputs, self.layout
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
        first = np.dot(self._A_0, deviation)
        first -= self._first_values
        self._first_bounds[:] = first
        return math.hypot(*map(operator.mul, deviation.tolist(), self._stage))

    def step(self, primal: Vector) -> tuple[Vector, Vector]:
        """Return dx (N+1, n), dx₀ left out, and du (N, m) of a primal, till the next call."""
        np.multiply(primal, self._scaling.D, out=self._step_solved)
        return self._dx, self._du

    def size(self, primal: Vector) -> float:
        """Return the largest coordinate of a primal, slacks aside."""
        return float(np.abs(primal[: self.layout.u.stop]).max())

    def follow(self, reference: Vector, jump: float) -> bool:
        """Take a reference (N+1, state_size); return whether it jumped from the last one's course.

        That is whether the root mean square of their difference a step later is above `jump`, in
        scaled coordinates. Most references differ too little for that in any coordinates.
        """
        later, expected = reference[1:-1], self._expected
        change = later - expected
        highest = jump * jump * len(later)
        jumped = self._stretch * np.vdot(change, change) > highest
        if jumped:
            errors = self._problem.model.minus(later, expected) * self._scaling.stage
            jumped = np.vdot(errors, errors) > highest
        self.reference[:] = reference[1:]
        return bool(jumped)

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
