"""A belief made of weighted states, and the step that brought them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.ekf import Belief
from ebm_mpc_ros.estimation.weights import effective_sample_size
from ebm_mpc_ros.models.base import Jacobians
from ebm_mpc_ros.models.transition import Nominal, PlacedGaussian

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Measurement
    from ebm_mpc_ros.estimation.posterior import Settled
    from ebm_mpc_ros.estimation.weights import Indices
    from ebm_mpc_ros.models import Model
    from ebm_mpc_ros.models.transition import PlacedTransition, TransitionEnergy

Floats = NDArray[np.float64]

# The mean of states is where their mean error is least; angles need a few passes.
_MOST_PASSES = 10
_STANDS = 1e-9


class Step(NamedTuple):
    """The step from ancestors to the present, and all that was measured at its end.

    Attributes:
        energy: Its transition energy.
        ancestors: States at its start (K, state_size).
        weights: Theirs (K,).
        source: Which of the particles before the step each is (K,); None where it is its own.
        u: Input (m,).
        dt: Its length, s.
        placed: The energy at the ancestors.
        prior: Its modes, before any measurement.
        measurements: Those fused since.
        log_likelihood: Theirs, given what came before.
    """

    energy: TransitionEnergy
    ancestors: Floats
    weights: Floats
    source: Indices | None
    u: Floats
    dt: float
    placed: PlacedTransition
    prior: Settled
    measurements: tuple[Measurement, ...]
    log_likelihood: float

    @property
    def even(self) -> Floats:
        """Weights (K,) that are all the same."""
        return np.full_like(self.weights, 1.0 / len(self.weights))

    def merged(self, weights: Floats) -> Floats:
        """Return weights (K,) of the ancestors with those of copies as one."""
        if self.source is None:
            return weights
        return np.asarray(np.bincount(self.source, weights), dtype=np.float64)

    def placed_at(self, which: Indices) -> PlacedTransition:
        """Return the energy at the ancestors `which` (K,)."""
        if isinstance(self.placed, PlacedGaussian):  # of a learned model far sooner than anew
            following, (A, B, W), factor = self.placed.nominal
            jacobians = Jacobians(A[which], B[which], W[which])
            return PlacedGaussian(Nominal(following[which], jacobians, factor[which]))
        return placed(self.energy, self.ancestors[which], self.u, self.dt)


class Particles(NamedTuple):
    """A belief over states.

    Attributes:
        states: (K, state_size).
        weights: (K,), with the sum 1.
        step: What they were drawn from.
    """

    states: Floats
    weights: Floats
    step: Step

    @property
    def effective_sample_size(self) -> float:
        """1 / Σ w²."""
        return effective_sample_size(self.weights)


class Spread:
    """The energy of x' ~ x ⊞ N(0, L Lᵀ), which is no motion."""

    def __init__(self, model: Model, factor: Floats) -> None:
        """Take L (n, n)."""
        self.model, self._factor = model, factor

    def at(self, x: Floats, u: Floats, dt: float) -> PlacedGaussian:  # noqa: ARG002
        """Return the energy of x' for states (K, state_size); `u` and `dt` count for nothing."""
        n = len(self.model.state_names)
        eye = np.broadcast_to(np.eye(n), (len(x), n, n))
        B = np.zeros((len(x), n, len(self.model.input_names)))
        factor = np.broadcast_to(self._factor, (len(x), n, n))
        return PlacedGaussian(Nominal(x, Jacobians(eye, B, eye), factor))


def placed(energy: TransitionEnergy, x: Floats, u: Floats, dt: float) -> PlacedTransition:
    """Return an energy at states (K, state_size) and one input (m,)."""
    # What overflows is left out where particles are drawn.
    with np.errstate(all="ignore"):
        return energy.at(x, np.broadcast_to(u, (len(x), len(u))), dt)


def gaussian(model: Model, particles: Particles) -> Belief:
    """Return mean and covariance: the m of which Σ w (x ⊟ m) = 0, and Σ w (x ⊟ m)(x ⊟ m)ᵀ."""
    states, weights, _ = particles
    mean = states[int(weights.argmax())]
    for _ in range(_MOST_PASSES):
        delta = model.minus(states, mean)
        shift = weights @ delta
        if not np.abs(shift).max() > _STANDS:
            break
        mean = model.plus(mean, shift)
    delta = model.minus(states, mean)
    return Belief(np.asarray(mean), (delta * weights[:, None]).T @ delta)
