"""The energy of a plan: inputs rolled through a robot's dynamics from one state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ebm_mpc_ros.energy.rollout import roll
from ebm_mpc_ros.models.base import array_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.models.base import Array, Model

_SWEEP_TOLERANCE = 256.0


class Expansion(NamedTuple):
    """A plan's tracking cost to second order, J ≈ J₀ + gᵀΔU + ½ ΔUᵀ H ΔU (Gauss-Newton).

    Attributes:
        gradient: g (N m,).
        hessian: H = GᵀQG + R (N m, N m), with G the derivative of the states in the inputs.
    """

    gradient: Tensor
    hessian: Tensor


class _Bounds(NamedTuple):
    lower: Tensor
    upper: Tensor
    weight: float


class PlanEnergy:
    """J(U) of inputs U (N, m), each held for `dt`, applied from one state.

    J = ½ Σ_{i<N} [(x-r)ᵀQ(x-r) + uᵀRu] + ½ (x_N-r_N)ᵀQ_N(x_N-r_N), differences by the model's
    `minus`, plus ½ w hinge² for each obstacle nearer than the margin at each of the states 1 … N
    and for each input and each of these states' coordinates beyond its bounds.

    The gradient is the adjoint recursion λᵢ = ∂c/∂xᵢ + Aᵢᵀ λᵢ₊₁, ∂J/∂uᵢ = R uᵢ + Bᵢᵀ λᵢ₊₁ with the
    model's own A and B.
    """

    def __init__(
        self,
        model: Model,
        cost: PlanCost,
        dt: float,
        *,
        state: Tensor,
        reference: Tensor,
        obstacles: Tensor | None = None,
    ) -> None:
        """Set the problem; type and device are those of `state`.

        Args:
            model: The robot; its states must be plain coordinates, one for each state name.
            cost: Weights, bounds and clearance.
            dt: Step in seconds.
            state: Where the plan starts, (n,).
            reference: The states to track, (N + 1, n).
            obstacles: Circles (M, 3) of x, y and radius in m.

        Raises:
            ValueError: The model has no inputs or is not of plain coordinates, or shapes disagree.
        """
        n, m = model.state_size, len(model.input_names)
        if m == 0 or n != len(model.state_names):
            raise ValueError(f"{type(model).__name__} has no inputs or no plain coordinates")
        if (len(cost.state_weight), len(cost.input_weight)) != (n, m):
            raise ValueError(f"the weights do not fit {n} states and {m} inputs")
        if reference.ndim != 2 or reference.shape[0] < 2 or reference.shape[1] != n:
            raise ValueError(f"reference is {tuple(reference.shape)}, allowed is (N + 1, {n})")
        self.horizon = reference.shape[0] - 1
        self._model, self._cost, self._dt = model, cost, dt
        self._x0, self._reference = state, reference[1:, None, :].contiguous()
        Q = self._constant(cost.state_weight)
        self._Q = Q.repeat(self.horizon, 1, 1)
        self._Q[-1] = self._constant(cost.terminal_weight)
        self._R = self._constant(cost.input_weight)
        self._state_bounds = _Bounds(
            self._constant(cost.state_lower),
            self._constant(cost.state_upper),
            cost.state_bound_weight,
        )
        self._input_bounds = _Bounds(
            self._constant(cost.input_lower),
            self._constant(cost.input_upper),
            cost.input_bound_weight,
        )
        difference = self._call(model.minus, state, reference[0])
        self._first_cost = 0.5 * float((Q * difference * difference).sum())
        self._nearest = torch.finfo(state.dtype).eps
        self._tolerance = (
            _SWEEP_TOLERANCE * torch.finfo(state.dtype).eps * (1.0 + float(state.abs().max()))
        )
        # A plan (N m,), its states (N n,) and how inputs move them (N m, N n): see `expand`.
        self._guess: tuple[Tensor, Tensor, Tensor] | None = None
        self._circles: tuple[Tensor, Tensor, Tensor] | None = None
        if obstacles is not None and obstacles.shape[0]:
            self._circles = (
                obstacles[:, 0],
                obstacles[:, 1],
                obstacles[:, 2] + cost.robot_radius,
            )
            self._place = model.state_names.index("x"), model.state_names.index("y")

    @torch.no_grad()
    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return J (K,) and -∂J/∂U (K, N m) of the inputs `x` (K, N m)."""
        K, N = x.shape[0], self.horizon
        inputs = self._by_time(x)
        U, X = self._native(inputs), self._native(self._roll(x, inputs))
        value, slope = self._state_costs(X[1:])
        A, B = self._model.jacobians(X[:-1], U, self._dt)[:2]
        # From here on slope[i] is the costate of state i + 1.
        for i in range(N - 1, 0, -1):
            slope[i - 1] += (slope[i][:, None, :] @ A[i])[:, 0]
        input_value, input_slope = self._weigh(U, U, self._R, self._input_bounds)
        input_slope += (slope[:, :, None, :] @ B)[:, :, 0]
        value += input_value
        energy = torch.as_tensor(value).mul_(0.5).add_(self._first_cost)
        return energy, torch.as_tensor(input_slope).neg_().transpose(0, 1).reshape(K, -1)

    @torch.no_grad()
    def energy(self, x: Tensor) -> Tensor:
        """Return J (K,) of the inputs `x` (K, N m): half the work of both."""
        inputs = self._by_time(x)
        U, X = self._native(inputs), self._native(self._roll(x, inputs))
        value = self._state_costs(X[1:])[0] + self._weigh(U, U, self._R, self._input_bounds)[0]
        return torch.as_tensor(value).mul_(0.5).add_(self._first_cost)

    def rollout(self, x: Tensor) -> Tensor:
        """Return the states (K, N + 1, n) of the inputs `x` (K, N m)."""
        return self._roll(x, self._by_time(x)).transpose(0, 1)

    def clearance(self, states: Tensor) -> Tensor:
        """Return the least clearance (…,) of `states` (…, N + 1, n) in m, inf without obstacles."""
        if self._circles is None:
            return states.new_full(states.shape[:-2], torch.inf)
        _, _, distance, radius = self._offsets(self._native(states))
        return torch.as_tensor(distance - radius).amin((-2, -1))

    def expand(self, x: Tensor) -> Expansion:
        """Return the tracking cost, bounds and obstacles left out, about one plan `x` (N m,).

        Later rollouts start from this linearisation, which saves them sweeps.
        """
        N, m = self.horizon, self._R.shape[0]
        U = self._by_time(x[None])
        X = self._roll(x[None], U)
        A, B = self._call(self._model.jacobians, X[:-1], U, self._dt)[:2]
        n = X.shape[-1]
        G = x.new_zeros(N, n, N * m)
        for i in range(N):
            if i:
                torch.mm(A[i, 0], G[i - 1], out=G[i])
            G[i, :, i * m : (i + 1) * m] = B[i, 0]
        residual = self._call(self._model.minus, X[1:], self._reference).view(-1)
        flat = G.view(N * n, N * m)
        weighted = self._Q.view(-1, 1) * flat
        R = self._R.repeat(N)
        hessian = flat.mT @ weighted
        hessian.diagonal().add_(R)
        self._guess = x, X[1:].reshape(-1), flat.mT
        return Expansion(residual @ weighted + R * x, hessian)

    def _by_time(self, x: Tensor) -> Tensor:
        """Return the inputs (N, K, m) of `x` (K, N m)."""
        return x.view(x.shape[0], self.horizon, self._R.shape[0]).transpose(0, 1).contiguous()

    def _roll(self, x: Tensor, U: Tensor) -> Tensor:
        """Return the states (N + 1, K, n) of the inputs U (N, K, m), which are `x` by time."""
        N, K = U.shape[:2]
        X = U.new_empty(N + 1, K, self._x0.shape[0])
        X[0] = self._x0
        if self._guess is None:
            X[1:] = self._x0
        else:
            inputs, states, sensitivity = self._guess
            guess = torch.addmm(states, x - inputs, sensitivity)
            X[1:] = guess.view(K, N, -1).transpose(0, 1)
        roll(self._model, self._native(X), self._native(U), self._dt, self._tolerance)
        return X

    def _state_costs(self, X: Array) -> tuple[Array, Array]:
        """Return twice the cost of the states 1 … N (K,) and the cost's gradient (N, K, n)."""
        difference = self._model.minus(X, self._native(self._reference))
        value, slope = self._weigh(difference, X, self._Q, self._state_bounds)
        if self._circles is not None:
            dx, dy, distance, radius = self._offsets(X)
            depth = radius + self._cost.margin - distance
            depth *= depth > 0.0
            pull = depth * -self._cost.obstacle_weight
            value -= (pull * depth).sum((0, 2))
            pull /= distance + self._nearest * (distance < self._nearest)
            slope[..., self._place[0]] += (pull * dx).sum(-1)
            slope[..., self._place[1]] += (pull * dy).sum(-1)
        return value, slope

    def _weigh(
        self, difference: Array, values: Array, weights: Tensor, bounds: _Bounds
    ) -> tuple[Array, Array]:
        """Return twice the cost (K,) of differences and values beyond bounds, and its slope."""
        xp = array_namespace(values)
        lower, upper = self._native(bounds.lower), self._native(bounds.upper)
        slope = self._native(weights) * difference
        beyond = values - xp.minimum(xp.maximum(values, lower), upper)
        penalty = beyond * bounds.weight
        value = (slope * difference + penalty * beyond).sum((0, 2))
        slope += penalty
        return value, slope

    def _offsets(self, X: Array) -> tuple[Array, Array, Array, Array]:
        """Return x, y and length of the way from each circle's centre to `X`, and its radius."""
        assert self._circles is not None  # noqa: S101
        x, y, radius = (self._native(part) for part in self._circles)
        dx, dy = X[..., self._place[0], None] - x, X[..., self._place[1], None] - y
        return dx, dy, array_namespace(X).hypot(dx, dy), radius

    def _native(self, tensor: Tensor) -> Array:
        """Return what to work on where overhead counts: on the CPU the NumPy array it is.

        At these sizes an operation is mostly overhead, and NumPy's is a third of torch's.
        """
        return tensor.numpy() if self._x0.device.type == "cpu" else tensor

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return a function of the model, on the CPU evaluated by NumPy."""
        result = function(*(self._native(a) if isinstance(a, Tensor) else a for a in arguments))
        kind = self._x0.dtype  # a learned model computes in double precision
        if isinstance(result, tuple):
            return tuple(torch.as_tensor(part, dtype=kind) for part in result)
        return torch.as_tensor(result, dtype=kind)

    def _constant(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=self._x0.dtype, device=self._x0.device)
