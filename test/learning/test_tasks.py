"""What drives teach: the model's error where it has one, and every way that was driven."""

import dataclasses

import numpy as np
import pytest
import torch
from driving import MODEL, drive

from ebm_mpc_ros.learning.conditions import Sight
from ebm_mpc_ros.learning.recording import Track
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.tasks import Robot, policy_task, transition_task
from ebm_mpc_ros.learning.training import TrainingSettings, train

GRID = Grid(dt=0.1, longest_gap=0.25)
ROBOT = Robot(name="diff_drive", model=MODEL)


def trained(task, steps):
    torch.set_num_threads(1)
    settings = TrainingSettings(
        steps=steps, batch_size=64, learning_rate=3e-3, warm_up=20, averaging=0.99, check_every=100
    )
    train(task.network, task.loss, task.data, settings, judge=task.judge)
    return task


def lowest(energy, y, step, count):
    """Descend an energy along its score."""
    for _ in range(count):
        y = y + step * energy.energy_and_score(y)[1]
    return y


def test_a_transition_learns_by_how_much_the_robot_turns_less_than_it_says():
    whole = drive(40.0)
    states, twists = whole.states.values.copy(), whole.commands.values.copy()
    states[:, 4] *= 1.25
    twists[:, 5] *= 1.25
    rng = np.random.default_rng(0)
    states += rng.normal(size=states.shape) * 1e-3
    slipping = dataclasses.replace(
        whole,
        states=Track(whole.states.stamps, states),
        commands=Track(whole.commands.stamps, twists),
    )
    torch.manual_seed(0)
    task = trained(
        transition_task(
            ROBOT,
            [slipping],
            GRID,
            held_out=0.2,
            density=(),
            floor=1e-8,
            smoothing=0.2,
            sizes={"hidden": 32},
        ),
        1000,
    )
    c, y = task.data.held_out
    mode = lowest(task.network.at(c), torch.zeros_like(y), 0.03, 300)
    nominal, learned = (float((y - guess)[:, 2].square().mean()) for guess in (0.0 * y, mode))
    assert learned < 0.1 * nominal


def transition(recording, *, form="gaussian", **changes):
    given = {
        "held_out": 0.2,
        "density": (),
        "floor": 1e-5,
        "smoothing": 0.1,
        "sizes": {"hidden": 4},
    } | changes
    return transition_task(ROBOT, [recording], GRID, form=form, **given)


def disturbed(early, late=None):
    """Return a drive of 20 s whose states scatter by that much, the last 19 % by `late`."""
    whole = drive(20.0)
    scatter = np.random.default_rng(0).normal(size=whole.states.values.shape)
    first = round(0.81 * len(scatter))
    scatter[:first] *= early
    scatter[first:] *= early if late is None else late
    return dataclasses.replace(
        whole, states=Track(whole.states.stamps, whole.states.values + scatter)
    )


@pytest.mark.parametrize("form", ["gaussian", "mlp"])
def test_a_network_that_is_the_model_as_it_is_is_judged_to_be_just_that(form):
    task = transition(disturbed(1e-2), form=form)
    with torch.no_grad():
        for weights in task.network.parameters():
            weights.zero_()
    found = task.judge(task.network, *task.data.held_out, torch.Generator()).item()
    assert found == pytest.approx(task.simple_loss, rel=1e-5)


def test_a_gaussian_is_judged_by_its_likelihood_and_not_by_what_it_descends_on():
    task = transition(disturbed(1e-2))
    c, y = task.data.held_out
    with torch.no_grad():
        task.network.skip.bias[y.shape[1] :] = np.log(0.5)
    found = task.judge(task.network, c, y, torch.Generator()).item()
    size = y.shape[1]
    assert found == pytest.approx(2.0 * float(y.square().sum(1).mean()) + size * np.log(0.5))


def test_what_is_held_out_is_smoothed_as_is_what_is_learned_from():
    whole = disturbed(1e-2)
    plain, task = (transition(whole, smoothing=sigma).data for sigma in (0.0, 3.0))
    torch.testing.assert_close(plain.train.y, task.train.y)
    added = task.held_out.y - plain.held_out.y
    assert float(added.square().mean().sqrt()) == pytest.approx(3.0, rel=0.15)


def test_what_is_held_out_has_no_say_in_the_noise_and_in_what_is_learned():
    found = [
        transition(recording, floor=5e-8).contract.details
        for recording in (disturbed(1e-4), disturbed(1e-4, 0.1))
    ]
    assert found[0]["noise"] == found[1]["noise"]
    assert found[0]["learned"] == found[1]["learned"] == ["yaw", "vx", "vyaw"]


def test_a_policy_learns_both_ways_and_not_their_mean():
    whole = drive(60.0)
    twists = np.zeros_like(whole.commands.values)
    # Every second it speeds up or slows down, as a coin falls that nothing tells beforehand.
    t = np.arange(len(twists)) / 20.0
    signs = np.random.default_rng(0).choice([-1.0, 1.0], 61)
    rise = np.where((t % 1.0) < 0.5, signs[t.astype(int)], -signs[t.astype(int)])
    twists[:, 0] = 0.5 + np.cumsum(rise) / 20.0
    twists[:, 5] = 0.3 * np.sin(t)
    still = Track(whole.states.stamps, 0.0 * whole.states.values)
    recording = dataclasses.replace(
        whole, states=still, commands=Track(whole.commands.stamps, twists)
    )
    torch.manual_seed(0)
    task = trained(
        policy_task(
            ROBOT,
            [recording],
            GRID,
            held_out=0.2,
            sight=Sight(nearest=0),
            horizon=1,
            sizes={"wells": 4, "hidden": 16, "weights": 4},
            sigmas=(0.05, 3.0),
        ),
        600,
    )
    energy = task.network.at(torch.zeros(len(task.contract.condition_names)), 0.1)
    scaling = task.contract.variable_scaling
    points = torch.tensor(scaling.normalise(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])))
    speeding, slowing, mean = energy.energy_and_score(points.float())[0].tolist()
    assert max(speeding, slowing) < mean - 5.0
