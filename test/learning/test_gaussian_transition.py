"""A transition learned as a Gaussian: torch's numbers, better than the nominal, exact states."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from slipping import DT, MODEL, moved, recording

from ebm_mpc_ros.learning.architecture import build, restored
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load, save
from ebm_mpc_ros.learning.learned_model import learned_model
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.tasks import Robot, transition_task
from ebm_mpc_ros.learning.training import TrainingSettings, train
from ebm_mpc_ros.models.transition import laplace

FLOOR = 1e-5
"""Above what the toy's speed is wrong by in a step, below what its other states are."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = transition_task(
        Robot(name="diff_drive", model=MODEL),
        [recording()],
        Grid(dt=DT, longest_gap=0.25),
        held_out=0.2,
        density=(),
        floor=FLOOR,
        smoothing=0.1,
        sizes={"hidden": 16},
        form="gaussian",
    )
    settings = TrainingSettings(
        steps=600, batch_size=64, learning_rate=1e-2, warm_up=20, averaging=0.99, check_every=100
    )
    train(task.network, task.loss, task.data, settings, judge=task.judge)
    path = tmp_path_factory.mktemp("learned") / "checkpoint.safetensors"
    save(path, task.network, task.contract)
    return path


def test_a_state_that_the_model_knows_exactly_is_not_learned(path):
    checkpoint = load(path)
    learned = checkpoint.contract.details["learned"]
    assert "yaw" in learned
    assert "vx" not in learned
    assert restored(checkpoint).variables == len(learned)
    model = learned_model(checkpoint)
    x, u = np.array([0.0, 0.0, 0.3, 0.6, 0.3]), np.array([0.2, -0.1])
    found = model.transition(x, u, DT)
    assert found.delta[3] == 0.0
    assert found.delta[2] != 0.0


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
def test_its_energy_over_any_time_has_the_width_that_the_ekf_has(path, share):
    model = learned_model(load(path))
    x, u = np.array([0.0, 0.0, 0.3, 0.6, 0.3]), np.array([0.2, -0.1])
    following, (_, _, W) = model.linearize(x, u, share * DT)
    found = laplace(model.at(x, u, share * DT))
    noise = W @ (model.noise_density * share * DT) @ W.T
    np.testing.assert_allclose(found.covariance, noise, rtol=1e-9, atol=1e-18)
    reached = model.at(x, u, share * DT).nominal.following + found.delta
    np.testing.assert_allclose(reached, following, rtol=0, atol=1e-12)


def test_no_smoothing_is_taken_out_of_what_was_not_learned(path):
    model = learned_model(load(path))
    x, u = np.array([0.0, 0.0, 0.3, 0.6, 0.3]), np.array([0.2, -0.1])
    W = model.linearize(x, u, DT)[1].W
    assert W[3, 3] == pytest.approx(1.0, abs=1e-12)


def test_the_energy_is_torchs(path):
    checkpoint = load(path)
    contract, model = checkpoint.contract, learned_model(checkpoint)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 5)) * [3.0, 3.0, 2.0, 0.1, 0.2] + [0.0, 0.0, 0.0, 0.6, 0.0]
    u, y = 0.3 * rng.normal(size=(20, 2)), rng.normal(size=(20, 5))
    names = contract.details["learned"]
    chosen = [MODEL.state_names.index(name) for name in names]
    rest = [i for i in range(5) if i not in chosen]
    c = contract.condition_scaling.normalise(np.concatenate([x[:, 3:], u], axis=1))
    theirs = restored(checkpoint).double().energy(torch.tensor(y[:, chosen]), torch.tensor(c))
    placed = model.energy.at(x, u, DT)
    assert (placed.trust == 1.0).any()
    wanted = theirs.detach().numpy() + 0.5 * (y[:, rest] ** 2).sum(1)
    wanted = placed.trust * wanted + (1.0 - placed.trust) * 0.5 * (y**2).sum(1)
    np.testing.assert_allclose(placed.value(y), wanted, rtol=1e-6)


def test_a_step_is_predicted_better_than_by_the_nominal_model(path):
    model = learned_model(load(path))
    t = DT * np.arange(300)
    u = np.column_stack([0.5 * np.cos(2.0 * t), -1.4 * np.sin(2.5 * t)])
    x, errors = np.array([0.0, 0.0, 0.0, 0.6, 0.56]), []
    for one in u:
        following = moved(x, one, DT)
        errors.append([(following - robot.f(x, one, DT))[2] for robot in (MODEL, model)])
        x = following
    nominal, learned = np.sqrt(np.mean(np.square(errors), axis=0))
    assert learned < 0.2 * nominal


def test_each_learned_state_has_its_own_place_and_width(path, tmp_path):
    found, learned = load(path), ["x", "yaw", "vyaw"]
    details = dict(found.contract.details) | {"learned": learned}
    contract = replace(found.contract, details=details)
    network = build(contract)
    told = torch.tensor([0.3, -0.7, 1.1, *np.log([0.5, 0.2, 0.8])])
    with torch.no_grad():
        network.skip.bias.copy_(told)
    save(tmp_path / "c", network, contract)
    placed = learned_model(load(tmp_path / "c")).energy.at(
        np.array([0.0, 0.0, 0.3, 0.6, 0.3]), np.array([0.2, -0.1]), DT
    )
    assert placed.trust == 1.0
    centre, width = np.zeros(5), np.ones(5)
    centre[[0, 2, 4]], width[[0, 2, 4]] = [0.3, -0.7, 1.1], [0.5, 0.2, 0.8]
    for y in np.eye(5):
        wanted = 0.5 * np.sum(((y - centre) / width) ** 2)
        np.testing.assert_allclose(placed.value(y), wanted, rtol=1e-6)


@pytest.mark.parametrize("learned", [[], ["x", "warp"], "x", ["x", "yaw", "vx"]])
def test_what_says_other_states_than_its_weights_is_refused(path, tmp_path, learned):
    found = load(path)
    details = dict(found.contract.details) | {"learned": learned}
    save(tmp_path / "c", found.arrays, replace(found.contract, details=details))
    with pytest.raises(CheckpointError, match=r"learned is|weights are not those"):
        learned_model(load(tmp_path / "c"))


def test_fresh_weights_are_the_nominal_model(path, tmp_path):
    found = load(path)
    save(tmp_path / "c", build(found.contract), found.contract)
    model = learned_model(load(tmp_path / "c"))
    x, u = np.array([0.0, 0.0, 0.3, 0.6, 0.3]), np.array([0.2, -0.1])
    np.testing.assert_allclose(model.f(x, u, DT), MODEL.f(x, u, DT), atol=1e-12)
