"""What plans sampled from exp(-J / T) are where all is linear and quadratic: LQR, at every T."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from report import Figure

# Only `report` puts the package on the path.
# isort: split
import numpy as np
import torch

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.energy.risk_seeking import RiskSeekingPlanner
from ebm_mpc_ros.models import Jacobians, Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.energy.outcome import Plan

    Floats = NDArray[np.float64]

_TEMPERATURES = (0.02, 0.2, 2.0, 20.0)
_N, _DT = 6, 0.25
_A = np.array([[1.05, 0.2, 0.0], [-0.1, 0.9, 0.3], [0.0, 0.2, 0.8]])
_B = np.array([[0.1, 0.0], [0.5, -0.2], [0.0, 0.7]])
_W = np.array([[1.0, 0.2, 0.0], [0.0, 0.7, -0.3], [0.1, 0.0, 1.2]])
_DENSITY = 1e-3 * np.array([[2.0, 0.4, 0.0], [0.4, 1.0, -0.2], [0.0, -0.2, 3.0]])
_SIGMA = _W @ _DENSITY @ _W.T * _DT
_Q, _Q_N, _R = np.diag([2.0, 0.3, 1.0]), np.diag([7.0, 1.5, 0.5]), np.diag([0.4, 0.9])
_X0 = np.array([1.5, -0.7, 0.4])
_FREE = math.inf
_COST = PlanCost(
    state_weight=tuple(_Q.diagonal()),
    terminal_weight=tuple(_Q_N.diagonal()),
    input_weight=tuple(_R.diagonal()),
    state_lower=(-_FREE,) * 3,
    state_upper=(_FREE,) * 3,
    input_lower=(-_FREE,) * 2,
    input_upper=(_FREE,) * 2,
)
_ERRORS = 5.0
"""Bound of the largest of 12 to 700 errors, each in units of its sampling error."""
_EXACT = 1e-8
_REACH = 20.0
"""Of the states that gains are told from, in √T: so that they stand out of the draws' width."""


class _Linear(Model):
    """x' = A x + B u + W w."""

    state_names = ("vx", "vy", "vyaw")
    input_names = ("ax", "alpha")
    noise_names = state_names
    state_size = 3

    def f(self, x: Any, u: Any, dt: Any, w: Any = None) -> Any:  # noqa: ARG002
        after = x @ _A.T + u @ _B.T
        return after if w is None else after + w @ _W.T

    def jacobians(self, x: Any, u: Any, dt: Any) -> Jacobians:  # noqa: ARG002
        shape = x.shape[:-1]
        return Jacobians(*(np.broadcast_to(M, (*shape, *M.shape)).copy() for M in (_A, _B, _W)))


def plans(*, quick: bool) -> list[Figure]:
    """Return how far draws, plans and gains are from theory, over three decades of T."""
    chains = 1_000 if quick else 4_000
    means, covariances, gains, relative, published = [], [], [], [], []
    for temperature in _TEMPERATURES:
        mean, covariance = _planned(temperature, chains)
        means.append(mean)
        covariances.append(covariance)
        gain, off, exact = _gains(temperature, chains)
        gains.append(gain)
        relative.append(off)
        published.append(exact)
    modes, joint = zip(*(_joint(temperature, chains) for temperature in _TEMPERATURES), strict=True)
    lqr, risky = _riccati(0.0), [_riccati(1.0 / temperature) for temperature in _TEMPERATURES]
    apart = [np.linalg.norm(gain - lqr) / np.linalg.norm(lqr) for gain in risky]
    span = f"T from {_TEMPERATURES[0]:g} to {_TEMPERATURES[-1]:g}, {chains} chains"
    unit = "sampling errors"
    return [
        Figure("sampled plans: mean from -inv(H) F x0", max(means), unit, _ERRORS, span),
        Figure("sampled plans: covariance from T inv(H)", max(covariances), unit, _ERRORS, span),
        Figure(
            "sampled plans: first gain from Riccati's",
            max(gains),
            unit,
            _ERRORS,
            f"{100.0 * max(relative):.2g} % of it at most",
        ),
        Figure("published plan: first gain from Riccati's, relative", max(published), "", _EXACT),
        Figure(
            "states and inputs: mode from risk-seeking Riccati's, relative",
            max(modes),
            "",
            _EXACT,
            f"which is {100.0 * min(apart):.2g} to {100.0 * max(apart):.2g} % from the LQR's",
        ),
        Figure("states and inputs: draws from their Gaussian", max(joint), unit, _ERRORS, span),
    ]


def _settings(temperature: float, chains: int, seed: int) -> PlannerSettings:
    return PlannerSettings(
        horizon=_N,
        dt=_DT,
        chains=chains,
        steps=30,
        adapt_steps=30,
        temperature=temperature,
        fresh_share=0.0,
        fresh_temperature=20.0 * temperature,
        fresh_steps=0,
        shown=chains,
        seed=seed,
    )


def _plan(planner: Planner | RiskSeekingPlanner, state: Floats) -> Plan:
    """Return the second of two plans, whose chains come from the first, made for -`state`."""
    for start in (-state, state):
        plan = planner.plan(start, np.zeros((_N + 1, 3)), np.zeros((0, 3)))
    return plan


def _drawn(plan: Plan) -> Floats:
    """Return the inputs (K, N m) of the chains, which their states tell where nothing disturbs."""
    X = plan.sample_states
    inputs = (X[:, 1:] - X[:, :-1] @ _A.T) @ np.linalg.pinv(_B).T
    return inputs.reshape(len(X), -1)


def _condensed() -> tuple[Floats, Floats]:
    """Return H and F of J = ½ UᵀHU + UᵀF x0 + …, from powers of A."""
    H, F = np.kron(np.eye(_N), _R), np.zeros((2 * _N, 3))
    for k in range(1, _N + 1):
        powers = [np.linalg.matrix_power(_A, k - 1 - i) @ _B for i in range(k)]
        G = np.hstack([*powers, np.zeros((3, 2 * (_N - k)))])
        weighted = G.T @ (_Q_N if k == _N else _Q)
        H += weighted @ G
        F += weighted @ np.linalg.matrix_power(_A, k)
    return H, F


def _riccati(inverse_temperature: float) -> Floats:
    """Return the first gain by P = Q + Aᵀ (P'⁻¹ + B R⁻¹ Bᵀ + Σ_w / T)⁻¹ A; at 1/T = 0 the LQR's."""
    P = _Q_N
    for _ in range(_N):
        spread = np.linalg.inv(P) + _SIGMA * inverse_temperature
        M = np.linalg.inv(spread)
        gain = np.linalg.solve(_R + _B.T @ M @ _B, _B.T @ M @ _A)
        P = _Q + _A.T @ np.linalg.solve(spread + _B @ np.linalg.solve(_R, _B.T), _A)
    return gain


def _errors(standard: Floats) -> tuple[float, float]:
    """Return the largest errors of mean and covariance of draws (K, d) that should be N(0, I)."""
    error = 1.0 / math.sqrt(len(standard))
    eye = np.eye(standard.shape[1])
    size = np.where(eye > 0.0, math.sqrt(2.0) * error, error)
    covariance = np.abs(np.cov(standard.T) - eye) / size
    return float(np.abs(standard.mean(0)).max() / error), float(covariance.max())


def _planned(temperature: float, chains: int) -> tuple[float, float]:
    H, F = _condensed()
    planner = Planner(_Linear(), _COST, _settings(temperature, chains, 0), dtype=torch.float64)
    off = _drawn(_plan(planner, _X0)) + np.linalg.solve(H, F @ _X0)
    return _errors(off @ np.linalg.cholesky(H) / math.sqrt(temperature))


def _gains(temperature: float, chains: int) -> tuple[float, float, float]:
    """Return the error of the draws' gain, in sampling errors and relative, and the plan's."""
    reach, runs = _REACH * math.sqrt(temperature), []
    for seed, axis in enumerate(np.eye(3), 1):
        settings = _settings(temperature, chains, seed)
        planner = Planner(_Linear(), _COST, settings, dtype=torch.float64)
        runs.append(_plan(planner, reach * axis))
    lqr = _riccati(0.0)
    drawn = -np.column_stack([_drawn(plan)[:, :2].mean(0) for plan in runs]) / reach
    told = -np.column_stack([plan.inputs[0] for plan in runs]) / reach
    spread = np.linalg.inv(_condensed()[0]).diagonal()[:2]
    deviation = np.sqrt(spread / chains) / _REACH
    off, exact = drawn - lqr, told - lqr
    return (
        float(np.abs(off / deviation[:, None]).max()),
        float(np.linalg.norm(off) / np.linalg.norm(lqr)),
        float(np.linalg.norm(exact) / np.linalg.norm(lqr)),
    )


def _joint(temperature: float, chains: int) -> tuple[float, float]:
    """Return the relative error of the joint mode's first input, and that of its drawn states."""
    planner = RiskSeekingPlanner(
        _Linear(),
        _COST,
        _settings(temperature, chains, 4),
        noise_density=_DENSITY,
        dtype=torch.float64,
    )
    plan = _plan(planner, _X0)
    wanted = -_riccati(1.0 / temperature) @ _X0
    mean, covariance = _states(temperature)
    states = plan.sample_states[:, 1:].reshape(chains, -1)
    standard = np.linalg.solve(np.linalg.cholesky(covariance), (states - mean).T).T
    off = np.linalg.norm(plan.inputs[0] - wanted) / np.linalg.norm(wanted)
    return float(off), max(_errors(standard))


def _states(temperature: float) -> tuple[Floats, Floats]:
    """Return mean and covariance of the states under Σ ½ ‖x' - A x - B u‖² in Σ_w⁻¹ + J / T."""
    inputs, size = 2 * _N, 5 * _N
    places = [slice(inputs + 3 * k, inputs + 3 * k + 3) for k in range(_N)]
    H, g = np.zeros((size, size)), np.zeros(size)
    H[:inputs, :inputs] = np.kron(np.eye(_N), _R) / temperature
    for k, place in enumerate(places):
        H[place, place] += (_Q_N if k == _N - 1 else _Q) / temperature
        row = np.zeros((3, size))
        row[:, place], row[:, 2 * k : 2 * k + 2] = np.eye(3), -_B
        if k:
            row[:, places[k - 1]] = -_A
        H += row.T @ np.linalg.solve(_SIGMA, row)
        g += row.T @ np.linalg.solve(_SIGMA, np.zeros(3) if k else _A @ _X0)
    return np.linalg.solve(H, g)[inputs:], np.linalg.inv(H)[inputs:, inputs:]
