"""A learned transition under many chains: exact about the plan, second order away from it."""

import math

import numpy as np
import pytest
import torch

from ebm_mpc_ros.energy.correction import Corrected, Correction, Stages
from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support
from ebm_mpc_ros.models.silu_network import SiluNetwork

INF = math.inf
N, DT = 12, 0.1
ROBOTS = ["diff_drive", "omni"]


def learned(name, seed=0, hidden=16, size=1.0, dt=DT):
    """Return a robot with a transition of random weights."""
    robot, rng = load_model(name), np.random.default_rng(seed)
    n = robot.state_size
    c = n - 3 + len(robot.input_names)

    def random(*shape):
        return size * rng.normal(size=shape) / np.sqrt(shape[-1])

    network = SiluNetwork(
        random(hidden, n),
        random(hidden, c),
        random(hidden),
        random(hidden, hidden),
        random(hidden),
        random(hidden),
    )
    support = Support(np.zeros(c), np.eye(c), 3.0)
    variance = np.linspace(0.01, 0.08, n) ** 2
    return LearnedModel(LearnedTransition(robot, network, support, dt=dt, variance=variance))


def draw(*shape, seed=1, size=0.3):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(shape, generator=generator, dtype=torch.float64)


def energy(model, state):
    n, m = model.state_size, len(model.input_names)
    cost = PlanCost(
        state_weight=(1.0,) * n,
        terminal_weight=(2.0,) * n,
        input_weight=(0.5,) * m,
        state_lower=(-INF,) * n,
        state_upper=(INF,) * n,
        input_lower=(-1.0,) * m,
        input_upper=(1.0,) * m,
    )
    obstacles = torch.tensor([[0.3, 0.1, 0.2]], dtype=torch.float64)
    reference = draw(N + 1, n, seed=2)
    return PlanEnergy(model, cost, DT, state=state, reference=reference, obstacles=obstacles)


def placed(model, plan, state, calls=1):
    correction = Correction(model, DT, N)
    for _ in range(calls):
        about = correction.about(state, plan)
    return energy(about, state)


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("dt", [DT, 0.5 * DT])
def test_energy_and_score_of_the_plan_are_the_transitions(name, dt):
    model, state = learned(name, dt=dt), draw(load_model(name).state_size)
    plan = draw(N * len(model.input_names), seed=3)
    nominal = energy(model.energy.model, state).energy_and_score(plan[None])
    expected = energy(model, state).energy_and_score(plan[None])
    found = placed(model, plan, state).energy_and_score(plan[None])
    assert abs(expected[0] - nominal[0]) > 1e-3 * expected[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    settled = placed(model, plan, state, calls=3).energy_and_score(plan[None])
    torch.testing.assert_close(settled, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ROBOTS)
def test_the_score_is_the_slope_wherever_a_chain_lies(name):
    model, state = learned(name), draw(load_model(name).state_size)
    size = N * len(model.input_names)
    plans = placed(model, draw(size, seed=3), state)
    x, way = draw(5, size, seed=4, size=1.0), 1e-5 * draw(size, seed=5)
    score = plans.energy_and_score(x)[1]
    change = plans.energy(x + way) - plans.energy(x - way)
    torch.testing.assert_close(change, -2.0 * score @ way, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ROBOTS)
def test_states_are_off_by_the_square_of_the_distance_from_the_plan(name):
    model, state = learned(name), draw(load_model(name).state_size)
    plan = draw(N * len(model.input_names), seed=3)
    about, true = placed(model, plan, state, calls=3), energy(model, state)
    way = draw(len(plan), seed=4, size=1.0)
    errors = [
        float((about.rollout(x[None]) - true.rollout(x[None])).abs().max())
        for x in (plan + 0.05 * way, plan + 0.1 * way)
    ]
    assert errors[1] < 0.01
    assert errors[1] / errors[0] == pytest.approx(4.0, rel=0.3)


def test_a_plan_that_goes_on_is_found_from_the_last_one():
    model, state = learned("diff_drive"), draw(5)
    plan = draw(2 * N, seed=3)
    correction = Correction(model, DT, N)
    correction.about(state, plan)
    state = torch.from_numpy(model.f(state.numpy(), plan[:2].numpy(), DT))
    plan = torch.cat([plan[2:], plan[-2:]])
    found = energy(correction.about(state, plan), state).rollout(plan[None])
    torch.testing.assert_close(found, energy(model, state).rollout(plan[None]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ROBOTS)
def test_it_is_the_same_on_tensors(name):
    model, state = learned(name), draw(load_model(name).state_size)
    m = len(model.input_names)
    about = Correction(model, DT, N).about(state, draw(N * m, seed=3))
    tensors = Corrected(model.energy.model, Stages(*map(torch.from_numpy, about._stages)))
    x, u = draw(N, 4, len(state), seed=4), draw(N, 4, m, seed=5)
    found = (tensors.f(x, u, DT), *tensors.jacobians(x, u, DT))
    expected = (about.f(x.numpy(), u.numpy(), DT), *about.jacobians(x.numpy(), u.numpy(), DT))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_what_is_not_learned_is_left_as_it_is():
    model = load_model("diff_drive")
    assert Correction(model, DT, N).about(draw(5), draw(2 * N)) is model


COST = PlanCost(
    state_weight=(20.0, 20.0, 2.0, 0.5, 0.1),
    terminal_weight=(100.0, 100.0, 10.0, 2.5, 0.5),
    input_weight=(0.5, 0.25),
    state_lower=(-INF,) * 5,
    state_upper=(INF,) * 5,
    input_lower=(-1.0, -2.0),
    input_upper=(1.0, 2.0),
)


STATE = np.array([0.0, 0.05, 0.1, 0.6, 0.0])


def along(k):
    """Return the reference from the k-th step on."""
    reference = np.zeros((N + 1, 5))
    reference[:, 0], reference[:, 3] = 0.06 * (k + np.arange(N + 1)), 0.6
    return reference


@pytest.mark.parametrize("obstacles", [np.zeros((0, 3)), np.array([[0.45, 0.02, 0.1]])])
def test_a_plan_tells_the_states_that_the_robot_goes_through(obstacles):
    model = learned("diff_drive", size=0.7)
    settings = PlannerSettings(horizon=N, dt=DT, chains=32)
    planner, state = Planner(model, COST, settings, dtype=torch.float64), STATE
    for k in range(6):
        plan = planner.plan(state, along(k), obstacles, DT if k else 0.0)
        assert plan.usable
        x = state
        for u, told in zip(plan.inputs, plan.states[1:], strict=True):
            x = model.f(x, u, DT)
            np.testing.assert_allclose(told, x, atol=5e-3)
        state = model.f(state, plan.inputs[0], DT)


def test_after_a_reset_plans_have_the_bits_of_a_new_planner():
    settings = PlannerSettings(horizon=N, dt=DT, chains=8, steps=2, descent_candidates=2)
    new, used = (
        Planner(learned("diff_drive", size=0.7), COST, settings, dtype=torch.float64)
        for _ in range(2)
    )
    for k in range(3):
        used.plan(STATE + 0.1 * k, along(k), np.zeros((0, 3)), DT if k else 0.0)
    used.reset()
    for k in range(2):
        wanted, found = (
            one.plan(STATE, along(k), np.zeros((0, 3)), DT if k else 0.0) for one in (new, used)
        )
        np.testing.assert_array_equal(found.inputs, wanted.inputs)
        np.testing.assert_array_equal(found.sample_states, wanted.sample_states)
