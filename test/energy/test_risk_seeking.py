"""States and inputs sampled at once: the limit is risk-seeking control, not the LQR."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from plan_problems import Q_N, X0, A, B, Q, R
from plan_problems import QUADRATIC as COST

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import PlannerSettings
from ebm_mpc_ros.energy.risk_seeking import ChosenNoise, RiskSeekingPlanner, risk_seeking
from ebm_mpc_ros.models import Jacobians, Model, load_model

INF = math.inf
N, CHAINS, DT = 6, 2000, 0.25
TEMPERATURES = [0.02, 0.5, 20.0]
W = np.array([[1.0, 0.2, 0.0], [0.0, 0.7, -0.3], [0.1, 0.0, 1.2]])
DENSITY = 1e-3 * np.array([[2.0, 0.4, 0.0], [0.4, 1.0, -0.2], [0.0, -0.2, 3.0]])
SIGMA = W @ DENSITY @ W.T * DT
STILL, NONE = np.zeros((N + 1, 3)), np.zeros((0, 3))


class Linear(Model):
    """x' = A x + B u + W w."""

    state_names = ("vx", "vy", "vyaw")
    input_names = ("ax", "alpha")
    noise_names = state_names
    state_size = 3

    def f(self, x, u, dt, w=None):
        after = x @ A.T + u @ B.T
        return after if w is None else after + w @ W.T

    def jacobians(self, x, u, dt):
        shape = x.shape[:-1]
        return Jacobians(*(np.broadcast_to(M, (*shape, *M.shape)).copy() for M in (A, B, W)))


def planner(temperature, density=DENSITY, **changes):
    settings = PlannerSettings(
        horizon=N, dt=DT, chains=16, temperature=temperature, fresh_temperature=20.0 * temperature
    )
    return RiskSeekingPlanner(
        Linear(),
        COST,
        replace(settings, **changes),
        noise_density=density,
        dtype=torch.float64,
    )


def riccati(temperature):
    """Return the first gain and P of P = Q + Aᵀ (P'⁻¹ + B R⁻¹ Bᵀ + Σ_w / T)⁻¹ A."""
    P = Q_N
    for _ in range(N):
        M = np.linalg.inv(np.linalg.inv(P) + SIGMA / temperature)
        gain = np.linalg.solve(R + B.T @ M @ B, B.T @ M @ A)
        spread = np.linalg.inv(P) + B @ np.linalg.solve(R, B.T) + SIGMA / temperature
        P = Q + A.T @ np.linalg.solve(spread, A)
    return gain, P


def joint(temperature):
    """Return mode and covariance of (U, X) under Σ ½ ‖x' - A x - B u‖² in Σ_w⁻¹ + J / T."""
    inputs, size = 2 * N, 5 * N
    places = [slice(inputs + 3 * k, inputs + 3 * k + 3) for k in range(N)]
    H, g = np.zeros((size, size)), np.zeros(size)
    H[:inputs, :inputs] = np.kron(np.eye(N), R) / temperature
    for k, place in enumerate(places):
        H[place, place] += (Q_N if k == N - 1 else Q) / temperature
        row = np.zeros((3, size))
        row[:, place], row[:, 2 * k : 2 * k + 2] = np.eye(3), -B
        rest = A @ X0 if k == 0 else np.zeros(3)
        if k:
            row[:, places[k - 1]] = -A
        H += row.T @ np.linalg.solve(SIGMA, row)
        g += row.T @ np.linalg.solve(SIGMA, rest)
    return np.linalg.solve(H, g), np.linalg.inv(H)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_mode_is_the_risk_seeking_riccati_solution(temperature):
    plan = planner(temperature).plan(X0, STILL, NONE)
    gain, P = riccati(temperature)
    np.testing.assert_allclose(plan.inputs[0], -gain @ X0, rtol=1e-8)
    assert plan.energy == pytest.approx(0.5 * X0 @ P @ X0, rel=1e-8)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_mode_is_that_of_states_and_inputs(temperature):
    plan = planner(temperature).plan(X0, STILL, NONE)
    np.testing.assert_allclose(plan.inputs.reshape(-1), joint(temperature)[0][: 2 * N], atol=1e-8)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_draws_have_the_mean_and_the_covariance_of_states_and_inputs(temperature):
    one = planner(temperature, chains=CHAINS, shown=CHAINS, steps=40, adapt_steps=15, fresh_steps=0)
    plan = one.plan(X0, STILL, NONE)
    mode, covariance = joint(temperature)
    states = plan.sample_states[:, 1:].reshape(CHAINS, -1)
    root = np.linalg.cholesky(covariance[2 * N :, 2 * N :])
    standard = np.linalg.solve(root, (states - mode[2 * N :]).T)
    error = 1 / math.sqrt(CHAINS)
    np.testing.assert_allclose(standard.mean(1), 0.0, atol=5 * error)
    size = np.where(np.eye(3 * N), math.sqrt(2) * error, error)
    assert (np.abs(np.cov(standard) - np.eye(3 * N)) < 5 * size).all()


def test_it_counts_on_noise_and_the_lqr_does_not():
    gains = [riccati(temperature)[0] for temperature in (*TEMPERATURES, 1e12)]
    sizes = [np.linalg.norm(gain) for gain in gains]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.9 * sizes[-1]


def test_without_noise_it_is_the_lqr():
    plan = planner(0.02, np.zeros((3, 3))).plan(X0, STILL, NONE)
    np.testing.assert_allclose(plan.inputs[0], -riccati(1e12)[0] @ X0, rtol=1e-8)


def test_the_states_of_a_plan_are_those_of_its_inputs_without_noise():
    plan = planner(0.02).plan(X0, STILL, NONE)
    x = X0
    for i, u in enumerate(plan.inputs):
        x = A @ x + B @ u
        np.testing.assert_allclose(plan.states[i + 1], x, atol=1e-12)


@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni"])
def test_the_score_is_the_slope_where_axes_of_noise_turn_with_the_robot(name):
    robot = load_model(name)
    n, m = robot.state_size, len(robot.input_names)
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return 0.3 * torch.randn(shape, generator=generator, dtype=torch.float64)

    cost = PlanCost(
        state_weight=(1.0,) * n,
        terminal_weight=(2.0,) * n,
        input_weight=(0.5,) * m,
        state_lower=(-INF,) * n,
        state_upper=(INF,) * n,
        input_lower=(-1.0,) * m,
        input_upper=(1.0,) * m,
    )
    density = np.diag(np.linspace(0.1, 0.5, n))
    energy = PlanEnergy(
        ChosenNoise(robot, density),
        risk_seeking(cost, 0.1, n),
        0.1,
        state=draw(n),
        reference=draw(N + 1, n),
        obstacles=torch.tensor([[0.3, 0.1, 0.2]], dtype=torch.float64),
    )
    x, way = draw(5, N * (m + n)), 1e-5 * draw(N * (m + n))
    score = energy.energy_and_score(x)[1]
    change = energy.energy_and_score(x + way)[0] - energy.energy_and_score(x - way)[0]
    torch.testing.assert_close(change, -2.0 * score @ way, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("density", [np.eye(2), np.triu(np.ones((3, 3))), -np.eye(3)])
def test_a_noise_density_that_is_none_is_refused(density):
    with pytest.raises(ValueError, match="noise_density"):
        planner(0.1, density)


def test_a_refused_state_gives_no_plan():
    plan = planner(0.1).plan(X0 * math.nan, STILL, NONE)
    assert not plan.usable
    assert plan.inputs.shape == (N, 2)
