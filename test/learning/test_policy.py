"""Plans from a learned energy, here one of two wells that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.outcome import Ended
from ebm_mpc_ros.learning.architecture import build
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load, save
from ebm_mpc_ros.learning.conditions import Sight, condition_units
from ebm_mpc_ros.learning.contract import Contract
from ebm_mpc_ros.learning.normaliser import Scaling
from ebm_mpc_ros.learning.policy import LearnedPolicy, PolicySettings, added
from ebm_mpc_ros.models import load_model

MODEL = load_model("diff_drive")
N = 10
STATE = np.array([0.0, 0.0, 0.0, 0.5, 0.0])
WAY = np.column_stack([np.linspace(0.0, 4.0, 41), *np.zeros((4, 41))])
FREE = np.empty((0, 3))
UNITS = condition_units(MODEL, Sight())
COST = added(
    PlanCost(
        state_weight=(1.0,) * 5,
        terminal_weight=(1.0,) * 5,
        input_weight=(1.0, 1.0),
        state_lower=(-math.inf,) * 5,
        state_upper=(math.inf,) * 5,
        input_lower=(-1.0, -2.0),
        input_upper=(1.0, 2.0),
    ),
    MODEL,
    smoothness=1e-6,
)
TURN = 0.8
"""What the wells' centres have for alpha, to the left and to the right, in rad/s²."""


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def contract(**changes):
    scaling = Scaling(mean=(0.1, 0.0), deviation=(0.5, 0.4))
    fields = {
        "kind": "policy",
        "architecture": {"name": "wells", "hidden": 4, "wells": 2, "weights": 3},
        "model": "diff_drive",
        "state_names": MODEL.state_names,
        "input_names": MODEL.input_names,
        "condition_names": tuple(UNITS),
        "units": UNITS,
        "dt": 0.1,
        "horizon": N,
        "condition_scaling": Scaling.identity(len(UNITS)),
        "variable_scaling": scaling,
        "sigmas": (0.05, 6.0),
        "data_digest": "",
        "details": {"sight": {"look_ahead": 2.0, "nearest": 1, "obstacle_range": 3.0}},
    }
    return Contract(**(fields | changes))


@pytest.fixture
def checkpoint(tmp_path):
    """Write a checkpoint of wells at alpha = ±`turn`, the left one's log weight higher by `lean`.

    `steer` adds so many rad/s² to alpha for each metre that the goal lies to the left.
    """

    def checkpoint(lean=0.0, turn=TURN, steer=0.0, **changes):
        promised = contract(**changes)
        wells = build(promised)
        scaling = promised.variable_scaling
        with torch.no_grad():
            for weight in wells.parameters():
                weight.zero_()
            network = wells.network
            sides = [[0.0, turn], [0.0, -turn]]
            centres = scaling.normalise(np.repeat(np.array(sides)[:, None], N, axis=1))
            network.centres.bias.copy_(torch.tensor(centres.ravel()))
            network.coefficients.bias[0] = lean
            slope = np.tile([0.0, steer / scaling.deviation[1]], 2 * N)
            network.skip.weight[:, list(UNITS).index("goal_y")] = torch.tensor(
                slope, dtype=torch.float32
            )
        path = tmp_path / "policy.safetensors"
        save(path, wells, promised)
        return load(path)

    return checkpoint


def policy(checkpoint, cost=COST, settings=PolicySettings(shown=64), **changes):  # noqa: B008  frozen
    given = {"name": "diff_drive", "dt": 0.1, "horizon": N} | changes
    return LearnedPolicy(checkpoint, MODEL, cost, settings, **given)


def side(plan):
    """Return 1 where a plan is that of the left well, -1 of the right one."""
    np.testing.assert_allclose(np.abs(plan.inputs[:, 1]), TURN, atol=0.15)
    np.testing.assert_allclose(plan.inputs[:, 0], 0.0, atol=0.15)
    sides = np.unique(np.sign(plan.inputs[:, 1]))
    assert len(sides) == 1
    return sides[0]


@pytest.mark.parametrize("lean", [-1.0, 1.0])
def test_it_plans_the_deeper_well_and_never_the_middle(checkpoint, lean):
    plan = policy(checkpoint(lean)).plan(STATE, WAY, FREE)
    assert plan.usable
    assert plan.ended is Ended.COMPLETE
    assert side(plan) == np.sign(lean)


def test_its_states_are_what_its_inputs_lead_to(checkpoint):
    plan = policy(checkpoint()).plan(STATE, WAY, FREE)
    state = STATE
    for u, following in zip(plan.inputs, plan.states[1:], strict=True):
        state = MODEL.f(state, u, 0.1)
        np.testing.assert_allclose(following, state, atol=1e-4)
    assert plan.sample_states.shape == (64, N + 1, 5)
    assert plan.sample_energies.shape == (64,)


def test_chains_lie_in_both_wells(checkpoint):
    plan = policy(checkpoint()).plan(STATE, WAY, FREE)
    turned = plan.sample_states[:, -1, 4]
    assert 16 <= np.count_nonzero(turned > 0.5) <= 48
    assert np.count_nonzero(np.abs(turned) > 0.5) == 64


def test_an_energy_added_decides_between_two_wells(checkpoint):
    for y in (0.35, -0.35):
        plan = policy(checkpoint()).plan(STATE, WAY, np.array([[0.5, y, 0.1]]))
        assert side(plan) == -np.sign(y)


def test_an_energy_added_moves_a_plan_off_its_well(checkpoint):
    learned = checkpoint(lean=50.0)
    beside = policy(learned).plan(STATE, WAY, FREE).states[-1, :2] + [0.0, 0.3]
    obstacle = np.array([[*beside, 0.1]])
    plan = policy(learned).plan(STATE, WAY, obstacle)
    without = policy(learned, replace(COST, obstacle_weight=0.0)).plan(STATE, WAY, obstacle)
    assert plan.clearance > without.clearance + 0.02
    assert side(without) == 1.0


def test_it_keeps_its_side_until_another_is_lower_by_the_margin(checkpoint):
    leaning = checkpoint(lean=1.0)
    obstacle = np.array([[0.5, 0.35, 0.1]])
    for margin, kept in ((1e6, 1.0), (0.0, -1.0)):
        planner = policy(leaning, settings=PolicySettings(switch_margin=margin))
        assert side(planner.plan(STATE, WAY, FREE)) == 1.0
        cost = replace(COST, obstacle_weight=1500.0)
        planner.use(cost)
        plan = planner.plan(STATE, WAY, obstacle, 0.1)
        assert plan.switched == (kept < 0.0)
        assert np.sign(plan.inputs[:, 1].sum()) == kept


def test_inputs_keep_within_their_bounds(checkpoint):
    plan = policy(checkpoint(turn=3.0)).plan(STATE, WAY, FREE)
    np.testing.assert_allclose(np.abs(plan.inputs[:, 1]), 2.0, atol=1e-5)
    assert np.abs(plan.inputs[:, 1]).max() <= 2.0 + 1e-6


def test_the_goal_is_as_far_along_the_way_as_it_was_learned(checkpoint):
    steering = checkpoint(lean=50.0, steer=0.1)
    bent = WAY.copy()
    bent[10:, 1] = 0.5
    bent[25:, 1] = 7.0
    plan = policy(steering).plan(STATE, bent, FREE)
    np.testing.assert_allclose(plan.inputs[:, 1], TURN + 0.05, atol=0.02)
    alone = policy(steering).plan(STATE, np.array([[1.5, -0.5, 0.0, 0.0, 0.0]]), FREE)
    np.testing.assert_allclose(alone.inputs[:, 1], TURN - 0.05, atol=0.02)


def test_after_a_reset_it_plans_the_same_again(checkpoint):
    planner = policy(checkpoint())
    plans = []
    for _ in range(2):
        planner.reset()
        plans.append([planner.plan(STATE, WAY, FREE, 0.1).inputs for _ in range(3)])
    np.testing.assert_array_equal(*plans)


def test_without_time_for_a_first_plan_there_is_none(checkpoint):
    planner = policy(checkpoint(), settings=PolicySettings(time_limit=0.0))
    for _ in range(3):
        plan = planner.plan(STATE, WAY, FREE, 0.1)
        assert plan.ended is Ended.REFUSED
        assert not plan.usable
        assert plan.reason == "the time limit of 0 s passed before the first plan"


@pytest.mark.parametrize("turn", [TURN, -TURN])
def test_out_of_time_it_goes_on_with_the_last_plan(checkpoint, turn):
    planner = policy(checkpoint(lean=50.0, turn=turn))
    first = planner.plan(STATE, WAY, FREE)
    planner._settings = replace(planner._settings, time_limit=0.0)
    for _ in range(3):
        plan = planner.plan(STATE, WAY, FREE, 0.1)
        assert plan.usable
        assert plan.ended is Ended.DEADLINE
        assert "time limit" in plan.reason
        np.testing.assert_allclose(plan.inputs, first.inputs, atol=0.05)


def test_chains_of_the_last_call_go_on_but_for_a_share_of_fresh_ones(checkpoint):
    planner = policy(checkpoint(), settings=PolicySettings(chains=8, fresh_share=0.25))
    planner.plan(STATE, WAY, FREE)
    last = np.sign(planner._chains[:, -1].numpy())
    for _ in range(3):
        planner.plan(STATE, WAY, FREE, 0.1)
        now = np.sign(planner._chains[:, -1].numpy())
        np.testing.assert_array_equal(now[2:], last[:-2])
        last = now


def test_a_noise_level_that_was_not_trained_counts_as_the_nearest(checkpoint):
    trained = checkpoint(sigmas=(0.05, 2.0))
    for settings, same in (
        (PolicySettings(judge=3.0), PolicySettings(judge=2.0)),
        (PolicySettings(free_sigma=0.01), PolicySettings(free_sigma=0.05)),
    ):
        plans = [policy(trained, settings=s).plan(STATE, WAY, FREE) for s in (settings, same)]
        np.testing.assert_array_equal(plans[0].inputs, plans[1].inputs)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"state": STATE * np.nan}, "state is not finite"),
        ({"reference": WAY * np.nan}, "reference is not finite"),
        ({"obstacles": np.array([[1.0, 0.0, -0.1]])}, "radius is negative"),
        ({"elapsed_s": -1.0}, "elapsed_s"),
    ],
)
def test_what_is_not_finite_or_out_of_range_is_refused(checkpoint, given, reason):
    plan = policy(checkpoint()).plan(
        **({"state": STATE, "reference": WAY, "obstacles": FREE} | given)
    )
    assert plan.ended is Ended.REFUSED
    assert not plan.usable
    assert reason in plan.reason
    assert not plan.inputs.any()


@pytest.mark.parametrize("shape", ["state", "reference", "obstacles"])
def test_another_shape_is_an_error(checkpoint, shape):
    given = {"state": STATE, "reference": WAY, "obstacles": FREE} | {shape: np.zeros((2, 2))}
    with pytest.raises(ValueError, match=f"^{shape}"):
        policy(checkpoint()).plan(**given)


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"name": "omni"}, "trained for model diff_drive, but model is omni here"),
        ({"dt": 0.05}, r"trained for dt 0\.1, but dt is 0\.05 here"),
        ({"horizon": 20}, "trained for horizon 10, but horizon is 20 here"),
    ],
)
def test_a_checkpoint_for_something_else_is_refused_in_words(checkpoint, expected, words):
    with pytest.raises(CheckpointError, match=words):
        policy(checkpoint(), **expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input_names": ("alpha", "ax")}, "input_names"),
        ({"details": {}}, "sight"),
        ({"details": {"sight": {"nearest": 2}}}, "condition_names"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused_in_words(checkpoint, changes, words):
    with pytest.raises(CheckpointError, match=words):
        policy(checkpoint(**changes))


@pytest.mark.parametrize(
    "field",
    ["chains", "levels", "steps", "ratio", "kept_sigma", "judge", "candidates", "switch_margin"],
)
def test_a_setting_out_of_range_is_named(field):
    with pytest.raises(ValueError, match=f"^{field}"):
        PolicySettings(**{field: -1})


def test_it_shows_chains_from_the_lowest_to_the_highest(checkpoint):
    every = policy(checkpoint(), settings=PolicySettings(shown=64)).plan(STATE, WAY, FREE)
    shown = policy(checkpoint(), settings=PolicySettings(shown=5)).plan(STATE, WAY, FREE)
    assert (np.diff(every.sample_energies) >= 0.0).all()
    assert shown.sample_states.shape == (5, N + 1, 5)
    np.testing.assert_array_equal(shown.sample_energies[[0, -1]], every.sample_energies[[0, -1]])
    none = policy(checkpoint(), settings=PolicySettings(shown=0)).plan(STATE, WAY, FREE)
    assert none.sample_states.shape == (0, N + 1, 5)
