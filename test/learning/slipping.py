"""A robot whose wheels slip as it turns: it says that it turns a quarter more than it does."""

import dataclasses
import functools

import numpy as np
import torch
from driving import MODEL, drive

from ebm_mpc_ros.learning.checkpoint import save
from ebm_mpc_ros.learning.recording import Track
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.learning.tasks import Robot, transition_task
from ebm_mpc_ros.learning.training import TrainingSettings, train

DT = 0.1
SAID = 1.25
"""What the robot says that it turns, of what it does."""


def recording(duration=40.0, seed=0):
    """Return a drive of the robot, with what it says and a little noise."""
    whole = drive(duration)
    states, twists = whole.states.values.copy(), whole.commands.values.copy()
    states[:, 4] *= SAID
    twists[:, 5] *= SAID
    states += 1e-3 * np.random.default_rng(seed).normal(size=states.shape)
    return dataclasses.replace(
        whole,
        states=Track(whole.states.stamps, states),
        commands=Track(whole.commands.stamps, twists),
    )


@functools.cache
def trained():
    """Return the task, its network trained."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    task = transition_task(
        Robot(name="diff_drive", model=MODEL),
        [recording()],
        Grid(dt=DT, longest_gap=0.25),
        held_out=0.2,
        density=(),
        floor=1e-8,
        smoothing=0.2,
        sizes={"hidden": 32},
    )
    settings = TrainingSettings(
        steps=1000, batch_size=64, learning_rate=3e-3, warm_up=20, averaging=0.99, check_every=100
    )
    train(task.network, task.loss, task.data, settings, judge=task.judge)
    return task


def checkpoint(folder):
    """Write the checkpoint and return its path."""
    path = folder / "checkpoint.safetensors"
    save(path, trained().network, trained().contract)
    return path


def moved(x, u, dt):
    """Return the state (5,) after `dt` s, as it is and as it says."""
    true = x.copy()
    true[..., 4] /= SAID
    turned = MODEL.f(true, u * np.array([1.0, 1.0 / SAID]), dt)
    turned[..., 4] *= SAID
    return turned
