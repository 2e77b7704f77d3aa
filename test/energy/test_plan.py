"""The energy of a plan: value, gradient by the adjoint, rollout."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.plan import PlanEnergy
from ebm_mpc_ros.models import load_model

DT, HORIZON = 0.1, 12
INF = math.inf
COST = PlanCost(
    state_weight=(20.0, 20.0, 2.0, 0.5, 0.1),
    terminal_weight=(90.0, 100.0, 10.0, 2.0, 0.6),
    input_weight=(0.5, 0.25),
    state_lower=(-INF, -INF, -INF, -0.2, -1.7),
    state_upper=(INF, INF, INF, 1.15, 1.7),
    input_lower=(-1.0, -2.0),
    input_upper=(1.0, 2.0),
)
OBSTACLES = torch.tensor([[0.6, 0.1, 0.2], [-0.5, 0.8, 0.4], [9.0, 9.0, 1.0]], dtype=torch.float64)


STATE = torch.tensor([0.1, 0.2, 3.1, 1.0, 0.2], dtype=torch.float64)
REFERENCE = torch.zeros(HORIZON + 1, 5, dtype=torch.float64)
REFERENCE[:, 0] = -0.08 * torch.arange(HORIZON + 1)
REFERENCE[:, 2], REFERENCE[:, 3] = -3.1, 0.8


def problem(cost=COST, **changes):
    """A robot that heads across the cut of the yaw, near two obstacles."""
    arguments = {"state": STATE, "reference": REFERENCE, "obstacles": OBSTACLES}
    return PlanEnergy(load_model("diff_drive"), cost, DT, **(arguments | changes))


def inputs(count=8, scale=1.5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return scale * torch.randn(count, 2 * HORIZON, generator=generator, dtype=dtype)


def hinge(x):
    return x.clamp(min=0.0)


def cost_of(x):
    """J written down stage by stage, for autograd."""
    model = load_model("diff_drive")
    U = x.view(len(x), HORIZON, 2)
    Q, R = (
        torch.tensor(COST.state_weight, dtype=torch.float64),
        torch.tensor(COST.input_weight, dtype=torch.float64),
    )
    terminal = torch.tensor(COST.terminal_weight, dtype=torch.float64)
    robot = STATE.expand(len(x), 5)
    J = torch.zeros(len(x), dtype=torch.float64)
    for i in range(HORIZON + 1):
        error = model.minus(robot, REFERENCE[i])
        J = J + 0.5 * ((terminal if i == HORIZON else Q) * error**2).sum(-1)
        if i:
            distance = torch.linalg.vector_norm(robot[:, None, :2] - OBSTACLES[:, :2], dim=-1)
            clearance = distance - OBSTACLES[:, 2] - COST.robot_radius
            J = J + 0.5 * COST.obstacle_weight * (hinge(COST.margin - clearance) ** 2).sum(-1)
            for column, upper, lower in ((3, 1.15, -0.2), (4, 1.7, -1.7)):
                value = robot[:, column]
                beyond = hinge(value - upper) ** 2 + hinge(lower - value) ** 2
                J = J + 0.5 * COST.state_bound_weight * beyond
        if i < HORIZON:
            u = U[:, i]
            limit = torch.tensor(COST.input_upper, dtype=torch.float64)
            J = J + 0.5 * (R * u**2).sum(-1)
            J = J + 0.5 * COST.input_bound_weight * (hinge(u.abs() - limit) ** 2).sum(-1)
            robot = model.f(robot, u, DT)
    return J


@pytest.mark.parametrize("expanded", [False, True])
def test_value_and_gradient_agree_with_autograd(expanded):
    energy, x = problem(), inputs()
    if expanded:
        energy.expand(0.3 * x[0])
    leaf = x.clone().requires_grad_()
    expected = cost_of(leaf)
    (gradient,) = torch.autograd.grad(expected.sum(), leaf)
    value, score = energy.energy_and_score(x)
    torch.testing.assert_close(value, expected.detach(), rtol=1e-9, atol=1e-9)
    assert torch.equal(energy.energy(x), value)
    torch.testing.assert_close(score, -gradient, rtol=1e-9, atol=1e-9)


def test_the_problem_of_that_test_has_every_term_active():
    x = inputs()
    value = problem().energy_and_score(x)[0]
    for name in ("state_bound_weight", "input_bound_weight", "obstacle_weight"):
        other = problem(dataclasses.replace(COST, **{name: 0.0})).energy_and_score(x)[0]
        assert bool(((value - other).abs() > 1e-3).any())


def test_single_precision_agrees_with_double():
    x = inputs()
    expected = problem().energy_and_score(x)
    single = problem(state=STATE.float(), reference=REFERENCE.float(), obstacles=OBSTACLES.float())
    value, score = single.energy_and_score(x.float())
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected[0], rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(score.double(), expected[1], rtol=1e-4, atol=1e-2)


@given(seed=st.integers(0, 1000), scale=st.floats(0.0, 3.0), expanded=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_rollout_is_the_model_step_by_step(seed, scale, expanded):
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(4, 2 * HORIZON, generator=generator, dtype=torch.float64)
    energy, model = problem(), load_model("diff_drive")
    if expanded:
        energy.expand(x[0] + 0.1)
    robot = STATE.expand(4, 5)
    states = [robot]
    for i in range(HORIZON):
        robot = model.f(robot, x.view(4, HORIZON, 2)[:, i], DT)
        states.append(robot)
    torch.testing.assert_close(energy.rollout(x), torch.stack(states, 1), rtol=0, atol=1e-12)


def test_a_state_on_the_centre_of_an_obstacle_has_a_finite_gradient():
    energy = problem(
        state=torch.zeros(5, dtype=torch.float64),
        obstacles=torch.tensor([[0.0, 0.0, 0.3]], dtype=torch.float64),
    )
    value, score = energy.energy_and_score(torch.zeros(1, 2 * HORIZON, dtype=torch.float64))
    assert bool(value.isfinite().all())
    assert bool(score.isfinite().all())


def test_clearance_is_measured_from_the_robots_rim():
    energy = problem()
    states = torch.zeros(2, HORIZON + 1, 5, dtype=torch.float64)
    states[0, :, 0] = 3.0
    states[0, 4, :2] = torch.tensor([0.6, -0.9])
    states[1, :, 0] = 5.0
    expected = [1.0 - 0.2 - 0.2, math.hypot(4.4, 0.1) - 0.4]
    np.testing.assert_allclose(energy.clearance(states), expected, atol=1e-12)
    assert bool(problem(obstacles=None).clearance(states).isinf().all())


OTHER_COST = PlanCost(
    state_weight=(2.0, 0.3),
    terminal_weight=(7.0, 1.5),
    input_weight=(0.4,),
    state_lower=(-INF, -INF),
    state_upper=(INF, INF),
    input_lower=(-INF,),
    input_upper=(INF,),
)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"state_weight": (1.0, -1.0)}, "state_weight"),
        ({"terminal_weight": (1.0,)}, "terminal_weight"),
        ({"input_weight": (0.0,)}, "input_weight"),
        ({"input_upper": (-INF,)}, "input_upper"),
        ({"state_lower": (0.0, 0.0, 0.0)}, "state_lower"),
        ({"margin": -0.1}, "margin"),
        ({"obstacle_weight": math.nan}, "obstacle_weight"),
    ],
)
def test_bad_costs_are_named(changes, name):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(OTHER_COST, **changes)


def test_a_model_without_inputs_or_a_reference_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="RigidBody"):
        PlanEnergy(
            load_model("rigid_body"), COST, DT, state=torch.zeros(16), reference=torch.zeros(3, 16)
        )
    with pytest.raises(ValueError, match="reference"):
        problem(reference=torch.zeros(HORIZON + 1, 4, dtype=torch.float64))
    with pytest.raises(ValueError, match="weights"):
        PlanEnergy(
            load_model("diff_drive"),
            OTHER_COST,
            DT,
            state=torch.zeros(5),
            reference=torch.zeros(3, 5),
        )
