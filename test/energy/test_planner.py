"""The planner: how it keeps, shifts and switches plans, and a drive around an obstacle."""

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from plan_problems import TRACKING as COST

from ebm_mpc_ros.energy.outcome import Ended
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.models import load_model

INF = math.inf
N, DT = 20, 0.1
SETTINGS = PlannerSettings(chains=48, shown=48)
STATE = np.array([0.0, 0.0, 0.0, 0.8, 0.0])
NONE = np.zeros((0, 3))


def planner(cost=COST, **changes):
    return Planner(load_model("diff_drive"), cost, dataclasses.replace(SETTINGS, **changes))


def straight(speed=0.8, start=0.0):
    reference = np.zeros((N + 1, 5))
    reference[:, 0] = start + speed * DT * np.arange(N + 1)
    reference[:, 3] = speed
    return reference


def obstacle(y, x=0.85):
    return np.array([[x, y, 0.15]])


def side(states, circle):
    """+1 where the states pass the circle on its left, -1 on its right (heading +x)."""
    nearest = np.abs(states[..., 0] - circle[0, 0]).argmin(-1)
    y = np.take_along_axis(states[..., 1], nearest[..., None], -1)[..., 0]
    return np.sign(y - circle[0, 1])


def test_without_obstacles_the_plan_follows_the_reference():
    plan = planner().plan(STATE, straight(), NONE, 0.0)
    assert plan.usable
    assert plan.ended is Ended.COMPLETE
    assert plan.reason == ""
    np.testing.assert_allclose(plan.states, straight(), atol=0.01)
    np.testing.assert_allclose(plan.inputs, 0.0, atol=0.02)
    assert plan.clearance == INF


def test_the_states_and_the_energy_are_those_of_the_published_inputs():
    circle = obstacle(0.02)
    plan = planner().plan(STATE, straight(), circle, 0.0)
    model, x = load_model("diff_drive"), STATE
    energy = 0.5 * np.array(COST.state_weight) @ (x - straight()[0]) ** 2
    for i, u in enumerate(plan.inputs):
        x = model.f(x, u, DT)
        np.testing.assert_allclose(plan.states[i + 1], x, atol=1e-5)
        weight = COST.terminal_weight if i == N - 1 else COST.state_weight
        energy += 0.5 * np.array(weight) @ (x - straight()[i + 1]) ** 2
        energy += 0.5 * np.array(COST.input_weight) @ u**2
        depth = max(0.15 - (np.hypot(*(x[:2] - circle[0, :2])) - 0.35), 0.0)
        energy += 0.5 * COST.obstacle_weight * depth**2
    energy += 0.5 * COST.state_bound_weight * (np.maximum(plan.states[1:, 3] - 1.15, 0) ** 2).sum()
    assert plan.energy == pytest.approx(energy, rel=1e-4)
    clearance = np.hypot(*(plan.states[:, :2] - circle[0, :2]).T).min() - 0.35
    assert plan.clearance == pytest.approx(clearance, abs=1e-5)


def test_inputs_keep_their_bounds_where_the_optimum_does_not():
    ahead = straight(1.0, start=2.0)
    plan = planner().plan(STATE, ahead, NONE, 0.0)
    assert np.abs(plan.inputs[:, 0]).max() == 1.0
    assert np.abs(plan.inputs[:, 1]).max() <= 2.0


@pytest.mark.parametrize("temperature", [0.005, 0.02])
def test_chains_hold_half_a_temperature_for_each_input_above_the_best_plan(temperature):
    one = planner(chains=128, temperature=temperature, fresh_share=0.0)
    excess = []
    for _ in range(20):
        plan = one.plan(STATE, straight(), NONE, 0.0)
        excess.append(plan.sample_energies.mean() - plan.energy)
    assert np.mean(excess[8:]) == pytest.approx(0.5 * plan.inputs.size * temperature, rel=0.06)


def test_seeded_planners_repeat_bit_for_bit():
    plans = []
    for _ in range(2):
        one = planner(seed=7)
        for k in range(4):
            plan = one.plan(STATE, straight(), obstacle(0.02), 0.05 * bool(k))
        plans.append(plan)
    assert np.array_equal(plans[0].inputs, plans[1].inputs)
    assert np.array_equal(plans[0].sample_states, plans[1].sample_states)
    other = planner(seed=8).plan(STATE, straight(), obstacle(0.02), 0.0)
    assert not np.array_equal(other.sample_states, plans[0].sample_states)


def test_reset_starts_over():
    one = planner()
    first = one.plan(STATE, straight(), obstacle(0.02), 0.0)
    one.plan(STATE, straight(), obstacle(0.02), 0.05)
    one.reset()
    again = one.plan(STATE, straight(), obstacle(0.02), 0.05)
    assert np.array_equal(first.sample_states, again.sample_states)


def test_a_deadline_returns_the_best_so_far():
    one = planner()
    before = one.plan(STATE, straight(), obstacle(0.02), 0.0)
    one._settings = dataclasses.replace(one._settings, time_limit=0.0)
    plan = one.plan(STATE, straight(), obstacle(0.02), 0.0)
    assert plan.ended is Ended.DEADLINE
    assert plan.usable
    assert "time limit" in plan.reason
    np.testing.assert_allclose(plan.inputs, before.inputs, atol=1e-5)


def test_a_plan_is_shifted_by_the_time_elapsed():
    idle = {"adapt_steps": 0, "steps": 0, "descent_steps": 0, "fresh_steps": 0}
    one = planner(switch_margin=INF, **idle)
    before = one.plan(STATE, straight(1.0), NONE, 0.0).inputs
    after = one.plan(STATE, straight(), NONE, 0.13).inputs
    place = np.minimum(np.arange(N) + 1.3, N - 1)
    expected = [np.interp(place, np.arange(N), before[:, i]) for i in range(2)]
    np.testing.assert_allclose(after, np.stack(expected, 1), atol=1e-5)


def test_chains_are_replaced_oldest_first():
    idle = {"adapt_steps": 0, "steps": 0, "descent_steps": 0, "fresh_steps": 0}
    one = planner(chains=8, fresh_share=0.25, **idle)
    chains = []
    for _ in range(5):
        one.plan(STATE, straight(), NONE, 0.0)
        chains.append(one._chains.numpy().copy())
    for k in range(4):
        moved = np.abs(chains[k + 1] - chains[k]).max(1) > 1e-4
        assert moved.nonzero()[0].tolist() == [2 * k, 2 * k + 1]


def test_chains_lie_on_both_sides_of_an_obstacle_and_the_plan_commits_to_one():
    circle, one = obstacle(0.0, x=1.2), planner(chains=96)
    published = []
    for _ in range(8):
        plan = one.plan(STATE, straight(), circle, 0.0)
        passing = plan.sample_states[plan.sample_states[:, -1, 0] > circle[0, 0]]
        sides = side(passing, circle)
        assert (sides > 0).sum() >= 5
        assert (sides < 0).sum() >= 5
        published.append(side(plan.states, circle))
        assert plan.clearance > 0.0
    assert len(set(published)) == 1


@pytest.mark.parametrize(("margin", "expected"), [(0.5, 1.0), (INF, -1.0)])
def test_the_side_changes_for_a_margin_only(margin, expected):
    one = planner()
    for _ in range(3):
        plan = one.plan(STATE, straight(), obstacle(0.06, x=1.2), 0.0)
    assert side(plan.states, obstacle(0.06, x=1.2)) == -1.0
    one._settings = dataclasses.replace(one._settings, switch_margin=margin)
    plans = [one.plan(STATE, straight(), obstacle(-0.06, x=1.2), 0.0) for _ in range(6)]
    assert side(plans[-1].states, obstacle(-0.06, x=1.2)) == expected
    assert any(plan.switched for plan in plans) is (expected == 1.0)


def test_the_plan_never_costs_more_than_the_last_one_at_the_same_state():
    one = planner()
    energies = [one.plan(STATE, straight(), obstacle(0.05), 0.0).energy for _ in range(6)]
    assert all(b <= a + 1e-3 for a, b in pairwise(energies))


def with_nan(array):
    bad = array.copy()
    bad.flat[1] = math.nan
    return bad


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((with_nan(STATE), straight(), NONE, 0.0), "state"),
        ((STATE, with_nan(straight()), NONE, 0.0), "reference"),
        ((STATE, straight(), with_nan(obstacle(0.0)), 0.0), "obstacles"),
        ((STATE, straight(), np.array([[1.0, 0.0, -0.1]]), 0.0), "radius"),
        ((STATE, straight(), NONE, -0.1), "elapsed"),
        ((STATE, straight(), NONE, math.nan), "elapsed"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(arguments, word):
    one, untouched = planner(), planner()
    for each in (one, untouched):
        each.plan(STATE, straight(), NONE, 0.0)
    plan = one.plan(*arguments)
    assert plan.ended is Ended.REFUSED
    assert not plan.usable
    assert word in plan.reason
    assert np.array_equal(
        one.plan(STATE, straight(), NONE, 0.05).sample_states,
        untouched.plan(STATE, straight(), NONE, 0.05).sample_states,
    )


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((STATE[:4], straight(), NONE), "state"),
        ((STATE, straight()[:-1], NONE), "reference"),
        ((STATE, straight(), np.zeros((1, 2))), "obstacles"),
    ],
)
def test_arrays_of_another_shape_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        planner().plan(*arguments, 0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("horizon", 0),
        ("dt", 0.0),
        ("chains", 0),
        ("steps", -1),
        ("temperature", math.nan),
        ("fresh_share", 1.5),
        ("descent_candidates", 200),
        ("switch_margin", -1.0),
        ("time_limit", math.nan),
        ("seed", -1),
    ],
)
def test_bad_settings_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(SETTINGS, **{field: value})


class FigureEight:
    """x = 3 sin s, y = 1.5 sin 2s, by arc length."""

    def __init__(self):
        self.s = np.linspace(0, 2 * np.pi, 4001)
        steps = np.hypot(np.diff(3 * np.sin(self.s)), np.diff(1.5 * np.sin(2 * self.s)))
        self.length = np.concatenate([[0], np.cumsum(steps)])

    def states(self, length, speed):
        s = np.interp(length, self.length, self.s)
        dx, dy, ddx, ddy = (
            3 * np.cos(s),
            3 * np.cos(2 * s),
            -3 * np.sin(s),
            -6 * np.sin(2 * s),
        )
        rate = speed * (dx * ddy - dy * ddx) / np.hypot(dx, dy) ** 3
        place = (3 * np.sin(s), 1.5 * np.sin(2 * s), np.arctan2(dy, dx))
        return np.stack([*place, np.full_like(s, speed), rate], axis=-1)

    def progress(self, place, last):
        candidates = last + np.linspace(0, 0.3, 61)
        nearby = self.states(candidates, 0.0)[:, :2]
        return candidates[np.hypot(*(nearby - place).T).argmin()]


@pytest.mark.parametrize(("seed", "speed"), [(0, 0.6), (1, 0.8), (2, 1.0)])
def test_a_drive_passes_an_obstacle_in_the_middle_of_the_path_and_returns(seed, speed):
    path, model = FigureEight(), load_model("diff_drive")
    middle = path.states(1.8, 0.0)[:2]
    circle = np.array([[*middle, 0.2]])
    one = planner(seed=seed, chains=32)
    x, progress, sides, clearances = path.states(0.6, speed), 0.6, [], []
    for _ in range(round(4.0 / speed / 0.05)):
        progress = path.progress(x[:2], progress)
        reference = path.states(progress + speed * DT * np.arange(N + 1), speed)
        plan = one.plan(x, reference, circle, 0.05)
        assert plan.usable
        nearest = np.hypot(*(plan.states[:, :2] - middle).T).argmin()
        if 0 < nearest < N:
            offset, yaw = plan.states[nearest, :2] - middle, plan.states[nearest, 2]
            sides.append(np.sign(math.cos(yaw) * offset[1] - math.sin(yaw) * offset[0]))
        x = model.f(x, plan.inputs[0], 0.05)
        clearances.append(np.hypot(*(x[:2] - middle)) - 0.4)
    assert min(clearances) > 0.03
    assert progress > 3.4
    assert np.hypot(*(x[:2] - path.states(path.progress(x[:2], progress), speed)[:2])) < 0.2
    assert np.count_nonzero(np.diff(sides)) <= 1
