"""The energy filter: particles moved by a transition energy, for beliefs that are no Gaussian.

After a measurement the belief is p(x | z) ∝ Σᵢ wᵢ e^{-E(x, xᵢ, u)} / Z(xᵢ, u) · p(z | x). Its steps
are those of the EKF: `start`, `predict`, `update`. Equations: docs/equations.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.belief import covariance_problem
from ebm_mpc_ros.estimation.evidence import Evidence, innovations, problem
from ebm_mpc_ros.estimation.mala import mala
from ebm_mpc_ros.estimation.particles import Particles, Spread, Step, placed
from ebm_mpc_ros.estimation.posterior import Posterior, Settled, settled, times, turned
from ebm_mpc_ros.estimation.weights import effective_sample_size, normalized, systematic

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Belief, Measurement
    from ebm_mpc_ros.estimation.weights import Indices
    from ebm_mpc_ros.models.transition import TransitionEnergy

Floats = NDArray[np.float64]

_FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class EnergyFilterSettings:
    """Settings of an energy filter.

    Attributes:
        energy: The transition.
        particles: How many, K.
        mode_steps: Gauss-Newton steps to an ancestor's mode, at most.
        moves: Langevin steps of a particle after each measurement.
        step_size: Their ε, in units of the width of the ancestor's posterior.
        resample_below: Particles are chosen anew where their effective share is less, before a
            step and after a measurement.
    """

    energy: TransitionEnergy
    particles: int = 500
    mode_steps: int = 4
    moves: int = 2
    step_size: float = 1.0
    resample_below: float = 0.5

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ValueError: A number is out of range.
        """
        for name, least in (("particles", _FEWEST), ("mode_steps", 1), ("moves", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least {least}")
        if not 0.0 < self.step_size < math.inf:
            raise ValueError(f"step_size = {self.step_size}: must be finite, above 0")
        if not 0.0 <= self.resample_below <= 1.0:
            raise ValueError(f"resample_below = {self.resample_below}: must be in [0, 1]")


class Ended(Enum):
    """How an update ended; all but the first leave the belief as it was."""

    FUSED = "fused"
    REFUSED = "refused"
    REJECTED = "rejected"
    IMPOSSIBLE = "impossible"


class Prediction(NamedTuple):
    """What particles expect of a measurement.

    Attributes:
        innovation: Their mean innovation ν (k,).
        innovation_covariance: S (k, k), its covariance over the particles and the noise.
        nis: νᵀ S⁻¹ ν.
    """

    innovation: Floats
    innovation_covariance: Floats
    nis: float


class EnergyUpdate(NamedTuple):
    """What a measurement did.

    Attributes:
        particles: The new belief.
        innovation: Mean innovation (k,) of the particles before.
        innovation_covariance: S (k, k) of these.
        nis: νᵀ S⁻¹ ν; inf where it could not be told.
        ended: How it ended.
        reason: Why it was not fused; empty where it was.
        log_likelihood: log p(z | what came before); -inf where not fused.
        ancestors: How many ancestors the measurement leaves, 1 / Σ w², copies of one as one; NaN
            where not fused.
        draws: How many particles the draws from these are worth, 1 / Σ w²; NaN where not fused.
        acceptance: Of the Langevin steps; NaN where there were none.
    """

    particles: Particles
    innovation: Floats
    innovation_covariance: Floats
    nis: float
    ended: Ended
    reason: str = ""
    log_likelihood: float = -math.inf
    ancestors: float = math.nan
    draws: float = math.nan
    acceptance: float = math.nan


def start(settings: EnergyFilterSettings, belief: Belief, rng: np.random.Generator) -> Particles:
    """Return particles drawn from a Gaussian.

    They are ancestors of covariance (1 - b) P and a step of covariance b P, b = K^(-2/(n+4)), which
    together have P, so that the first measurements can draw particles to where they say.

    Raises:
        ValueError: The belief is not finite, or its P is no covariance.
    """
    x, P = belief
    if not np.isfinite(x).all():
        raise ValueError("state must be finite")
    model, K = settings.energy.model, settings.particles
    n = len(model.state_names)
    wrong = covariance_problem(P, n)
    if wrong:
        raise ValueError(f"covariance {wrong}")
    eigenvalues, axes = np.linalg.eigh(P)
    factor = axes * np.sqrt(np.maximum(eigenvalues, 0.0))
    share = K ** (-2.0 / (n + 4.0))
    delta = math.sqrt(1.0 - share) * rng.standard_normal((K, n)) @ factor.T
    ancestors = model.plus(np.broadcast_to(x, (K, model.state_size)), delta)
    weights = np.full(K, 1.0 / K)
    jitter = Spread(model, math.sqrt(share) * factor)
    u = np.zeros(len(model.input_names))
    return _stepped(settings, jitter, np.asarray(ancestors), weights, u, 0.0, rng)


def predict(
    settings: EnergyFilterSettings,
    particles: Particles,
    u: Floats,
    dt: float,
    rng: np.random.Generator,
) -> Particles:
    """Return the belief after `dt` seconds: a draw of each particle's next state.

    A draw is from Laplace's Gaussian of e^{-E} / Z and weighted by what that lacks. Where the
    weights of steps without a measurement have left too few particles, they are chosen anew first.

    Args:
        settings: Settings.
        particles: The belief at the start.
        u: Input (m,), held over the step.
        dt: Step, s; nothing happens in none.
        rng: The source of the draws.

    Raises:
        ValueError: `u` or `dt` is not finite, or `dt` is negative.
        FloatingPointError: No particle has a finite next state.
    """
    if not np.isfinite(u).all():
        raise ValueError("u must be finite")
    if not 0.0 <= dt < math.inf:
        raise ValueError(f"dt = {dt}: must be finite, at least 0")
    if not dt:
        return particles
    states, weights, source = particles.states, particles.weights, None
    if effective_sample_size(weights) < settings.resample_below * len(weights):
        source = systematic(weights, rng)
        states, weights = states[source], particles.step.even
    return _stepped(settings, settings.energy, states, weights, u, dt, rng, source)


def update(
    settings: EnergyFilterSettings,
    particles: Particles,
    measurement: Measurement,
    rng: np.random.Generator,
) -> EnergyUpdate:
    """Fuse a measurement.

    The step before it is made anew, with all that was measured at its end: ancestors are weighted
    by Laplace's p(z | ancestor) and chosen by it, each particle is drawn from its ancestor's
    Gaussian, weighted by what that lacks, and moved by Langevin steps that leave its ancestor's
    posterior as it is. A measurement beyond its threshold, one that is not finite, or one that no
    particle can explain leaves the belief as it was.
    """
    k = len(measurement.rows)
    if not k:
        return EnergyUpdate(
            particles, np.zeros(0), np.zeros((0, 0)), 0.0, Ended.FUSED, log_likelihood=0.0
        )
    wrong = problem(measurement)
    if wrong:
        unknown = Prediction(np.zeros(k), np.zeros((k, k)), math.inf)
        return EnergyUpdate(particles, *unknown, Ended.REFUSED, wrong)
    prediction = _prediction(settings, particles, measurement)
    if not prediction.nis < math.inf:  # a NaN compares as false
        return EnergyUpdate(particles, *prediction, Ended.REJECTED, "no finite NIS")
    if prediction.nis > measurement.threshold * measurement.threshold:
        reason = "beyond the rejection threshold"
        return EnergyUpdate(particles, *prediction, Ended.REJECTED, reason)
    return _fused(settings, particles, measurement, prediction, rng)


def _stepped(
    settings: EnergyFilterSettings,
    energy: TransitionEnergy,
    ancestors: Floats,
    weights: Floats,
    u: Floats,
    dt: float,
    rng: np.random.Generator,
    source: Indices | None = None,
) -> Particles:
    """Return one draw of each ancestor's next state, before any measurement."""
    model = energy.model
    there = placed(energy, ancestors, u, dt)
    step = Posterior(model, there, Evidence(model, ()))
    y = np.zeros((len(ancestors), len(model.state_names)))
    prior = settled(step, y, settings.mode_steps)
    rho, log_lack = _drawn(step, prior, rng)
    with np.errstate(divide="ignore"):
        after, total = normalized(np.log(weights) + log_lack)
    if total == -math.inf:
        raise FloatingPointError("no particle has a finite next state")
    made = Step(energy, ancestors, weights, source, u, dt, there, prior, (), 0.0)
    return Particles(_states(step, prior, rho, after), after, made)


def _fused(
    settings: EnergyFilterSettings,
    before: Particles,
    measurement: Measurement,
    prediction: Prediction,
    rng: np.random.Generator,
) -> EnergyUpdate:
    """Return the belief after a measurement that is not rejected."""
    model, step = settings.energy.model, before.step
    measurements = (*step.measurements, measurement)
    evidence = Evidence(model, measurements)
    impossible = EnergyUpdate(before, *prediction, Ended.IMPOSSIBLE, "no particle explains it")

    posterior = Posterior(model, step.placed, evidence)
    modes = settled(posterior, step.prior.y, settings.mode_steps)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.log(step.weights) + modes.log_integral - step.prior.log_integral
    weights, log_explained = normalized(explained)
    if log_explained == -math.inf:
        return impossible
    ancestors = effective_sample_size(step.merged(weights))
    fewest = settings.resample_below * len(weights)
    which = np.arange(len(weights))
    if effective_sample_size(weights) < fewest:
        which, weights = systematic(weights, rng), step.even
        posterior, modes = Posterior(model, step.placed_at(which), evidence), modes.of(which)

    rho, log_lack = _drawn(posterior, modes, rng)
    with np.errstate(divide="ignore"):
        weights, log_drawn = normalized(np.log(weights) + log_lack)
    if log_drawn == -math.inf:
        return impossible
    draws = effective_sample_size(weights)
    if draws < fewest:
        chosen, weights = systematic(weights, rng), step.even
        posterior = Posterior(model, step.placed_at(which[chosen]), evidence)
        modes, rho = modes.of(chosen), rho[chosen]

    def energy_and_slope(rho: Floats) -> tuple[Floats, Floats]:
        value, slope = posterior.value_and_slope(modes.at(rho))
        return value, times(turned(modes.root), slope)

    rho, acceptance = mala(
        energy_and_slope, rho, step_size=settings.step_size, steps=settings.moves, rng=rng
    )
    log_likelihood = log_explained + log_drawn - evidence.scale
    after = step._replace(measurements=measurements, log_likelihood=log_likelihood)
    return EnergyUpdate(
        Particles(_states(posterior, modes, rho, weights), weights, after),
        *prediction,
        ended=Ended.FUSED,
        log_likelihood=log_likelihood - step.log_likelihood,
        ancestors=ancestors,
        draws=draws,
        acceptance=acceptance,
    )


def _drawn(posterior: Posterior, modes: Settled, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return draws ρ (K, n) of Laplace's Gaussians in their units, and what log U lacks (K,).

    The latter is log of e^{-U} over the Gaussian with its peak: 0 where U is quadratic.
    """
    rho = rng.standard_normal(modes.y.shape)
    y = modes.at(rho)
    with np.errstate(all="ignore"):
        log_lack = modes.value - posterior.value(y) + 0.5 * (rho * rho).sum(-1)
        finite = np.isfinite(posterior.state(y)).all(-1)
    return rho, np.where(finite, log_lack, -np.inf)


def _states(posterior: Posterior, modes: Settled, rho: Floats, weights: Floats) -> Floats:
    """Return the states (K, state_size) of ρ; one that is not finite weighs nothing."""
    with np.errstate(all="ignore"):
        states = posterior.state(modes.at(rho))
    lost = ~np.isfinite(states).all(-1)
    if lost.any():
        states[lost] = states[int(weights.argmax())]
    return states


def _prediction(
    settings: EnergyFilterSettings, particles: Particles, measurement: Measurement
) -> Prediction:
    """Return what the particles expected of a measurement, to second order."""
    weights = particles.weights
    # Far off everything overflows: then there is no NIS.
    with np.errstate(all="ignore"):
        each, _ = innovations(settings.energy.model, particles.states, measurement)
        apart = each - each[0]  # first, so that far away they stay apart
        shift = weights @ apart
        innovation, apart = each[0] + shift, apart - shift
        S = (apart * weights[:, None]).T @ apart + measurement.covariance
        try:
            nu = np.linalg.solve(np.linalg.cholesky(S), innovation)
        except np.linalg.LinAlgError:
            return Prediction(innovation, S, math.inf)
        return Prediction(innovation, S, float(nu.dot(nu)))
