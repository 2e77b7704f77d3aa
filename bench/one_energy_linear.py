"""A linear robot with Gaussian noise: its energy learned, and the limits that are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from report import Figure

# Only `report` puts the package on the path.
# isort: split
import numpy as np
import torch
from torch import nn

from ebm_mpc_ros.energy.score_matching import denoising, implicit, rademacher, sliced
from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import EnergyFilterSettings, predict, start, update
from ebm_mpc_ros.estimation.particles import gaussian
from ebm_mpc_ros.models import Jacobians, Model
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition, Nominal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float64]

_DT = 0.1
_TRANSITIONS = 100_000
_DRIVE = 10
_RADII = (0.98, 1.02)
"""Of A's spectrum: a system that is stable, and one that is not."""
_SIGMA = 0.3
"""Noise of denoising, in deviations of the step's own, by the geometric mean of its axes."""
_VARIANCES = {"strong": 1e-4, "medium": 0.1, "weak": 100.0}
_WITHIN = 5.0


class System(NamedTuple):
    """x' = A x + B u + noise of a covariance."""

    A: Floats
    B: Floats
    covariance: Floats


class Linear(Model):
    """A `System` as a robot; its noise has the covariance of I dt."""

    state_names = noise_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    state_size = 4

    def __init__(self, system: System) -> None:
        """Take the system."""
        self._system = system
        self._W = np.linalg.cholesky(system.covariance / _DT)

    def f(self, x: Any, u: Any, dt: Any, w: Any = None) -> Any:  # noqa: ARG002
        """Return the next state (…, 4)."""
        following = x @ self._system.A.T + u @ self._system.B.T
        return following if w is None else following + w @ self._W.T

    def jacobians(self, x: Any, u: Any, dt: Any) -> Jacobians:  # noqa: ARG002
        """Return A, B, W."""
        parts = (self._system.A, self._system.B, self._W)
        return Jacobians(*(np.broadcast_to(part, (*x.shape[:-1], *part.shape)) for part in parts))


class QuadraticTransition:
    """E = ½ rᵀ Λ r, r = x' - A x - B u, told from a nominal model that stands still.

    So its mode has to be sought, and A, B and the covariance come of nothing but E.
    """

    def __init__(self, system: System) -> None:
        """Take A, B and Λ⁻¹."""
        self.model: Model = Linear(_STANDING)
        self._system = system
        self._precision = np.asarray(np.linalg.inv(system.covariance), dtype=np.float64)

    def at(self, x: Floats, u: Floats, dt: Any) -> _PlacedQuadratic:
        """Return the energy of x' at x and u."""
        following, jacobians = self.model.linearize(x, u, dt)
        A, B, _ = self._system
        offset: Floats = following - x @ A.T - u @ B.T
        nominal = Nominal(following, jacobians, jacobians.W * dt**0.5)
        return _PlacedQuadratic(nominal, offset, self._system, self._precision)


class _PlacedQuadratic(NamedTuple):
    nominal: Nominal
    offset: Floats
    system: System
    precision: Floats
    smoothing: Floats = np.zeros(())

    def value(self, y: Floats) -> Floats:
        r = y + self.offset
        return np.asarray(0.5 * ((r @ self.precision) * r).sum(-1))

    def slope_and_curvature(self, y: Floats) -> tuple[Floats, Floats]:
        slope = (y + self.offset) @ self.precision
        return slope, np.broadcast_to(self.precision, (*y.shape, y.shape[-1]))

    def cross(self, y: Floats) -> tuple[Floats, Floats]:
        parts = (-self.precision @ self.system.A, -self.precision @ self.system.B)
        by_x, by_u = (np.broadcast_to(part, (*y.shape[:-1], *part.shape)) for part in parts)
        return by_x, by_u


_STANDING = System(np.eye(4), np.zeros((4, 2)), np.eye(4))


class QuadraticEnergy(nn.Module):
    """E = ½ yᵀ Λ y - yᵀ N c, that of y - G c with N = Λ G but for what y doesn't change.

    In Λ and N a loss of its score is quadratic; in Λ and G it is level where Λ is singular, and a
    search ends there. Parameters are in units of y and c.
    """

    def __init__(self, y: Tensor, c: Tensor) -> None:
        """Begin without motion, as wide as y is."""
        super().__init__()
        self._of_y, self._of_c = y.std(dim=0), c.std(dim=0)
        self.M = nn.Parameter(0.5 * torch.eye(y.shape[1], dtype=y.dtype))
        self.N = nn.Parameter(torch.zeros(y.shape[1], c.shape[1], dtype=y.dtype))

    def score(self, y: Tensor, c: Tensor, sigma: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return -∂E/∂y."""
        return ((c / self._of_c) @ self.N.mT - (y / self._of_y) @ (self.M + self.M.mT)) / self._of_y

    def score_and_laplacian(self, y: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return -∂E/∂y and ΔE."""
        trace = (2.0 * self.M.diagonal() / self._of_y.square()).sum()
        return self.score(y, c), trace.expand(len(y))

    def system(self, added: float = 0.0) -> System:
        """Return what was learned, less the variance of added noise."""
        with torch.no_grad():
            covariance = torch.linalg.inv(self.M + self.M.mT)
            gain = ((covariance @ self.N) * self._of_y[:, None] / self._of_c).numpy()
            smoothed = (covariance * self._of_y * self._of_y[:, None]).numpy()
        return System(gain[:, :4], gain[:, 4:], smoothed - added * np.eye(4))


def linear(*, quick: bool) -> list[Figure]:
    """Return how well an energy is learned, and how exact the exact limits are."""
    seeds = 1 if quick else 3
    return [*_learning(seeds), *_exact(seeds), *_sampled(4 if quick else 20)]


def system(radius: float, seed: int) -> System:
    """Return a random system with the noise of all its states correlated."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(4, 4))
    W = np.eye(4) + 0.4 * rng.normal(size=(4, 4))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    return System(A, rng.normal(size=(4, 2)), W @ np.diag([0.3, 0.1, 0.2, 0.05]) @ W.T)


def driven(truth: System, seed: int) -> tuple[Floats, Floats]:
    """Return x' (k, 4) and c = (x, u) (k, 6) of short drives with random inputs."""
    rng, drives = np.random.default_rng(seed), _TRANSITIONS // _DRIVE
    x, model, rows = rng.normal(size=(drives, 4)), Linear(truth), []
    for _ in range(_DRIVE):
        u = rng.normal(size=(drives, 2))
        following = model.f(x, u, _DT, np.sqrt(_DT) * rng.normal(size=x.shape))
        rows.append((following, np.column_stack((x, u))))
        x = following
    y, c = (np.concatenate(part) for part in zip(*rows, strict=True))
    return y, c


def _learning(seeds: int) -> list[Figure]:
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for radius in _RADII:
        for seed in range(seeds):
            truth = system(radius, seed)
            for name, learned in _learned(truth, seed):
                found.setdefault(name, []).append((*_off(learned, truth), _gain(learned, truth)))
    worst = {name: 100.0 * np.max(rows, axis=0) for name, rows in found.items()}
    figures = []
    for name, (A, B, Q, gain) in worst.items():
        bar = None if name == "least squares" else 2.0
        of = f"of {len(_RADII) * seeds} systems, each the worst"
        figures += [
            Figure(f"{name}: A, B, Q_w off", max(A, B, Q), "%", bar, f"{A:.2f}, {B:.2f}, {Q:.2f}"),
            Figure(f"{name}: Kalman gain off", gain, "%", None, of),
        ]
    return figures


def _learned(truth: System, seed: int) -> Iterator[tuple[str, System]]:
    """Yield what each way of learning makes of the same transitions."""
    following, condition = driven(truth, seed)
    gain = np.asarray(np.linalg.lstsq(condition, following, rcond=None)[0].T, dtype=np.float64)
    rest = following - condition @ gain.T
    yield "least squares", System(gain[:, :4], gain[:, 4:], rest.T @ rest / len(rest))
    y, c = torch.from_numpy(following), torch.from_numpy(condition)
    generator = torch.Generator().manual_seed(seed)
    probes = rademacher(1, y, generator)
    noise = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    # Each draw with its opposite: what is left of chance between noise and data cancels.
    noise, smoothed, given = torch.cat([noise, -noise]), torch.cat([y, y]), torch.cat([c, c])
    variance = _SIGMA**2 * float(np.exp(np.linalg.slogdet(truth.covariance)[1] / len(truth.A)))
    sigma = torch.full_like(smoothed[:, 0], variance**0.5)

    def of_smoothed(energy: QuadraticEnergy) -> Tensor:
        return denoising(energy.score, smoothed, given, sigma, noise)

    energy = _fitted(y, c, lambda energy: implicit(energy.score_and_laplacian, y, c))
    yield "implicit score matching", energy.system()
    energy = _fitted(y, c, lambda energy: sliced(energy.score, y, c, probes))
    yield "sliced score matching", energy.system()
    yield "denoising score matching", _fitted(smoothed, given, of_smoothed).system(variance)


def _fitted(y: Tensor, c: Tensor, loss: Callable[[QuadraticEnergy], Tensor]) -> QuadraticEnergy:
    energy = QuadraticEnergy(y, c)
    optimiser = torch.optim.LBFGS(
        energy.parameters(),
        max_iter=500,
        history_size=100,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(energy).mean()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return energy


def _off(learned: System, truth: System) -> tuple[float, float, float]:
    """Return relative Frobenius distances of A, B and the covariance."""
    A, B, Q = (
        float(np.linalg.norm(one - other) / np.linalg.norm(other))
        for one, other in zip(learned, truth, strict=True)
    )
    return A, B, Q


_SEEN = (0, 2)
_START = Belief(np.array([0.4, -0.3, 1.0, 0.2]), np.diag([1.0, 0.5, 0.3, 0.6]))


def _gain(learned: System, truth: System) -> float:
    """Return how far the EKF's gain on a learned energy is off the Kalman filter's, relative."""
    model, noise = EnergyModel(QuadraticTransition(learned)), np.eye(4)
    A, _, Q = truth
    P, belief, R, C = _START.covariance, _START, 0.1 * np.eye(2), np.eye(4)[list(_SEEN)]
    for _ in range(100):
        belief = ekf.predict(model, belief, np.zeros(2), _DT, noise)
        gain = belief.covariance @ C.T @ np.linalg.inv(C @ belief.covariance @ C.T + R)
        belief = ekf.update(model, belief, _measured(np.zeros(2), R)).belief
        P = A @ P @ A.T + Q
        exact = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
        P = P - exact @ C @ P
    return float(np.linalg.norm(gain - exact) / np.linalg.norm(exact))


def _measured(values: Floats, R: Floats) -> Measurement:
    return Measurement(0, "odom0", _SEEN, values, R)


def _exact(seeds: int) -> list[Figure]:
    """Return how far the EKF on the exact energy is off the Kalman filter, over 200 steps."""
    apart = 0.0
    for radius in _RADII:
        for seed in range(seeds):
            truth, rng = system(radius, seed), np.random.default_rng(seed)
            A, B, Q = truth
            model, C, R = EnergyModel(QuadraticTransition(truth)), np.eye(4)[list(_SEEN)], np.eye(2)
            (x, P), belief = _START, _START
            for _ in range(200):
                u, z = rng.normal(size=2), rng.normal(size=2)
                x, P = A @ x + B @ u, A @ P @ A.T + Q
                K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
                x, P = x + K @ (z - C @ x), (np.eye(4) - K @ C) @ P
                belief = ekf.predict(model, belief, u, _DT, np.eye(4))
                belief = ekf.update(model, belief, _measured(z, R)).belief
                state, covariance = belief
                apart = max(apart, np.abs(state - x).max(), np.abs(covariance - P).max())
    return [Figure("EKF on the exact energy, off the Kalman filter", apart, "", 1e-8)]


def _sampled(rounds: int) -> list[Figure]:
    """Return how far the energy filter is off the Kalman filter, in sampling errors."""
    truth = system(_RADII[0], 0)
    settings = EnergyFilterSettings(
        energy=GaussianTransition(Linear(truth), np.eye(4)), particles=4000
    )
    figures = []
    for name, variance in _VARIANCES.items():
        off = [_sampling_errors(settings, variance, seed) for seed in range(rounds)]
        mean, covariance, gain = (np.concatenate(part) for part in zip(*off, strict=True))
        words = ", ".join(
            f"{what} {np.sqrt(np.mean(part**2)):.2f}"
            for what, part in (("mean", mean), ("covariance", covariance), ("gain", gain))
        )
        worst = max(float(np.abs(part).max()) for part in (mean, covariance, gain))
        figures.append(
            Figure(
                f"energy filter, {name} measurement, off the Kalman filter",
                worst,
                "sampling errors",
                _WITHIN,
                f"rms: {words}",
            )
        )
    return figures


def _sampling_errors(
    settings: EnergyFilterSettings, variance: float, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Return what mean, covariance and gain are off, each by its own sampling error.

    The gain is how far the mean goes with z, over two standard deviations of the first innovation.
    """
    model, R = settings.energy.model, variance * np.eye(2)
    prior = ekf.predict(model, _START, np.zeros(2), _DT, np.eye(4))
    S = prior.covariance[np.ix_(_SEEN, _SEEN)] + R
    means, wanted, off = [], [], []
    for sign in (1.0, -1.0):
        rng = np.random.default_rng(seed)
        z = prior.state[list(_SEEN)] + sign * np.array([np.sqrt(S[0, 0]), 0.0])
        before = predict(settings, start(settings, _START, rng), np.zeros(2), _DT, rng)
        result = update(settings, before, _measured(z, R), rng)
        found = gaussian(model, result.particles)
        exact = ekf.update(model, prior, _measured(z, R)).belief
        worth, P = min(result.ancestors, result.draws), exact.covariance
        deviation = np.sqrt(P.diagonal() / worth)
        spread = np.sqrt((np.outer(P.diagonal(), P.diagonal()) + P * P) / worth)
        off.append(((found.state - exact.state) / deviation, (found.covariance - P) / spread))
        means.append(found.state)
        wanted.append(exact.state)
    # Two runs with the same draws: their chance is at most that of two apart.
    apart = (means[0] - means[1]) - (wanted[0] - wanted[1])
    (mean, covariance), _ = off
    return mean, covariance[np.triu_indices(4)], apart / (np.sqrt(2.0) * deviation)
