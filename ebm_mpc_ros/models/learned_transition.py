"""A learned transition energy about a nominal model. NumPy only; equations: docs/equations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models.gaussian_network import GaussianNetwork
from ebm_mpc_ros.models.transition import Nominal

if TYPE_CHECKING:
    from ebm_mpc_ros.models.base import Model
    from ebm_mpc_ros.models.gaussian_network import PlacedGaussianNetwork
    from ebm_mpc_ros.models.silu_network import PlacedNetwork, SiluNetwork

Floats = NDArray[np.float64]

_POSE = ("x", "y", "yaw")
_PROBES = 8


class Support(NamedTuple):
    """Where there was data: conditions c for which r = ‖(c - centre) factor‖ is at most `reach`.

    Attributes:
        centre: (C,).
        factor: (C, C), factor factorᵀ the inverse of the conditions' covariance.
        reach: Mahalanobis distance within which the training's conditions lay.
    """

    centre: Floats
    factor: Floats
    reach: float

    def trust(self, c: Floats) -> tuple[Floats, Floats]:
        """Return α = exp(-d²/2) (…,), d = max(0, r - reach), and ∂α/∂c (…, C)."""
        offset = (c - self.centre) @ self.factor
        square = (offset * offset).sum(-1)
        if (square <= self.reach * self.reach).all():
            return np.ones_like(square), np.zeros_like(offset)
        distance = np.sqrt(square)
        beyond = np.maximum(distance - self.reach, 0.0)
        trust = np.exp(-0.5 * beyond * beyond)
        # Where it is 0 it is within reach, and 0/0 would not be.
        share = trust * beyond / np.maximum(distance, self.reach)
        return trust, -share[..., None] * (offset @ self.factor.T)


class LearnedTransition:
    """E = ½ ‖y‖² + α(c) g(y, c), g = f + ½ (κ - 1) ‖y‖², over a step of `dt`.

    y = L⁻¹ (x' ⊟ f_nom(x, u, 0)) with L = W √variance, c the state but for place and heading, and
    the input. What was learned is E at α = 1, f + ½ κ ‖y‖²; far from the data E is the nominal
    model's.

    Attributes:
        model: The nominal model, of a robot on a plane.
        dt: The step, s.
        variance: Of the nominal noise w over a step (q,).
    """

    def __init__(
        self,
        model: Model,
        network: SiluNetwork | GaussianNetwork,
        support: Support,
        *,
        dt: float,
        variance: Floats,
        smoothing: Floats | float = 0.0,
        confinement: float = 1.0,
    ) -> None:
        """Take what was learned.

        Args:
            model: The nominal model.
            network: f, of y (n,) and of c as it is, not normalised.
            support: Where it was learned.
            dt: The step that it was learned at, s.
            variance: Of the noise w over a step (q,), above 0.
            smoothing: σ, or one for each coordinate (n,): learned is the energy of y + σ z,
                z ~ N(0, I).
            confinement: κ.

        Raises:
            ValueError: The sizes differ, or the noise is none that goes with a heading.
        """
        n, m = len(model.state_names), len(model.input_names)
        condition = [i for i, name in enumerate(model.state_names) if name not in _POSE]
        conditions = len(condition) + m
        for name, found, wanted in (
            ("error coordinates", model.state_size, n),
            ("noises", len(model.noise_names), n),
            ("variances", variance.size, n),
            ("variables", network.variables, n),
            ("conditions", network.conditions, conditions),
            ("conditions of the support", support.centre.size, conditions),
        ):
            if found != wanted:
                raise ValueError(f"there are {found} {name}: must be {wanted}")
        for what, numbers, allowed in (
            ("each variance", variance, "finite, above 0"),
            ("confinement", np.asarray(confinement), "finite, above 0"),
            ("each smoothing", np.asarray(smoothing) + np.finfo(float).tiny, "finite, at least 0"),
        ):
            with np.errstate(over="ignore"):
                usable = (numbers > 0.0) & np.isfinite(numbers * numbers)
            if not usable.all():
                raise ValueError(f"{what} must be {allowed}")
        self.model, self.dt, self.variance = model, dt, variance
        self._network, self._support = network, support
        self._deviation, self._quadratic = np.sqrt(variance), confinement - 1.0
        self._smoothing = np.broadcast_to(np.asarray(smoothing) ** 2, (n,))
        self._places = _Places(tuple(condition), _pose(model, dt))

    @property
    def gaussian(self) -> bool:
        """Whether E is quadratic in y."""
        return isinstance(self._network, GaussianNetwork)

    def at(self, x: Floats, u: Floats, dt: Any) -> PlacedLearned:
        """Return the energy of x' for states (…, n), inputs (…, m).

        Raises:
            ValueError: The step is another one.
        """
        if dt != self.dt:
            raise ValueError(f"dt is {dt}, the energy is that of a step of {self.dt} s")
        following, jacobians = self.model.linearize(x, u, dt)
        nominal = Nominal(following, jacobians, jacobians.W * self._deviation)
        c = np.concatenate([x[..., list(self._places.condition)], u], axis=-1)
        trust, slope = self._support.trust(c)
        stiffness, network = 1.0 + self._quadratic * trust, self._network.at(c)
        smoothing = self._smoothing * trust[..., None]
        return PlacedLearned(
            nominal, network, trust, slope, stiffness, self._quadratic, self._places, smoothing
        )


class _Places(NamedTuple):
    """Where in the state there is what c begins with, and x, y, yaw if L turns with yaw."""

    condition: tuple[int, ...]
    pose: tuple[int, ...]


class PlacedLearned(NamedTuple):
    """The energy of x' at given x and u.

    Attributes:
        nominal: What y counts from, and in which units.
        network: f(·, c).
        trust: α (…,).
        trust_slope: ∂α/∂c (…, C).
        stiffness: Of the quadratic, 1 + (κ - 1) α (…,).
        quadratic: κ - 1.
        places: Of c and of the pose among the states.
        smoothing: α σ² (…, n).
    """

    nominal: Nominal
    network: PlacedNetwork | PlacedGaussianNetwork
    trust: Floats
    trust_slope: Floats
    stiffness: Floats
    quadratic: float
    places: _Places
    smoothing: Floats

    def value(self, y: Floats) -> Floats:
        """Return E (…,)."""
        square = 0.5 * self.stiffness * (y * y).sum(-1)
        return np.asarray(square + self.trust * self.network.value(y))

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂E/∂y (…, n) and ∂²E/∂y² (…, n, n)."""
        slope, curvature = self.network.slope_and_curvature(y)
        trust = self.trust[..., None]
        stiffness = self.stiffness[..., None]
        whole = trust[..., None] * curvature
        # A view of the diagonals.
        whole.reshape(*trust.shape[:-1], -1)[..., :: y.shape[-1] + 1] += stiffness
        return trust * slope + stiffness * y, whole

    def cross(self, y: Floats) -> tuple[Floats, Floats]:
        """Return ∂²E/∂y∂x (…, n, n) and ∂²E/∂y∂u (…, n, m) where ∂E/∂y = 0, with x' held.

        x' = f_nom(x, u, 0) + L(x) y moves y by -L⁻¹ (A + ∂(L y)/∂x) in x and by -L⁻¹ B in u, and
        c moves with both.
        """
        (A, B, _), L = self.nominal.jacobians, self.nominal.factor
        if self.places.pose:
            east, north, yaw = self.places.pose
            shift, A = (L @ y[..., None])[..., 0], A.copy()
            A[..., east, yaw] -= shift[..., north]
            A[..., north, yaw] += shift[..., east]
        n, known = A.shape[-1], len(self.places.condition)
        moved = np.linalg.solve(L, np.concatenate([A, B], axis=-1))
        both = -self.slope_and_curvature(y)[1] @ moved
        slope = self.network.slope_and_curvature(y)[0] + self.quadratic * y
        by_c = self.trust[..., None, None] * self.network.mixed(y)
        by_c += slope[..., :, None] * self.trust_slope[..., None, :]
        both[..., list(self.places.condition)] += by_c[..., :known]
        both[..., n:] += by_c[..., known:]
        return both[..., :n], both[..., n:]


def _pose(model: Model, dt: float) -> tuple[int, ...]:
    """Return the indices of x, y, yaw where the noise of x and y turns with yaw, () where it stays.

    Raises:
        ValueError: It does something else.
    """
    rng, n = np.random.default_rng(0), len(model.state_names)
    x, u = rng.normal(size=(_PROBES, n)), rng.normal(size=(_PROBES, len(model.input_names)))
    W = model.jacobians(x, u, dt).W
    if np.allclose(W, W[0]):
        return ()
    pose = tuple(model.state_names.index(name) for name in _POSE if name in model.state_names)
    if len(pose) == len(_POSE):
        east, north, yaw = pose
        turn = np.broadcast_to(np.eye(n), W.shape).copy()
        turn[:, east, east] = turn[:, north, north] = np.cos(x[:, yaw])
        turn[:, north, east] = np.sin(x[:, yaw])
        turn[:, east, north] = -turn[:, north, east]
        ahead = np.swapaxes(turn, -1, -2) @ W
        if np.allclose(ahead, ahead[0]):
            return pose
    raise ValueError("the noise's axes W must be constant, or turn with yaw as those of x and y")
