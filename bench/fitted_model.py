"""A differential drive whose command is a state, and what least squares makes of its drives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.models.base import Jacobians, slip_axes
from ebm_mpc_ros.models.diff_drive import DiffDrive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

    Vector = NDArray[np.float64]

MOVING = 5
"""The states that are not exactly known: all but the command."""


class Commanded(DiffDrive):
    """A differential drive with its command as states: what it slips by depends on it.

    By itself the robot does what it is told at once: it moves as `DiffDrive` does.
    """

    state_names = noise_names = (*DiffDrive.state_names, "command_vx", "command_vyaw")
    state_size = 7

    @property
    def output_names(self) -> tuple[str, ...]:
        """All but the command."""
        return DiffDrive.state_names

    def f(self, x: Any, u: Any, dt: Any, w: Any = None) -> Any:
        """Return the next state (…, 7)."""
        moved = super().f(x[..., :MOVING], u, dt)
        following = np.concatenate([moved, x[..., MOVING:] + u * dt], axis=-1)
        return following if w is None else following + (slip_axes(x) @ w[..., None])[..., 0]

    def jacobians(self, x: Any, u: Any, dt: Any) -> Jacobians:
        """Return A, B and W."""
        moved = super().jacobians(x[..., :MOVING], u, dt)
        A, B = np.zeros((*x.shape[:-1], 7, 7)), np.zeros((*x.shape[:-1], 7, 2))
        A[..., :MOVING, :MOVING], B[..., :MOVING, :] = moved.A, moved.B
        for i in range(2):
            A[..., MOVING + i, MOVING + i], B[..., MOVING + i, i] = 1.0, dt
        return Jacobians(A, B, slip_axes(x))

    def h(self, x: Any, v: Any = None) -> Any:
        """Return the outputs (…, 5)."""
        z = x[..., :MOVING]
        return z if v is None else self.plus(z, v)

    def H(self, x: Any) -> Any:
        """Return ∂h/∂δ (…, 5, 7)."""
        return np.broadcast_to(np.eye(MOVING, 7), (*x.shape[:-1], MOVING, 7))

    def innovation(self, z: Any, x: Any) -> Any:
        """Return z ⊟ h(x)."""
        return self.minus(z, x[..., :MOVING])

    def state(self, outputs: Any) -> Any:
        """Return the state (…, 7) whose h is `outputs`, its command 0."""
        return np.concatenate([outputs, np.zeros((*outputs.shape[:-1], 2))], axis=-1)


_TERMS = ("vx", "vyaw", "command_vx", "command_vyaw", "ax", "alpha", "one")


class Fitted(Commanded):
    """The nominal model and a linear map, in the robot's axes, of what it gets wrong over a step.

    x' = f(x, u) ⊞ W M (vx, vyaw, command, u, 1), with the step in s and the numbers of M as the
    model's options. Over another time it is as much of M.
    """

    _entries = tuple(f"{name}_by_{term}" for name in Commanded.state_names for term in _TERMS)
    option_names = ("fitted_step", *_entries)

    def __init__(self, **options: float) -> None:
        """Take the step and the entries of M (7, 7) by name."""
        self.__dict__.update(options)
        entries = np.array([options[name] for name in self._entries]).reshape(7, 7)
        self._map = entries / options["fitted_step"]

    def f(self, x: Any, u: Any, dt: Any, w: Any = None) -> Any:
        """Return the next state (…, 7)."""
        added = (_terms(x, u) @ self._map.T) * dt
        return super().f(x, u, dt, added if w is None else added + w)

    def jacobians(self, x: Any, u: Any, dt: Any) -> Jacobians:
        """Return A, B and W."""
        A, B, W = super().jacobians(x, u, dt)
        by_term = W @ (self._map * dt)
        added = (_terms(x, u) @ self._map.T) * dt
        A[..., 3:] += by_term[..., :4]
        cos, sin = W[..., 0, 0], W[..., 1, 0]
        A[..., 0, 2] -= sin * added[..., 0] + cos * added[..., 1]
        A[..., 1, 2] += cos * added[..., 0] - sin * added[..., 1]
        return Jacobians(A, B + by_term[..., 4:6], W)


class Transitions(NamedTuple):
    """States (k, 7), inputs (k, 2) and the states a step later (k, 7)."""

    states: Vector
    inputs: Vector
    following: Vector


def fit(transitions: Transitions, dt: float) -> Fitted:
    """Return the fit by least squares to steps of `dt` s, its noise what it leaves."""
    wrong, terms = residual(Commanded(), transitions, dt), _terms(*transitions[:2])
    entries = np.linalg.lstsq(terms, wrong, rcond=None)[0].T
    left = wrong - terms @ entries.T
    options = dict(zip(Fitted.option_names[1:], entries.ravel().tolist(), strict=True))
    model = Fitted(fitted_step=dt, **options)
    # The command is exact: as much noise as a training's floor.
    model.noise_density = (left.T @ left / len(left) + 1e-8 * np.eye(7)) / dt
    return model


def residual(model: Model, transitions: Transitions, dt: float) -> Vector:
    """Return W⁻¹ (x' ⊟ f(x, u)) (k, 7): what a model gets wrong, in the robot's axes."""
    x, u, following = transitions
    wrong = model.minus(following, model.f(x, u, dt))
    turned: Vector = np.swapaxes(slip_axes(x), -1, -2) @ wrong[..., None]
    return turned[..., 0]


def _terms(x: Vector, u: Vector) -> Vector:
    return np.concatenate([x[..., 3:], u, np.ones((*x.shape[:-1], 1))], axis=-1)
