"""The two steps that a `Filter` is made of, as the EKF takes them and as the energy filter does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ebm_mpc_ros.estimation import ekf, energy_filter
from ebm_mpc_ros.estimation.ekf import Belief, Update
from ebm_mpc_ros.estimation.energy_filter import Ended, EnergyFilterSettings
from ebm_mpc_ros.estimation.particles import Spread, gaussian
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
    from ebm_mpc_ros.estimation.energy_filter import EnergyUpdate
    from ebm_mpc_ros.estimation.particles import Particles
    from ebm_mpc_ros.models import Model
    from ebm_mpc_ros.models.transition import TransitionEnergy


class Recursion(Protocol):
    """From a belief to the next one; the same arguments give the same bits."""

    def check(self, model: Model, noise_density: Matrix) -> None:
        """Raise a ValueError where it can't do with that model and Q_w."""

    def predict(
        self, model: Model, belief: Belief, u: Vector, dt: float, noise_density: Matrix, stamp: int
    ) -> Belief:
        """Return the belief after `dt` seconds, at `stamp` (ns)."""

    def update(self, model: Model, belief: Belief, measurement: Measurement, stamp: int) -> Update:
        """Fuse a measurement into the belief of `stamp` (ns)."""


@dataclass(frozen=True)
class Extended:
    """The extended Kalman filter."""

    def check(self, model: Model, noise_density: Matrix) -> None:
        """Take anything."""

    def predict(
        self,
        model: Model,
        belief: Belief,
        u: Vector,
        dt: float,
        noise_density: Matrix,
        stamp: int,  # noqa: ARG002
    ) -> Belief:
        """Return the belief after `dt` seconds."""
        return ekf.predict(model, belief, u, dt, noise_density)

    def update(
        self,
        model: Model,
        belief: Belief,
        measurement: Measurement,
        stamp: int,  # noqa: ARG002
    ) -> Update:
        """Fuse a measurement."""
        return ekf.update(model, belief, measurement)


class Sampled(Belief):
    """The Gaussian summary of particles, and the particles.

    Attributes:
        particles: They.
        last: What the last measurement did; None before the first, and after a prediction.
    """

    particles: Particles
    last: EnergyUpdate | None = None

    @classmethod
    def of(cls, model: Model, particles: Particles, last: EnergyUpdate | None = None) -> Sampled:
        """Return the belief that they are."""
        made = cls(*gaussian(model, particles))
        made.particles, made.last = particles, last
        return made


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The energy filter, its draws seeded by the stamp.

    A belief without particles, as after the start, is predicted by the EKF, so that it loses no
    width; the first measurement turns it into particles.

    Attributes:
        particles: How many.
        seed: At least 0.
    """

    particles: int = 500
    seed: int = 0

    def check(self, model: Model, noise_density: Matrix) -> None:
        """Refuse noise that a transition energy can't be made of.

        Raises:
            ValueError: It is not positive definite or does not reach all of δ, or `particles` is
                too small.
        """
        self._settings(_energy(model, noise_density))

    def predict(
        self, model: Model, belief: Belief, u: Vector, dt: float, noise_density: Matrix, stamp: int
    ) -> Belief:
        """Return the belief after `dt` seconds."""
        if not isinstance(belief, Sampled):
            return ekf.predict(model, belief, u, dt, noise_density)
        settings = self._settings(_energy(model, noise_density))
        rng = self._draws(stamp, 0)
        return Sampled.of(model, energy_filter.predict(settings, belief.particles, u, dt, rng))

    def update(self, model: Model, belief: Belief, measurement: Measurement, stamp: int) -> Update:
        """Fuse a measurement; where it can't be, NIS is infinite unless it is beyond threshold."""
        if not measurement.rows:
            return ekf.update(model, belief, measurement)
        if isinstance(belief, Sampled):
            before = belief.particles
            settings = self._settings(before.step.energy)
        else:
            settings = self._settings(Spread(model, np.zeros_like(belief.covariance)))
            before = energy_filter.start(settings, belief, self._draws(stamp, 0))
        rng = self._draws(stamp, 1 + len(before.step.measurements))
        result = energy_filter.update(settings, before, measurement, rng)
        accepted = result.ended is Ended.FUSED
        return Update(
            Sampled.of(model, result.particles, result) if accepted else belief,
            result.innovation,
            result.innovation_covariance,
            result.nis if result.ended in (Ended.FUSED, Ended.REJECTED) else np.inf,
            accepted,
        )

    def _settings(self, energy: TransitionEnergy) -> EnergyFilterSettings:
        return EnergyFilterSettings(energy=energy, particles=self.particles)

    def _draws(self, stamp: int, which: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, abs(stamp), which))


def _energy(model: Model, noise_density: Matrix) -> TransitionEnergy:
    """Return the energy that a model is, or that of its own noise."""
    if isinstance(model, EnergyModel):
        return model
    return GaussianTransition(model, noise_density)
