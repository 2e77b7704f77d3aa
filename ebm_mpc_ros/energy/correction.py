"""A learned transition about one plan, at little more than the price of its nominal model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from ebm_mpc_ros.energy.chosen import floats
from ebm_mpc_ros.energy.rollout import roll
from ebm_mpc_ros.models.base import Jacobians, Model, array_namespace
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.learned_transition import POSE

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_mpc_ros.energy.outcome import Floats
    from ebm_mpc_ros.models.base import Array

_SWEEPS = 4
# Of the plan's own states: what they are off by counts squared.
_TOLERANCE = 5e-3


class Stages(NamedTuple):
    """What is added to the nominal model at stage i, R(yaw) (offset + (ξ - place) slope).

    Attributes:
        place: ξ̄ of ξ = (x, u) (N, 1, n + m).
        offset: In the robot's own axes (N, 1, n).
        slope: Its derivative, transposed (N, n + m, n).
    """

    place: Array
    offset: Array
    slope: Array


class Corrected(Model):
    """f = f_nom(x, u) + R(yaw) (r̄ᵢ + r̄ᵢ' (ξ - ξ̄ᵢ)) at stage i, in arrays (N, K, …) of all stages.

    r is what a learned transition adds, in the robot's own axes, to first order about the states
    and inputs ξ̄ of one plan. There f, A and B are the transition's, elsewhere off by second order.
    """

    def __init__(self, nominal: Model, stages: Stages) -> None:
        """Take the nominal model, of plain coordinates, and what is added to it."""
        self._nominal, self._stages = nominal, stages
        self.state_names, self.input_names = nominal.state_names, nominal.input_names
        self.noise_names, self.state_size = nominal.noise_names, nominal.state_size
        self._pose = _pose(nominal)
        # What is added to [A B]: rows that don't turn with the robot, and those of x and y.
        xp = array_namespace(stages.slope)
        self._even = xp.moveaxis(stages.slope, -1, -2)
        if self._pose:
            rows = list(self._pose[:2])
            self._turned = tuple(self._even[:, None, row] for row in rows)
            self._even = xp.asarray(self._even, copy=True)
            self._even[:, rows] = 0.0

    def f(self, x: Array, u: Array, dt: Any, w: Array | None = None) -> Array:
        """Return the next states (N, K, n)."""
        following = self._nominal.f(x, u, dt, w)
        following += self._added(x, u)
        return following

    def jacobians(self, x: Array, u: Array, dt: Any) -> Jacobians:
        """Return A and B, and W of the nominal model."""
        A, B, W = self._nominal.jacobians(x, u, dt)
        n = x.shape[-1]
        A, B = A + self._even[:, None, :, :n], B + self._even[:, None, :, n:]
        if self._pose:
            east, north, yaw = self._pose
            xp, added = array_namespace(x), self._added(x, u)
            cos, sin = xp.cos(x[..., yaw, None]), xp.sin(x[..., yaw, None])
            ahead, left = self._turned
            for matrix, part in ((A, slice(n)), (B, slice(n, None))):
                matrix[..., east, :] += cos * ahead[..., part] - sin * left[..., part]
                matrix[..., north, :] += sin * ahead[..., part] + cos * left[..., part]
            A[..., east, yaw] -= added[..., north]
            A[..., north, yaw] += added[..., east]
        return Jacobians(A, B, W)

    def _added(self, x: Array, u: Array) -> Array:
        place, offset, slope = self._stages
        added = (array_namespace(x).concat([x, u], axis=-1) - place) @ slope
        added += offset
        if self._pose:
            _turn(added, x, self._pose)
        return added


class Correction:
    """A robot's model for a planner's many chains: a learned one's `Corrected` about each plan.

    To solve for the mode of a transition at each step of each chain takes a hundred times as long
    as the nominal model. Any other model is left as it is.
    """

    def __init__(self, model: Model, dt: float, horizon: int) -> None:
        """Take the robot, the step in s and the number of steps N."""
        self._model, self._dt = model, dt
        self._nominal, self._pose = nominal_of(model), _pose(model)
        if self._nominal is not model:
            n, m = model.state_size, len(model.input_names)
            self._following, self._jacobians = np.empty((horizon, n)), np.zeros((horizon, n, n + m))
        self.reset()

    def reset(self) -> None:
        """Forget the last plan."""
        self._last: Stages | None = None
        if self._nominal is not self._model:
            self._write = self._model.linearizer(self._dt, self._following, self._jacobians)

    def about(self, state: Tensor, inputs: Tensor) -> Model:
        """Return what moves as the robot does, to first order about the plan `inputs` (N m,).

        Its states are those from `state` (n,), which take a sweep or two of the transition about
        those of the last plan to find.
        """
        if self._nominal is self._model:
            return self._model
        start = floats(state)
        U = floats(inputs).reshape(len(self._following), -1)
        X = np.broadcast_to(start, (len(U) + 1, 1, len(start))).copy()
        for _ in range(_SWEEPS):
            guess = self._nominal if self._last is None else Corrected(self._nominal, self._last)
            roll(guess, X, U[:, None], self._dt, 0.1 * _TOLERANCE)
            self._last = found = self._expanded(X[:-1, 0], U)
            if abs(self._following - X[1:, 0]).max() <= _TOLERANCE:
                break
        return Corrected(self._nominal, _placed(found, state))

    def _expanded(self, X: Floats, U: Floats) -> Stages:
        """Return what the transition adds to the nominal model about states X (N, n), inputs U."""
        self._write(X, U)
        following, (A, B, _) = self._nominal.linearize(X, U, self._dt)
        added = self._following - following
        slope = np.swapaxes(self._jacobians - np.concatenate([A, B], axis=-1), -1, -2).copy()
        if self._pose:
            east, north, yaw = self._pose
            slope[:, yaw, east] += added[:, north]
            slope[:, yaw, north] -= added[:, east]
            back = -X
            _turn(slope, back[:, None], self._pose)
            _turn(added, back, self._pose)
        return Stages(np.concatenate([X, U], axis=-1)[:, None], added[:, None], slope)


def nominal_of(model: Model) -> Model:
    """Return the model that a learned one is about; of another, itself."""
    return model.energy.model if isinstance(model, EnergyModel) else model


def _pose(model: Model) -> tuple[int, ...]:
    """Return the indices of x, y and yaw, () where there is no heading."""
    names = model.state_names
    return tuple(names.index(name) for name in POSE) if set(POSE) <= set(names) else ()


def _turn(vectors: Array, x: Array, pose: tuple[int, ...]) -> None:
    """Turn x and y of vectors (…, n) by the yaw of states (…, n)."""
    xp = array_namespace(x)
    east, north, yaw = pose
    cos, sin = xp.cos(x[..., yaw]), xp.sin(x[..., yaw])
    ahead, left = vectors[..., east], vectors[..., north]
    turned = cos * ahead - sin * left, sin * ahead + cos * left
    vectors[..., east], vectors[..., north] = turned


def _placed(stages: Stages, like: Tensor) -> Stages:
    """Return them in the type, and the library, that a plan's energy works in where `like` is."""
    tensors = (torch.as_tensor(part, dtype=like.dtype, device=like.device) for part in stages)
    if like.device.type == "cpu":
        return Stages(*(tensor.numpy() for tensor in tensors))
    return Stages(*tensors)
