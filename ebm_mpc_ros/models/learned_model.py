"""A learned transition over any time, by steps of the one that it was learned at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models.base import Jacobians
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import Nominal, PlacedGaussian, laplace, mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.models.learned_transition import LearnedTransition, PlacedLearned
    from ebm_mpc_ros.models.transition import PlacedTransition

Floats = NDArray[np.float64]

# Of a step: what stamps and sums of floats are off by.
_ROUNDING = 1e-3
# So long a way takes as long to compute as a few ticks do.
_MOST_STEPS = 100


class LearnedModel(EnergyModel):
    """The mode of a learned transition: as many whole steps of it as fit, and a part of one.

    Over a part of a step the robot moves as the nominal model has it, and by that part of the
    correction which was learned of the whole. Over several steps A, B and the covariance are
    chained, and W is a root of the latter. What remains of a time after 100 whole steps is the
    nominal model's.
    """

    energy: LearnedTransition

    def __init__(self, energy: LearnedTransition) -> None:
        """Take the energy; its noise over a step is Q_w."""
        super().__init__(energy)
        self._density = energy.variance / energy.dt
        self.step, self.noise_density = energy.dt, np.diag(self._density)

    def at(self, x: Floats, u: Floats, dt: float) -> PlacedTransition:
        """Return the energy over any time.

        It is the one that was learned where that is no Gaussian and the time is one whole step,
        with the smoothing of the learning in it, and else Gaussian.
        """
        if self._spans(dt) == [self.energy.dt] and not self.energy.gaussian:
            return self.energy.at(x, u, self.energy.dt)
        following, jacobians = self.linearize(x, u, dt)
        factor = jacobians.W * np.sqrt(self._density * dt)
        return PlacedGaussian(Nominal(following, jacobians, factor))

    def f(self, x: Floats, u: Floats, dt: float, w: Floats | None = None) -> Floats:
        """Return the state (…, state_size) after one time for all."""
        if w is not None:
            following, jacobians = self.linearize(x, u, dt)
            return np.asarray(following + (jacobians.W @ w[..., None])[..., 0])
        for span in self._spans(dt):
            nominal, placed = self.energy.model.f(x, u, span), self._placed(x, u, span)
            if placed is None:
                x = nominal
            else:
                share = span / self.energy.dt * placed.nominal.factor
                x = nominal + (share @ mode(placed).y[..., None])[..., 0]
        return x

    def linearize(self, x: Floats, u: Floats, dt: float) -> tuple[Floats, Jacobians]:
        """Return f and its Jacobians, after one time for all."""
        spans = self._spans(dt)
        x, (A, B, W) = self._linearized(x, u, spans[0])
        if len(spans) == 1:
            return x, Jacobians(A, B, W)
        Q = np.diag(self._density)
        covariance = W @ (spans[0] * Q) @ _turned(W)
        for span in spans[1:]:
            x, (by_x, by_u, W) = self._linearized(x, u, span)
            A, B = by_x @ A, by_x @ B + by_u
            covariance = by_x @ covariance @ _turned(by_x) + W @ (span * Q) @ _turned(W)
        W = np.linalg.cholesky(covariance / dt) / np.sqrt(self._density)
        return x, Jacobians(A, B, np.asarray(W))

    def linearizer(self, dt: float, following: Floats, stages: Floats) -> Callable[..., None]:
        """Return a function of (x, u) that writes f(x, u, 0) and [A B].

        Newton steps of a stage start from the mode that the next stage had at the last call, for a
        controller asks about its last plan, shifted by a step.
        """
        n, spans = len(self.state_names), self._spans(dt)
        kept: list[Floats | None] = [None] * len(spans)

        def write(x: Floats, u: Floats) -> None:
            A, B = stages[..., :n], stages[..., n:]
            for k, span in enumerate(spans):
                if span == self.energy.dt:
                    placed, guess = self.energy.at(x, u, span), kept[k]
                    found = mode(placed, guess)
                    kept[k] = np.concatenate([found.y[1:], found.y[-1:]])
                    moved = laplace(placed, found)
                    x, by_x, by_u = self._moved(placed, moved.delta), moved.A, moved.B
                else:
                    x, (by_x, by_u, _) = self._linearized(x, u, span)
                A[...], B[...] = (by_x @ A, by_x @ B + by_u) if k else (by_x, by_u)
            following[...] = x

        return write

    def _linearized(self, x: Floats, u: Floats, span: float) -> tuple[Floats, Jacobians]:
        placed = self._placed(x, u, span)
        if placed is None:
            return self.energy.model.linearize(x, u, span)
        found = laplace(placed)
        if span == self.energy.dt:
            return self._moved(placed, found.delta), Jacobians(found.A, found.B, found.W)
        share, whole = span / self.energy.dt, placed.nominal.jacobians
        following, (A, B, _) = self.energy.model.linearize(x, u, span)
        A, B = A + share * (found.A - whole.A), B + share * (found.B - whole.B)
        return following + share * found.delta, Jacobians(A, B, found.W)

    def _placed(self, x: Floats, u: Floats, span: float) -> PlacedLearned | None:
        """Return the energy of the whole step that `span` is (a part of), None if it is longer."""
        return self.energy.at(x, u, self.energy.dt) if span <= self.energy.dt else None

    def _spans(self, dt: float) -> list[float]:
        """Return the whole steps of a time (s), and the rest of it if there is one."""
        step = self.energy.dt
        count = min(int(dt / step + _ROUNDING), _MOST_STEPS)
        rest = dt - count * step
        spans = [step] * count
        return spans if spans and abs(rest) <= _ROUNDING * step else [*spans, rest]


def _turned(matrix: Floats) -> Floats:
    return np.swapaxes(matrix, -1, -2)
