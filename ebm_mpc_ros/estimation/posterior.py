"""The energy of a step after measurements, per ancestor: its mode, its width, draws from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models.transition import times, turned

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.evidence import Evidence
    from ebm_mpc_ros.models import Model
    from ebm_mpc_ros.models.transition import PlacedTransition

Floats = NDArray[np.float64]

_MOST_HALVINGS = 8
# Nats that a step would gain, below which it is not made.
_ENOUGH = 1e-6
# A standard deviation ten times that of the step's noise.
_LEAST_CURVATURE = 0.01


class Posterior:
    """U(y) = E(y) + ½ ‖e(x)‖² of K steps, x = f ⊞ L y: -log p(x, z | ancestor) + constants."""

    def __init__(self, model: Model, placed: PlacedTransition, evidence: Evidence) -> None:
        """Take the transitions of K ancestors, and what was measured since."""
        self._model, self._placed, self._evidence = model, placed, evidence
        self._following, _, self._factor = placed.nominal

    def state(self, y: Floats) -> Floats:
        """Return the states (K, state_size) of y (K, n)."""
        return np.asarray(self._model.plus(self._following, times(self._factor, y)))

    def value(self, y: Floats) -> Floats:
        """Return U (K,)."""
        value = self._placed.value(y)
        if self._evidence.size:
            e = self._evidence.residual(self.state(y))
            value = value + 0.5 * (e * e).sum(-1)
        return value

    def value_and_slope(self, y: Floats) -> tuple[Floats, Floats]:
        """Return U (K,) and ∂U/∂y (K, n)."""
        value, (slope, _) = self._placed.value(y), self._placed.slope_and_curvature(y)
        if self._evidence.size:
            e, G = self._linearized(y)
            value = value + 0.5 * (e * e).sum(-1)
            slope = slope - times(turned(G), e)
        return value, slope

    def expansion(self, y: Floats) -> tuple[Floats, Floats, Floats]:
        """Return U (K,), its slope (K, n), and its curvature after Gauss and Newton (K, n, n)."""
        value, (slope, curvature) = self._placed.value(y), self._placed.slope_and_curvature(y)
        if self._evidence.size:
            e, G = self._linearized(y)
            value = value + 0.5 * (e * e).sum(-1)
            slope = slope - times(turned(G), e)
            curvature = curvature + turned(G) @ G
        return value, slope, curvature

    def _linearized(self, y: Floats) -> tuple[Floats, Floats]:
        e, H = self._evidence.linearized(self.state(y))
        return e, H @ self._factor


class Settled(NamedTuple):
    """U to second order about its mode, or as near to it as the steps led.

    Attributes:
        y: (K, n).
        value: U there (K,); inf where U is not finite.
        root: T (K, n, n), T Tᵀ the inverse curvature, eigenvalues clipped where they must be.
        log_width: log |T| (K,): e^{-value + log_width} is Laplace's ∫ e^{-U} dy / (2π)^{n/2}.
    """

    y: Floats
    value: Floats
    root: Floats
    log_width: Floats

    @property
    def log_integral(self) -> Floats:
        """Logarithm of Laplace's ∫ e^{-U} dy / (2π)^{n/2} (K,)."""
        return self.log_width - self.value

    def at(self, rho: Floats) -> Floats:
        """Return the y (K, n) that lie ρ (K, n) in units of the width from the modes."""
        return self.y + times(self.root, rho)

    def of(self, which: NDArray[np.intp]) -> Settled:
        """Return those of the indices `which` (K,)."""
        return Settled(*(part[which] for part in self))


def settled(posterior: Posterior, y: Floats, most_steps: int) -> Settled:
    """Return the mode by Gauss-Newton steps from `y`, each halved until U does not rise."""
    # A trial may lie where U overflows: it is taken back.
    with np.errstate(all="ignore"):
        for left in range(most_steps, -1, -1):
            value, slope, curvature = posterior.expansion(y)
            usable = np.isfinite(value) & np.isfinite(slope).all(-1)
            usable &= np.isfinite(curvature).all((-2, -1))
            if not usable.all():
                value = np.where(usable, value, np.inf)
                slope = np.where(usable[:, None], slope, 0.0)
                curvature = np.where(usable[:, None, None], curvature, np.eye(y.shape[-1]))
            root, log_width = _inverse_root(curvature)
            along = times(turned(root), slope)
            moves = (along * along).sum(-1) > _ENOUGH
            if not left or not moves.any():
                return Settled(y, value, root, log_width)
            step = np.where(moves[:, None], -times(root, along), 0.0)
            y = _descended(posterior, y, value, step)
    raise AssertionError  # the last pass returns


def _descended(posterior: Posterior, y: Floats, value: Floats, step: Floats) -> Floats:
    """Return y + step, each step halved until U does not rise, else left out."""
    most = value + _ENOUGH
    for _ in range(_MOST_HALVINGS):
        raised = ~(posterior.value(y + step) <= most)  # so is what is not a number
        if not raised.any():
            return y + step
        step = np.where(raised[:, None], 0.5 * step, step)
    return np.where(raised[:, None], y, y + step)


def _inverse_root(curvature: Floats) -> tuple[Floats, Floats]:
    """Return T (K, n, n), T Tᵀ = curvature⁻¹, and log |T| (K,).

    Where a curvature is not well positive, eigenvalues count by magnitude, 0.01 at least.
    """
    try:
        M: Floats = np.asarray(np.linalg.cholesky(curvature), dtype=np.float64)
        pivots = np.diagonal(M, axis1=-2, axis2=-1)
        positive = bool((pivots * pivots >= _LEAST_CURVATURE).all())
    except np.linalg.LinAlgError:
        positive = False
    if positive:
        return turned(_inverted(M)), -np.log(pivots).sum(-1)
    eigenvalues, axes = np.linalg.eigh(curvature)
    size = np.maximum(np.abs(eigenvalues), _LEAST_CURVATURE)
    return axes / np.sqrt(size)[:, None, :], -0.5 * np.log(size).sum(-1)


def _inverted(M: Floats) -> Floats:
    """Return inverses of lower triangles (K, n, n), row by row: faster than one by one."""
    inverse = np.zeros_like(M)
    for i in range(M.shape[-1]):
        inverse[:, i, i] = 1.0
        if i:
            inverse[:, i, :i] = -(M[:, i, None, :i] @ inverse[:, :i, :i])[:, 0]
        inverse[:, i] /= M[:, i, i, None]
    return inverse
