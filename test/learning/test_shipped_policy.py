"""The checkpoint that ships: what `train` made of the demonstrations past an obstacle."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.learning.policy import LearnedPolicy, PolicySettings, added
from ebm_mpc_ros.models import load_model

PATH = Path(__file__).parents[2] / "checkpoints" / "two_sided.safetensors"
MODEL = load_model("diff_drive")
WAY = np.column_stack([np.linspace(0.0, 6.0, 61), *np.zeros((4, 61))])
COST = PlanCost(
    state_weight=(0.0,) * 5,
    terminal_weight=(0.0,) * 5,
    input_weight=(1.0, 1.0),
    state_lower=(-math.inf, -math.inf, -math.inf, -0.2, -1.7),
    state_upper=(math.inf, math.inf, math.inf, 1.15, 1.7),
    input_lower=(-1.0, -2.0),
    input_upper=(1.0, 2.0),
)


@pytest.fixture
def policy():
    torch.set_num_threads(1)
    return LearnedPolicy(
        load(PATH),
        MODEL,
        added(COST, MODEL),
        PolicySettings(shown=64),
        name="diff_drive",
        dt=0.1,
        horizon=20,
    )


def test_it_is_small():
    assert PATH.stat().st_size < 1_000_000


def test_in_front_of_an_obstacle_its_chains_go_to_both_sides_and_its_plan_to_one(policy):
    plan = policy.plan(np.array([0.0, 0.0, 0.0, 0.8, 0.0]), WAY, np.array([[1.6, 0.0, 0.2]]))
    aside = plan.sample_states[:, -1, 1]
    assert np.count_nonzero(aside > 0.2) >= 4
    assert np.count_nonzero(aside < -0.2) >= 4
    assert abs(plan.states[-1, 1]) > 0.3
    assert plan.clearance > 0.1


def test_it_drives_past_the_obstacle_to_the_end_of_its_way(policy):
    state, obstacle = np.array([0.0, 0.1, 0.0, 0.0, 0.0]), np.array([[3.0, 0.05, 0.2]])
    states = [state]
    for k in range(50):
        way = WAY.copy()
        way[:, 0] = np.minimum(way[:, 0] + state[0], 6.0)
        plan = policy.plan(state, way, obstacle, 0.2 if k else 0.0)
        states += [*plan.states[1:3]]
        state = states[-1]
    places = np.array(states)[:, :2]
    gaps = np.hypot(*(places - obstacle[0, :2]).T) - 0.4
    assert gaps.min() > 0.05
    assert np.hypot(*(places[-1] - [6.0, 0.0])) < 0.4
