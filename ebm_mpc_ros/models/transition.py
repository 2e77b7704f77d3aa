"""A transition as an energy, E(x', x, u) = -log p(x' | x, u) + constant, its mode and width.

NumPy only. Equations: docs/equations.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.models.base import Jacobians, Model

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MOST_STEPS = 12
_MOST_HALVINGS = 12
# Of the slope in y, where the nominal curvature is 1.
_TOLERANCE = 1e-8
# Of E, relative: below it a rise is rounding.
_ROUNDING = 1e-12
# A standard deviation ten times the nominal one.
_LEAST_CURVATURE = 0.01
# Of the smoothing: what learning with it could not tell from none.
_LEAST_SHARE = 0.25


class Nominal(NamedTuple):
    """What a model says of x' at x and u, and the unit of a step's noise.

    Attributes:
        following: f(x, u, 0) (…, state_size).
        jacobians: Its A, B and W.
        factor: L (…, n, n), with L Lᵀ = W Q_w Wᵀ the covariance of the step's noise.
    """

    following: Floats
    jacobians: Jacobians
    factor: Floats


class PlacedTransition(Protocol):
    """E of x' = f(x, u, 0) ⊞ L y at given x and u, by y (…, n): δ in units of a step's noise.

    Where attitude is a rotation vector, derivatives need hold at y = 0 only.
    """

    @property
    def nominal(self) -> Nominal:
        """What y counts from, and in which units."""

    @property
    def smoothing(self) -> Floats:
        """Variances of y (…, n), or (1,), that E has from its learning and the motion has not."""

    def value(self, y: Floats) -> Floats:
        """Return E (…,)."""

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂E/∂y (…, n) and ∂²E/∂y² (…, n, n)."""

    def cross(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂²E/∂y∂x (…, n, n) and ∂²E/∂y∂u (…, n, m) where ∂E/∂y = 0, with x' held."""


class TransitionEnergy(Protocol):
    """E(x', x, u) over a step, to be asked at many x and u at once."""

    @property
    def model(self) -> Model:
        """The nominal model."""

    def at(self, x: Floats, u: Floats, dt: Any) -> PlacedTransition:
        """Return the energy of x' for states (…, state_size), inputs (…, m), a step of dt (s)."""


class GaussianTransition:
    """E = ½ ‖y‖², y = L⁻¹ (x' ⊟ f(x, u, 0)): the model's own Gaussian noise, L Lᵀ = W Q_w Wᵀ."""

    def __init__(self, model: Model, noise_density: Floats) -> None:
        """Take a model and its Q_w per second (q, q).

        Raises:
            ValueError: Q_w is not symmetric positive definite, or does not reach all of δ.
        """
        n, q = len(model.state_names), len(model.noise_names)
        if n != q:
            raise ValueError(f"the model has {q} noises for {n} error coordinates: must be as many")
        if noise_density.shape != (q, q) or not np.allclose(noise_density, noise_density.T):
            raise ValueError(f"noise_density must be a symmetric matrix ({q}, {q})")
        try:
            self._root = np.linalg.cholesky(noise_density)
        except np.linalg.LinAlgError as error:
            raise ValueError("noise_density must be positive definite") from error
        self.model = model

    def at(self, x: Floats, u: Floats, dt: Any) -> PlacedGaussian:
        """Return the energy of x' for states (…, state_size), inputs (…, m), a step of dt (s)."""
        following, jacobians = self.model.linearize(x, u, dt)
        unit = np.sqrt(np.asarray(dt))[..., None, None] * self._root
        return PlacedGaussian(Nominal(following, jacobians, jacobians.W @ unit))


class PlacedGaussian(NamedTuple):
    """E = ½ ‖y‖²; with x' held y moves by -L⁻¹ A in x and by -L⁻¹ B in u."""

    nominal: Nominal

    @property
    def smoothing(self) -> Floats:
        """None, (1,)."""
        return np.zeros(1)

    def value(self, y: Floats) -> Floats:
        """Return E (…,)."""
        return np.asarray(0.5 * (y * y).sum(-1))

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        """Return y (…, n) and the identity (…, n, n)."""
        return y, np.broadcast_to(np.eye(y.shape[-1]), (*y.shape, y.shape[-1]))

    def cross(self, y: Floats) -> tuple[Floats, Floats]:  # noqa: ARG002
        """Return -L⁻¹ A (…, n, n) and -L⁻¹ B (…, n, m)."""
        (A, B, _), L = self.nominal.jacobians, self.nominal.factor
        return -_solved(L, A), -_solved(L, B)


class Mode(NamedTuple):
    """Where E is least, or y = 0 where that was not found.

    Attributes:
        y: (…, n), in units of noise from the nominal prediction.
        curvature: ∂²E/∂y² there (…, n, n), I where it was not found.
        stiffness: Its eigenvalues (…, n), 0.01 where they are less.
        axes: Its eigenvectors (…, n, n), columns.
        converged: Whether it was found (…,).
    """

    y: Floats
    curvature: Floats
    stiffness: Floats
    axes: Floats
    converged: Flags


class Laplace(NamedTuple):
    """A transition to second order about its mode.

    Attributes:
        delta: Error coordinates (…, n) of the mode from the nominal prediction.
        A: Derivative (…, n, n) of the mode in x.
        B: Derivative (…, n, m) of the mode in u.
        W: With W Q_w Wᵀ = covariance where L Lᵀ of the nominal model is made of Q_w (…, n, q).
        covariance: Laplace's, (…, n, n).
        converged: False (…,) where all of this is the nominal model's, the mode not found.
    """

    delta: Floats
    A: Floats
    B: Floats
    W: Floats
    covariance: Floats
    converged: Flags


def mode(placed: PlacedTransition, guess: Floats | None = None) -> Mode:
    """Return the mode by Newton steps from the nominal prediction, y = 0, or a lower guess.

    A step takes the curvature's eigenvalues by their magnitude, 0.01 at least, so that it descends,
    and is halved until E does not rise. Found is a point of no slope and positive curvature.

    Args:
        placed: The energy.
        guess: Where the mode may be (…, n).
    """
    y: Floats = np.zeros(placed.nominal.factor.shape[:-1])
    least = _LEAST_CURVATURE * np.eye(y.shape[-1])
    # A trial may lie where E overflows: it is taken back.
    with np.errstate(all="ignore"):
        value = placed.value(y)
        if guess is not None:
            y, value = _lower(placed, y, value, guess)
        for _ in range(_MOST_STEPS):
            slope, curvature = placed.slope_and_curvature(y)
            # A factor is sooner had than eigenvalues, and tells that none is too low or no number.
            stiff = _factored(curvature - least)
            # A sum of numbers is one where each is. Of a slope that is none, no step leads down.
            usable = np.isfinite(value if stiff else curvature.sum((-2, -1)) + value)
            if not usable.all():
                curvature = np.where(usable[..., None, None], curvature, np.eye(y.shape[-1]))
            flat = np.abs(slope).max(-1) <= _TOLERANCE
            step, convex = _newton_step(slope, curvature, stiff=stiff)
            found = np.asarray(usable & flat & convex)
            if found.all():
                break
            if found.any():
                step[found] = 0.0
            last = y
            y, value = _descended(placed, y, value, step)
            if np.array_equal(y, last):
                break  # where it stands it would try the same again
    if not found.all():
        y = np.where(found[..., None], y, 0.0)
        curvature = np.where(found[..., None, None], curvature, np.eye(y.shape[-1]))
    eigenvalues, axes = np.linalg.eigh(curvature)
    return Mode(y, curvature, np.maximum(eigenvalues, _LEAST_CURVATURE), axes, found)


def laplace(placed: PlacedTransition, found: Mode | None = None) -> Laplace:
    """Return the mode, its derivatives by the implicit function theorem, and the covariance.

    With C = E_yy⁻¹:  ∂x'/∂x = -L C E_yx, here as A - L C (E_yx + E_yy L⁻¹A) so that a clipped C
    leads to the nominal A and not to 0; covariance L Σ Lᵀ, Σ = C less the smoothing along C's own
    axes, a quarter of the smoothing at least; W = L √Σ L⁻¹ W.

    Args:
        placed: The energy.
        found: Its mode, where that is known.
    """
    y, curvature, stiffness, axes, converged = mode(placed) if found is None else found
    (A, B, W), L = placed.nominal.jacobians, placed.nominal.factor
    n, nm = A.shape[-1], A.shape[-1] + B.shape[-1]
    motion, across, inverse = np.concatenate([A, B], axis=-1), _turned(axes), 1.0 / stiffness
    scaled = _solved(L, np.concatenate([motion, W], axis=-1))
    # What is wrong where no mode was found is left out.
    with np.errstate(all="ignore"):
        mixed = np.concatenate(placed.cross(y), axis=-1)
        C = (axes * inverse[..., None, :]) @ across
        moved = motion - L @ C @ (mixed + curvature @ scaled[..., :nm])
    each = np.where(converged[..., None], placed.smoothing, 0.0)
    smoothing = (axes * axes * each[..., :, None]).sum(-2)
    variance = np.maximum(inverse - smoothing, _LEAST_SHARE * smoothing)
    LS = L @ (axes * np.sqrt(variance)[..., None, :]) @ across
    motion = np.where(converged[..., None, None], moved, motion)
    A, B, W = motion[..., :n], motion[..., n:], LS @ scaled[..., nm:]
    return Laplace(_times(L, y), A, B, W, LS @ _turned(LS), converged)


def _lower(
    placed: PlacedTransition, y: Floats, value: Floats, other: Floats
) -> tuple[Floats, Floats]:
    """Return the lower of two points, and its E."""
    theirs = placed.value(other)
    better = theirs < value
    if better.all():
        return other, theirs
    return np.where(better[..., None], other, y), np.where(better, theirs, value)


def _newton_step(
    slope: Floats, curvature: Floats, *, stiff: bool
) -> tuple[Floats, Flags | np.bool_]:
    """Return a step downhill (…, n), and where the curvature is positive, as where all is stiff."""
    if stiff:
        return -_solved(curvature, slope[..., None])[..., 0], np.True_
    eigenvalues, axes = np.linalg.eigh(curvature)
    size = np.maximum(np.abs(eigenvalues), _LEAST_CURVATURE)
    step = _times(axes / -size[..., None, :], _times(_turned(axes), slope))
    return step, np.asarray(eigenvalues[..., 0] > 0.0)


def _factored(matrices: Floats) -> bool:
    """Return whether all are finite and positive definite."""
    try:
        return bool(np.isfinite(np.linalg.cholesky(matrices).sum()))
    except np.linalg.LinAlgError:
        return False


def _descended(
    placed: PlacedTransition, y: Floats, value: Floats, step: Floats
) -> tuple[Floats, Floats]:
    """Return y + step and its E, each step halved until E does not rise, else left out."""
    most = value + _ROUNDING * (1.0 + np.abs(value))
    for _ in range(_MOST_HALVINGS):
        trial = y + step
        moved = placed.value(trial)
        raised = ~(moved <= most)  # so is what is not a number
        if not raised.any():
            return trial, moved
        step = np.where(raised[..., None], 0.5 * step, step)
    return np.where(raised[..., None], y, trial), np.where(raised, value, moved)


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def _times(matrix: Floats, vector: Floats) -> Floats:
    return np.asarray((matrix @ vector[..., None])[..., 0])


def _turned(matrix: Floats) -> Floats:
    return np.swapaxes(matrix, -1, -2)
