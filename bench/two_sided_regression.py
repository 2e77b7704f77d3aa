"""The squared-error policy that bench/two_sided.py sets beside the energy."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ebm_mpc_ros.__main__ import main as run
from ebm_mpc_ros.energy.wells import Wells
from ebm_mpc_ros.learning.checkpoint import save
from ebm_mpc_ros.learning.conditions import Sight
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.tasks import Robot, policy_task
from ebm_mpc_ros.learning.training import TrainingSettings, train
from ebm_mpc_ros.tools.demonstrator import MODEL
from ebm_mpc_ros.tools.train_bags import read_recording
from ebm_mpc_ros.tools.train_config import group, load_config

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Generator, Tensor, nn


_EPISODES = "160"


def demonstrated(bag: Path) -> Path:
    """Record the demonstrations and return their bag."""
    with contextlib.redirect_stdout(io.StringIO()):
        if run(["demonstrate", "--episodes", _EPISODES, "--out", str(bag)]):
            raise RuntimeError("the demonstrations could not be recorded")
    return bag


def regression(bag: Path, config: Path, path: Path) -> Path:
    """Train the network of a configuration, with one well, by the squared error of its centre.

    Args:
        bag: The demonstrations.
        config: As `train` takes it.
        path: The checkpoint to write.

    Returns:
        That path.
    """
    values = load_config(config)
    torch.manual_seed(values["training.seed"])
    task = policy_task(
        Robot(name=values["model"], model=MODEL),
        [read_recording(bag, MODEL, values, config)],
        Grid(dt=values["dt"], longest_gap=values["longest_gap"]),
        held_out=values["held_out"],
        sight=Sight(
            look_ahead=values["look_ahead"],
            nearest=values["nearest"],
            obstacle_range=values["obstacle_range"],
        ),
        horizon=values["horizon"],
        sizes={"wells": 1, "hidden": values["network.hidden"], "weights": 3},
        sigmas=(values["network.sigma_min"], values["network.sigma_max"]),
    )
    settings = TrainingSettings(**group(values, "training"))
    train(task.network, _squared_error, task.data, replace(settings, patience=settings.steps))
    save(path, task.network, task.contract)
    return path


def _squared_error(network: nn.Module, c: Tensor, y: Tensor, _generator: Generator) -> Tensor:
    assert isinstance(network, Wells)  # noqa: S101
    centres: Tensor = network.network(c)[0]
    return (centres[:, 0] - y).square().sum(-1).mean()
