"""Where the variables and the rows of the horizon's QP stand, and where its values come from."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.problem import ControlProblem
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

_PROBES = 64


class SoftRows(NamedTuple):
    """The rows of a stage that bound states: x + sign·s within [lower, upper], one entry each."""

    states: Indices
    slacks: Indices
    signs: Vector
    lower: Vector
    upper: Vector


class Entries(NamedTuple):
    """The values of A in CSC order: row, column, sign, and place among the source's values."""

    row: Indices
    column: Indices
    source: Indices
    sign: Vector
    starts: Indices


class Source(NamedTuple):
    """The shapes of what A, the rows' values and the linear cost are made of, one after another.

    ∂f/∂(x, u) of each stage; the differences of x̄ to f, to the reference and to the origin; the
    inputs; the normals of half-planes; a 1.
    """

    stages: tuple[int, ...]
    differences: tuple[int, ...]
    inputs: tuple[int, ...]
    normals: tuple[int, ...]
    one: tuple[int, ...] = (1,)

    @property
    def size(self) -> int:
        """How many numbers these are."""
        return sum(map(math.prod, self))

    def views(self, numbers: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the parts of an array (size,) in their shapes."""
        parts = np.split(numbers, np.cumsum([math.prod(shape) for shape in self])[:-1])
        # An entry of all Jacobians lies in one piece, which is how a model writes them fast.
        stages = parts[0].reshape(self.stages[::-1]).T
        return [
            stages,
            *(part.reshape(shape) for part, shape in zip(parts[1:], self[1:], strict=True)),
        ]


class Layout:
    """Columns x₁ … x_N (N, n), u (N, m), slacks (N, k); rows in blocks of (N, width), by stage.

    The rows are the dynamics, bounded inputs, bounded states, bounded rates, half-planes, and
    slacks that can't be negative. Without weight in L1 a slack takes either sign and a row both
    bounds; with it the bounds have a row each. x₀ is no variable: it is known.

    Attributes:
        N, n, m: Sizes.
        inputs: Inputs with a bound.
        soft: The rows of bounded states.
        rated: Inputs with a bounded rate.
        planes: Half-planes of a stage.
        position: States that are the position x, y, where there are half-planes.
        nonnegative: Slacks of a stage that can't be negative.
        slack_weights: w of a stage's slacks (k,).
        slack_weights_l1: w₁ of a stage's slacks (k,).
        x, u, s: Columns.
        blocks: Rows, in the order above.
        dynamics, rates, plane_rows, signs: Four of these blocks.
        source: What the QP is made of.
        columns, rows: Their numbers.
        later_rows: For each row, the same one a step later; the last stage's are their own.
        later_slacks: The same for slacks, counted from the first.
    """

    def __init__(self, problem: ControlProblem) -> None:
        model = problem.model
        N, n, m = problem.horizon, len(model.state_names), len(model.input_names)
        self.N, self.n, self.m = N, n, m
        self.inputs = _bounded(problem.input_lower, problem.input_upper)
        self.soft = _soft_rows(problem)
        bounded = _bounded(problem.state_lower, problem.state_upper).size
        limits = problem.input_rate_limits
        self.rated = _bounded(limits, limits) if limits is not None else np.arange(0)
        self.planes = problem.half_planes
        self.position = [model.state_names.index(name) for name in "xy"] if self.planes else [0, 0]
        shared = [bounded] if self.planes else []
        signed = list(range(bounded)) if problem.slack_weight_l1 > 0.0 else []
        self.nonnegative = np.array(
            signed + (shared if problem.half_plane_weight_l1 > 0.0 else []), dtype=np.intp
        )
        self.slack_weights, self.slack_weights_l1 = (
            np.array([of_state] * bounded + [of_plane] * len(shared))
            for of_state, of_plane in (
                (problem.slack_weight, problem.half_plane_weight),
                (problem.slack_weight_l1, problem.half_plane_weight_l1),
            )
        )
        self.x, self.u, self.s = _blocks(N, [n, m, bounded + len(shared)])
        widths = [n, self.inputs.size, self.soft.states.size, self.rated.size, self.planes]
        self.blocks = blocks = _blocks(N, [*widths, self.nonnegative.size])
        self.dynamics, *_, self.rates, self.plane_rows, self.signs = blocks
        self.source = Source((N, n, n + m), (3, N, n), (N, m), (N, self.planes, 2))
        self.columns, self.rows = self.s.stop, blocks[-1].stop
        self.later_rows = np.concatenate([_later(block, N) for block in blocks])
        self.later_slacks = _later(self.s, N) - self.s.start

    def bounds(self, problem: ControlProblem) -> tuple[Vector, Vector]:
        """Return the lowest and highest values of the rows."""
        rates = np.zeros(0)
        if problem.input_rate_limits is not None:
            rates = problem.dt * np.asarray(problem.input_rate_limits)[self.rated]
        inputs = [
            np.asarray(side)[self.inputs] for side in (problem.input_lower, problem.input_upper)
        ]
        fixed = np.zeros(self.n)
        planes, signs = np.zeros(self.planes), np.zeros(self.nonnegative.size)
        lowest = [fixed, inputs[0], self.soft.lower, -rates, planes, signs]
        highest = [fixed, inputs[1], self.soft.upper, rates, planes + np.inf, signs + np.inf]
        return (
            np.concatenate([np.tile(block, self.N) for block in lowest]),
            np.concatenate([np.tile(block, self.N) for block in highest]),
        )

    def entries(self, pattern: Mask) -> Entries:
        """Return A's entries for a pattern (n, n + m) of ∂f/∂(x, u)."""
        N, n = self.N, self.n
        x, u, s = (
            np.arange(block.start, block.stop).reshape(N, -1) for block in (self.x, self.u, self.s)
        )
        dynamics, inputs, states, rates, planes, signs = (
            np.arange(block.start, block.stop).reshape(N, -1) for block in self.blocks
        )
        jacobian, _, _, normals, one = self.source.views(np.arange(self.source.size))
        of_x, of_u = np.nonzero(pattern[:, :n]), np.nonzero(pattern[:, n:])
        shared = s[:, -1:] if self.planes else s[:, :0]
        blocks: list[tuple[Any, Any, Any, Any]] = [
            (dynamics, x, one, 1.0),
            (dynamics[1:, of_x[0]], x[:-1, of_x[1]], jacobian[1:, of_x[0], of_x[1]], -1.0),
            (dynamics[:, of_u[0]], u[:, of_u[1]], jacobian[:, of_u[0], n + of_u[1]], -1.0),
            (inputs, u[:, self.inputs], one, 1.0),
            (states, x[:, self.soft.states], one, 1.0),
            (states, s[:, self.soft.slacks], one, self.soft.signs),
            (rates, u[:, self.rated], one, 1.0),
            (rates[1:], u[:-1, self.rated], one, -1.0),
            (planes[:, :, None], x[:, None, self.position], normals, 1.0),
            (planes, shared, one, 1.0),
            (signs, s[:, self.nonnegative], one, 1.0),
        ]
        parts = [np.broadcast_arrays(*block) for block in blocks]
        row, column, source, sign = (
            np.concatenate([part[k].ravel() for part in parts]) for k in range(4)
        )
        order = np.lexsort((row, column))
        starts = np.searchsorted(column[order], np.arange(self.columns + 1))
        return Entries(row[order], column[order], source[order], sign[order], starts)

    def first_jacobian(self) -> Indices:
        """Return where ∂f/∂x of the first stage (n, n) stands in the source."""
        stages, *_ = self.source.views(np.arange(self.source.size))
        return stages[0, :, : self.n]

    def values(self) -> tuple[Indices, Indices]:
        """Return where what rows bound, and what columns cost, stands in the source.

        Rates and half-planes are none of the source's numbers.
        """
        _, differences, inputs, _, one = self.source.views(np.arange(self.source.size))
        defects, errors, heights = differences
        others = np.repeat(one, self.rows - self.blocks[2].stop)
        rows = [defects, inputs[:, self.inputs], heights[:, self.soft.states], others]
        columns = [errors, inputs, np.repeat(one, self.s.stop - self.s.start)]
        return (
            np.concatenate([part.ravel() for part in rows]),
            np.concatenate([part.ravel() for part in columns]),
        )


def probe_pattern(model: Model, dt: float) -> Mask:
    """Return which of ∂f/∂(x, u) (n, n + m) are not zero at every one of some random points."""
    n, m = len(model.state_names), len(model.input_names)
    rng = np.random.default_rng(0)
    origin = np.broadcast_to(
        np.array(model.origin(), dtype=np.float64), (_PROBES, model.state_size)
    )
    with np.errstate(all="ignore"):
        states = model.plus(origin.copy(), rng.normal(size=(_PROBES, n)))
        jacobians = model.jacobians(states, rng.normal(size=(_PROBES, m)), dt)
    stages = np.concatenate([jacobians.A, jacobians.B], axis=-1)
    pattern: Mask = np.any(stages != 0.0, axis=tuple(range(stages.ndim - 2)))
    return pattern


def _soft_rows(problem: ControlProblem) -> SoftRows:
    lower, upper = np.asarray(problem.state_lower), np.asarray(problem.state_upper)
    states = _bounded(lower, upper)
    if problem.slack_weight_l1 == 0.0:
        slacks = np.arange(states.size)
        return SoftRows(states, slacks, np.ones(states.size), lower[states], upper[states])
    sides = [
        (state, slack, sign, *((lower[state], np.inf) if sign > 0 else (-np.inf, upper[state])))
        for slack, state in enumerate(states)
        for sign, bound in ((1.0, lower[state]), (-1.0, upper[state]))
        if np.isfinite(bound)
    ]
    rows = np.array(sides, dtype=np.float64).reshape(-1, 5)
    places = rows[:, :2].astype(np.intp)
    return SoftRows(places[:, 0], places[:, 1], rows[:, 2], rows[:, 3], rows[:, 4])


def _blocks(stages: int, widths: list[int]) -> list[slice]:
    ends = accumulate((stages * width for width in widths), initial=0)
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _bounded(lower: Any, upper: Any) -> Indices:
    """Return the coordinates with a bound."""
    return np.flatnonzero(np.isfinite(lower) | np.isfinite(upper))


def _later(block: slice, stages: int) -> Indices:
    """Return the indices of the next stage for each element of a block, the last one's twice."""
    indices = np.arange(block.start, block.stop).reshape(stages, -1)
    return np.concatenate([indices[1:], indices[-1:]]).ravel()
