"""What the nominal model leaves over of a transition, in units of its own noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.learning.conditions import input_units
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.models.learned_transition import conditioned

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.contract import Contract
    from ebm_mpc_ros.learning.recording import Floats
    from ebm_mpc_ros.models import Model

_UNITS = {
    **dict.fromkeys(("vx", "vy", "command_vx"), "m/s"),
    **dict.fromkeys(("vyaw", "command_vyaw"), "rad/s"),
    "steering": "rad",
}
_WELL_KNOWN = 0.99
_JITTER = 1e-6


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The noise that residuals are measured by.

    Attributes:
        density: Diagonal of Q_w per second, (q,).
        floor: Variance added to each of it over a step.

    Raises:
        ValueError: A number is negative, or both are 0.
    """

    density: tuple[float, ...]
    floor: float

    def __post_init__(self) -> None:
        if not all(value >= 0.0 for value in self.density):
            raise ValueError(f"density is {self.density}, must be 0 or more each")
        if not self.floor >= 0.0 or not all(value + self.floor > 0.0 for value in self.density):
            raise ValueError(f"floor is {self.floor}, must be above 0 where density is 0")

    def factor(self, W: Floats, dt: float) -> Floats:
        """Return L (…, n, n), L Lᵀ = W (Q_w dt + floor I) Wᵀ, from W (…, n, n).

        L = W √(Q_w dt + floor I) turns with the robot's axes, which a triangular one would not.
        """
        return W * np.sqrt(np.array(self.density) * dt + self.floor)


def residuals(
    model: Model, noise: Noise, dt: float, x: Floats, u: Floats, following: Floats
) -> Floats:
    """Return y = L⁻¹ (x' ⊟ f(x, u, 0)) (k, n), standard normal where the model is right.

    Raises:
        DataError: The model's noise is not one number for each of its error coordinates.
    """
    n = len(model.state_names)
    if len(model.noise_names) != n or len(noise.density) != n:
        raise DataError(
            f"the noise has {len(noise.density)} numbers, of the model's {len(model.noise_names)} "
            f"for {n} error coordinates: all three must be equal"
        )
    nominal, jacobians = model.linearize(x, u, dt)
    delta = np.asarray(model.minus(following, nominal))
    return np.asarray(np.linalg.solve(noise.factor(jacobians.W, dt), delta[..., None])[..., 0])


def fitted_noise(
    model: Model, floor: float, dt: float, x: Floats, u: Floats, following: Floats
) -> Noise:
    """Return the noise under which each residual of those transitions has mean square 1.

    Raises:
        DataError: The model's noise is not one number for each of its error coordinates.
    """
    unit = Noise(density=(1.0 / dt,) * len(model.noise_names), floor=0.0)
    own = residuals(model, unit, dt, x, u, following)
    return Noise(density=tuple((np.mean(own**2, axis=0) / dt).tolist()), floor=floor)


def learned_names(contract: Contract) -> tuple[str, ...]:
    """Return the states of a transition whose residuals were learned, in order.

    Raises:
        ValueError: They are none of the states.
    """
    names = contract.details.get("learned", contract.state_names)
    if (
        not isinstance(names, list | tuple)
        or not names
        or not set(names) <= {*contract.state_names}
    ):
        raise ValueError(f"learned is {names!r}, must be some of {contract.state_names}")
    return tuple(name for name in contract.state_names if name in names)


def transition_condition(model: Model, x: Floats, u: Floats) -> Floats:
    """Return c (…, C): the state without the robot's place and heading, and the input."""
    return np.concatenate([x[..., list(conditioned(model))], u], axis=-1)


def transition_units(model: Model) -> dict[str, str]:
    """Return the units of the columns of `transition_condition`, by their names in order.

    Raises:
        DataError: The model is not one of a robot on a plane.
    """
    states = [model.state_names[i] for i in conditioned(model)]
    strange = [name for name in states if name not in _UNITS]
    if strange or model.state_size != len(model.state_names):
        raise DataError(f"the model's states {', '.join(strange)} are not those of a planar robot")
    return {**{name: _UNITS[name] for name in states}, **input_units(model)}


def support(conditions: Floats) -> tuple[Floats, float]:
    """Return how far normalised conditions (k, C) reach: F (C, C) and the 99 % quantile of ‖c F‖.

    F Fᵀ is the inverse of their covariance, so that ‖c F‖ is the Mahalanobis distance.
    """
    covariance = np.atleast_2d(np.cov(conditions.T)) + _JITTER * np.eye(conditions.shape[1])
    factor = np.linalg.cholesky(np.linalg.inv(covariance))
    distance = np.linalg.norm(conditions @ factor, axis=1)
    return factor, float(np.quantile(distance, _WELL_KNOWN))
