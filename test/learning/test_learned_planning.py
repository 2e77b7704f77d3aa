"""A planner on a learned transition tracks a robot that slips; one on its nominal model less so."""

import math

import numpy as np
import pytest
from plan_problems import TRACKING as COST
from slipping import DT, MODEL, checkpoint, moved

from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.learning.learned_model import learned_model

INF = math.inf
N, STEPS = 20, 60
NONE = np.zeros((0, 3))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    return learned_model(load(checkpoint(tmp_path_factory.mktemp("learned"))))


def winding(phase):
    """Return a way (STEPS + N + 1, 5) that the robot can go."""
    way = [np.array([0.0, 0.0, 0.0, 0.6, 0.0])]
    for k in range(STEPS + N):
        way.append(moved(way[-1], np.array([0.0, 0.9 * np.cos(0.25 * k + phase)]), DT))
    return np.array(way)


def driven(model, phase):
    """Return how far beside the way the robot is (STEPS,), and how far its plans' ends are off."""
    way, one = winding(phase), Planner(model, COST, PlannerSettings(horizon=N, dt=DT, chains=16))
    x, aside, ends = way[0], [], []
    for k in range(STEPS):
        plan = one.plan(x, way[k : k + N + 1], NONE, DT if k else 0.0)
        end = x
        for u in plan.inputs:
            end = moved(end, u, DT)
        ends.append(np.linalg.norm(plan.states[-1, :2] - end[:2]))
        x = moved(x, plan.inputs[0], DT)
        offset, yaw = x - way[k + 1], way[k + 1, 2]
        aside.append(math.cos(yaw) * offset[1] - math.sin(yaw) * offset[0])
    return np.array(aside), np.array(ends)


@pytest.mark.parametrize("phase", [1.0, 2.0])
def test_it_goes_where_its_plans_say_and_tracks_better(learned, phase):
    runs = [driven(model, phase) for model in (MODEL, learned)]
    nominal, better = (np.sqrt(np.mean(aside * aside)) for aside, _ in runs)
    assert better < 0.8 * nominal
    nominal, better = (np.mean(ends) for _, ends in runs)
    assert better < 0.3 * nominal
