"""A transition energy as a state-space model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models.base import Jacobians, Model
from ebm_mpc_ros.models.transition import Laplace, PlacedTransition, laplace, mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.models.transition import TransitionEnergy

Floats = NDArray[np.float64]


class EnergyModel(Model):
    """x' = the mode of E(·, x, u), A and B its derivatives, W Q_w Wᵀ Laplace's covariance.

    All else is the nominal model's, and so is the motion where the mode is not found. Q_w is that
    which the energy's nominal noise L Lᵀ = W Q_w Wᵀ is made of. NumPy only.
    """

    def __init__(self, energy: TransitionEnergy) -> None:
        """Take the energy."""
        self.energy = energy
        self._base = base = energy.model
        self.state_names, self.input_names = base.state_names, base.input_names
        self.noise_names, self.state_size = base.noise_names, base.state_size
        # Where every state is its own error coordinate, a heading stays continuous.
        self._plain = base.state_size == len(base.state_names)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the nominal model's outputs."""
        return self._base.output_names

    @property
    def model(self) -> Model:
        """The nominal model."""
        return self._base

    def at(self, x: Floats, u: Floats, dt: Any) -> PlacedTransition:
        """Return the energy of x' for states (…, state_size), inputs (…, m), a step of dt (s)."""
        return self.energy.at(x, u, dt)

    def transition(self, x: Floats, u: Floats, dt: Any) -> Laplace:
        """Return the mode, its derivatives and covariance, and where they were found."""
        return laplace(self.energy.at(x, u, dt))

    def f(self, x: Floats, u: Floats, dt: Any, w: Floats | None = None) -> Floats:
        """Return the mode of the next state (…, state_size)."""
        placed = self.energy.at(x, u, dt)
        if w is not None:
            found = laplace(placed)
            return self._moved(placed, found.delta + (found.W @ w[..., None])[..., 0])
        return self._moved(placed, (placed.nominal.factor @ mode(placed).y[..., None])[..., 0])

    def jacobians(self, x: Floats, u: Floats, dt: Any) -> Jacobians:
        """Return A, B and W of the mode."""
        return self.linearize(x, u, dt)[1]

    def linearize(self, x: Floats, u: Floats, dt: Any) -> tuple[Floats, Jacobians]:
        """Return the mode and its Jacobians."""
        placed = self.energy.at(x, u, dt)
        found = laplace(placed)
        return self._moved(placed, found.delta), Jacobians(found.A, found.B, found.W)

    def plus(self, x: Any, delta: Any) -> Any:
        """Return x ⊞ δ of the nominal model."""
        return self._base.plus(x, delta)

    def minus(self, a: Any, b: Any) -> Any:
        """Return a ⊟ b of the nominal model."""
        return self._base.minus(a, b)

    def h(self, x: Any, v: Any = None) -> Any:
        """Return the nominal model's outputs."""
        return self._base.h(x, v)

    def H(self, x: Any) -> Any:
        """Return the nominal model's H."""
        return self._base.H(x)

    def V(self, x: Any) -> Any:
        """Return the nominal model's V."""
        return self._base.V(x)

    def innovation(self, z: Any, x: Any) -> Any:
        """Return the nominal model's innovation."""
        return self._base.innovation(z, x)

    def state(self, outputs: Any) -> Any:
        """Return the nominal model's state of such outputs."""
        return self._base.state(outputs)

    def residual(self, x: Any, rows: Sequence[int], values: Any) -> Any:
        """Return the nominal model's innovation of the outputs `rows`."""
        return self._base.residual(x, rows, values)

    def residual_jacobian(self, x: Any, rows: Sequence[int]) -> Any:
        """Return the rows of the nominal model's H that go with `residual`."""
        return self._base.residual_jacobian(x, rows)

    def spread(self, x: Any, covariance: Any) -> Any:
        """Return the covariance of the nominal model's outputs."""
        return self._base.spread(x, covariance)

    def origin(self) -> tuple[float, ...]:
        """Return the nominal model's state at rest."""
        return self._base.origin()

    def _moved(self, placed: PlacedTransition, delta: Floats) -> Floats:
        following = placed.nominal.following
        return following + delta if self._plain else np.asarray(self._base.plus(following, delta))
