"""The linear-quadratic limit of planning: optimum, sampled plans and first gain at any T."""

import math

import numpy as np
import pytest
import torch
from plan_problems import Q_N, X0, A, B, Q, R
from plan_problems import QUADRATIC as COST

from ebm_mpc_ros.energy.base import LinearChange
from ebm_mpc_ros.energy.descent import descend
from ebm_mpc_ros.energy.langevin import mala
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.models import Jacobians, Model

INF = math.inf
N, CHAINS = 6, 2000
TEMPERATURES = [0.02, 1.0, 50.0]


class Linear(Model):
    """x' = A x + B u."""

    state_names = ("vx", "vy", "vyaw")
    input_names = ("ax", "alpha")
    noise_names = state_names
    state_size = 3

    def f(self, x, u, dt, w=None):
        return x @ A.T.astype(x.dtype) + u @ B.T.astype(x.dtype)

    def jacobians(self, x, u, dt):
        matrices = A, B, np.eye(3)
        shaped = (np.broadcast_to(M.astype(x.dtype), (*x.shape[:-1], *M.shape)) for M in matrices)
        return Jacobians(*(M.copy() for M in shaped))


def condensed():
    """Return H and F of J = ½ UᵀHU + UᵀF x0 + …, from powers of A."""
    H, F = np.kron(np.eye(N), R), np.zeros((2 * N, 3))
    for k in range(1, N + 1):
        powers = [np.linalg.matrix_power(A, k - 1 - i) @ B for i in range(k)]
        G = np.hstack([*powers, np.zeros((3, 2 * (N - k)))])
        weighted = G.T @ (Q_N if k == N else Q)
        H += weighted @ G
        F += weighted @ np.linalg.matrix_power(A, k)
    return H, F


def riccati_gain():
    P = Q_N
    for _ in range(N):
        gain = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        P = Q + A.T @ P @ (A - B @ gain)
    return gain


def energy(x0=X0):
    return PlanEnergy(
        Linear(),
        COST,
        0.1,
        state=torch.from_numpy(x0),
        reference=torch.zeros(N + 1, 3, dtype=torch.float64),
    )


def sampled(temperature, x0=X0, seed=0):
    """Return plans (K, 2 N) drawn by MALA from p(U) ∝ exp(-J(U)/T), J asked at every step."""
    plans, origin = energy(x0), torch.zeros(2 * N, dtype=torch.float64)
    factor = torch.linalg.cholesky(plans.expand(origin).hessian) / math.sqrt(temperature)
    change = LinearChange(plans, origin, factor, temperature)
    generator = torch.Generator().manual_seed(seed)
    start = torch.zeros(CHAINS, 2 * N, dtype=torch.float64)
    chains = mala(change, start, step_size=1.0, steps=30, generator=generator)
    return change.to_original(chains.x).numpy()


def planned(temperature, x0):
    """Return a plan of the planner and its chains (K, 2 N)."""
    settings = PlannerSettings(
        horizon=N,
        dt=0.1,
        chains=CHAINS,
        steps=30,
        adapt_steps=10,
        temperature=temperature,
        fresh_temperature=20.0 * temperature,
        fresh_steps=0,
    )
    one = Planner(Linear(), COST, settings, dtype=torch.float64)
    plan = one.plan(x0, np.zeros((N + 1, 3)), np.zeros((0, 3)))
    assert plan.usable
    return plan, one._chains.numpy()


def optimum(x0=X0):
    H, F = condensed()
    return -np.linalg.solve(H, F @ x0)


def expect_gaussian(U, temperature, x0):
    """Compare draws (K, 2 N) with N(-H⁻¹F x0, T H⁻¹), five standard errors each."""
    H, _ = condensed()
    standard = (U - optimum(x0)) @ np.linalg.cholesky(H) / math.sqrt(temperature)
    error = 1 / math.sqrt(len(U))
    np.testing.assert_allclose(standard.mean(0), 0.0, atol=5 * error)
    size = np.where(np.eye(2 * N), math.sqrt(2) * error, error)
    assert (np.abs(np.cov(standard.T) - np.eye(2 * N)) < 5 * size).all()


def test_the_condensed_optimum_is_the_riccati_recursions():
    H, F = condensed()
    np.testing.assert_allclose(-np.linalg.solve(H, F)[:2], -riccati_gain(), rtol=1e-10)


def test_the_expansion_is_exact():
    H, F = condensed()
    x = torch.linspace(-1, 1, 2 * N, dtype=torch.float64)
    expansion = energy().expand(x)
    np.testing.assert_allclose(expansion.hessian, H, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(expansion.gradient, H @ x.numpy() + F @ X0, rtol=1e-10)


def test_the_best_plan_starts_with_the_riccati_gain():
    origin, free = (torch.full((2 * N,), v, dtype=torch.float64) for v in (0.0, INF))
    metric = torch.linalg.inv(energy().expand(origin).hessian)
    best = descend(energy(), origin[None], metric=metric, lower=-free, upper=free, steps=1)
    np.testing.assert_allclose(best.x[0, :2], -riccati_gain() @ X0, rtol=1e-9)


def test_the_optimum_costs_what_the_condensed_problem_says():
    U, (_, F) = optimum(), condensed()
    free = [np.linalg.matrix_power(A, k) @ X0 for k in range(N + 1)]
    rest = 0.5 * sum(x @ (Q_N if k == N else Q) @ x for k, x in enumerate(free))
    value, _ = energy().energy_and_score(torch.from_numpy(U)[None])
    assert float(value[0]) == pytest.approx(rest + 0.5 * U @ F @ X0, rel=1e-10)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_sampled_plans_have_the_mean_and_the_covariance_of_theory(temperature):
    expect_gaussian(sampled(temperature), temperature, X0)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_first_gain_of_sampled_plans_is_riccatis(temperature):
    # So far out that the gain stands out of the noise, whose deviation is √(T H⁻¹).
    reach = 20.0 * math.sqrt(temperature)
    means = [
        sampled(temperature, reach * axis, seed)[:, :2].mean(0)
        for seed, axis in enumerate(np.eye(3))
    ]
    gain = -np.column_stack(means) / reach
    deviation = np.sqrt(np.linalg.inv(condensed()[0]).diagonal()[:2] / CHAINS) / 20.0
    assert (np.abs(gain - riccati_gain()) < 5 * deviation[:, None]).all()
    assert (5 * deviation < 0.02).all()


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_planners_chains_are_draws_at_its_temperature(temperature):
    plan, chains = planned(temperature, X0)
    expect_gaussian(chains, temperature, X0)
    np.testing.assert_allclose(plan.inputs.reshape(-1), optimum(), atol=1e-8)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_the_first_gain_of_the_planner_and_of_its_chains_is_riccatis(temperature):
    reach = 20.0 * math.sqrt(temperature)
    runs = [planned(temperature, reach * axis) for axis in np.eye(3)]
    gain = -np.column_stack([plan.inputs[0] for plan, _ in runs]) / reach
    np.testing.assert_allclose(gain, riccati_gain(), atol=1e-8)
    gain = -np.column_stack([chains[:, :2].mean(0) for _, chains in runs]) / reach
    deviation = np.sqrt(np.linalg.inv(condensed()[0]).diagonal()[:2] / CHAINS) / 20.0
    assert (np.abs(gain - riccati_gain()) < 5 * deviation[:, None]).all()


def test_the_planner_begins_at_the_optimum_with_chains_drawn_at_their_own_temperature():
    settings = PlannerSettings(
        horizon=N,
        dt=0.1,
        chains=CHAINS,
        steps=0,
        adapt_steps=0,
        temperature=0.1,
        fresh_temperature=7.0,
        fresh_steps=0,
        descent_steps=0,
    )
    one = Planner(Linear(), COST, settings, dtype=torch.float64)
    plan = one.plan(X0, np.zeros((N + 1, 3)), np.zeros((0, 3)))
    expect_gaussian(one._chains.numpy(), 7.0, X0)
    np.testing.assert_allclose(plan.inputs.reshape(-1), optimum(), atol=1e-8)
