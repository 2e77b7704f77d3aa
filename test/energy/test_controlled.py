"""The controller's solution where a plan begins, and learned dynamics under the planner."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from ebm_mpc_ros.energy.controlled import Controlled
from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition

INF = math.inf
N, DT = 20, 0.1
MODEL = load_model("diff_drive")
COST = PlanCost(
    state_weight=(20.0, 20.0, 2.0, 0.5, 0.1),
    terminal_weight=(100.0, 100.0, 10.0, 2.5, 0.5),
    input_weight=(0.5, 0.25),
    state_lower=(-INF, -INF, -INF, -0.2, -1.7),
    state_upper=(INF, INF, INF, 1.15, 1.7),
    input_lower=(-1.0, -2.0),
    input_upper=(1.0, 2.0),
)
STATE = np.array([0.1, 0.3, 0.6, 0.2, -0.4])
REFERENCE = np.zeros((N + 1, 5))
REFERENCE[:, 0], REFERENCE[:, 3] = 0.08 * np.arange(N + 1), 0.8
NONE = np.zeros((0, 3))


def energy(model=MODEL, obstacles=NONE):
    state, reference, circles = map(torch.from_numpy, (STATE, REFERENCE, obstacles))
    return PlanEnergy(model, COST, DT, state=state, reference=reference, obstacles=circles)


def controlled(state=STATE, cost=COST):
    return Controlled(MODEL, cost, DT, N).inputs(state, REFERENCE)


def cost_of(inputs):
    return float(energy().energy(torch.from_numpy(inputs.reshape(1, -1).copy())))


def test_the_controllers_plan_is_the_optimum_within_the_bounds():
    inputs = controlled()
    settled = Planner(MODEL, COST, PlannerSettings(descent_steps=60), dtype=torch.float64)
    best = settled.plan(STATE, REFERENCE, NONE).energy
    assert (np.abs(inputs) <= np.array(COST.input_upper)).all()
    assert cost_of(inputs) == pytest.approx(best, rel=2e-3)


def test_a_plan_begins_at_the_controllers():
    idle = PlannerSettings(steps=0, adapt_steps=0, fresh_steps=0, descent_steps=0)
    plan = Planner(MODEL, COST, idle, dtype=torch.float64).plan(STATE, REFERENCE, NONE)
    np.testing.assert_array_equal(plan.inputs, controlled())


def test_of_the_fresh_chains_one_is_the_controllers_plan():
    idle = PlannerSettings(chains=20, steps=0, adapt_steps=0, fresh_steps=0, descent_steps=0)
    one, beside = Planner(MODEL, COST, idle, dtype=torch.float64), Controlled(MODEL, COST, DT, N)
    for _ in range(3):
        plan, inputs = one.plan(STATE, REFERENCE, NONE), beside.inputs(STATE, REFERENCE)
    assert np.abs(plan.sample_energies - cost_of(inputs)).min() < 1e-9


def test_where_the_controller_refuses_a_plan_begins_all_the_same():
    far = STATE + np.array([1e13, 0.0, 0.0, 0.0, 0.0])
    assert controlled(far) is None
    assert Planner(MODEL, COST, PlannerSettings(chains=8)).plan(far, REFERENCE, NONE).usable


def test_bounds_of_the_states_may_be_free():
    free = dataclasses.replace(COST, state_bound_weight=0.0)
    assert controlled(cost=free) is not None


def test_a_plan_rolls_through_a_transitions_energy_as_through_its_model():
    density = np.diag([0.01, 0.02, 0.02, 0.05, 0.1])
    learned = EnergyModel(GaussianTransition(MODEL, density))
    circle = np.array([[0.8, 0.1, 0.2]])
    x = 0.5 * torch.randn(4, 2 * N, generator=torch.Generator().manual_seed(0)).double()
    expected, found = (energy(each, circle).energy_and_score(x) for each in (MODEL, learned))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    settings = PlannerSettings(chains=8, steps=2, descent_candidates=2)
    plan = Planner(learned, COST, settings).plan(STATE, REFERENCE, circle)
    assert plan.usable
    assert plan.clearance > 0.0
