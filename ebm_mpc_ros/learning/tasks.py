"""Drives as something to train: a data set, the network and loss for it, and the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from ebm_mpc_ros.energy import score_matching
from ebm_mpc_ros.energy.mlp import EnergyMLP
from ebm_mpc_ros.energy.wells import Wells, denoising_loss
from ebm_mpc_ros.learning.architecture import build
from ebm_mpc_ros.learning.conditions import Sight, condition_units, input_units
from ebm_mpc_ros.learning.contract import Contract
from ebm_mpc_ros.learning.dataset import Dataset, Drive, before_split, dataset
from ebm_mpc_ros.learning.examples import demonstrations, transitions
from ebm_mpc_ros.learning.resampling import Grid, segments
from ebm_mpc_ros.learning.residuals import (
    Noise,
    fitted_noise,
    residuals,
    support,
    transition_condition,
    transition_units,
)
from ebm_mpc_ros.learning.training import Pairs, TrainingData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ebm_mpc_ros.learning.architecture import Network
    from ebm_mpc_ros.learning.recording import Recording
    from ebm_mpc_ros.models import Model

Loss = Callable[[torch.nn.Module, Tensor, Tensor, Generator], Tensor]


class Task(NamedTuple):
    """What `learning.training.train` takes, and what its result is for."""

    network: Network
    loss: Loss
    data: TrainingData
    contract: Contract
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Robot:
    """A model and the name that it goes by."""

    name: str
    model: Model


def policy_task(
    robot: Robot,
    recordings: Sequence[Recording],
    grid: Grid,
    *,
    held_out: float,
    sight: Sight,
    horizon: int,
    sizes: Mapping[str, int],
    sigmas: tuple[float, float],
) -> Task:
    """Return the task of learning which inputs were driven at which condition.

    Args:
        robot: The robot.
        recordings: Its drives.
        grid: Their common grid of time.
        held_out: Share of each drive, its last, that is held out.
        sight: What the policy sees.
        horizon: Steps of a chunk.
        sizes: The network's: wells, hidden, weights.
        sigmas: Least and largest noise, in units of the inputs' deviation.

    Raises:
        DataError: The drives can't be learned from.
    """
    model = robot.model
    drives = []
    for recording in recordings:
        found = demonstrations(model, recording, segments(model, recording, grid), sight, horizon)
        drives.append(Drive(*found))
    units = condition_units(model, sight)
    rows = dataset(
        drives,
        held_out=held_out,
        condition_names=tuple(units),
        variable_names=model.input_names,
        scale_variables=True,
    )
    contract = Contract(
        kind="policy",
        architecture={"name": "wells", **sizes},
        model=robot.name,
        state_names=model.state_names,
        input_names=model.input_names,
        condition_names=tuple(units),
        units=units | input_units(model),
        dt=grid.dt,
        horizon=horizon,
        condition_scaling=rows.condition_scaling,
        variable_scaling=rows.variable_scaling,
        sigmas=sigmas,
        data_digest=rows.digest,
        details={"sight": asdict(sight)},
    )
    return Task(build(contract), _denoising, _tensors(rows), contract, rows.warnings)


def transition_task(
    robot: Robot,
    recordings: Sequence[Recording],
    grid: Grid,
    *,
    held_out: float,
    density: tuple[float, ...],
    floor: float,
    smoothing: float,
    sizes: Mapping[str, int],
) -> Task:
    """Return the task of learning what the nominal model gets wrong over a step.

    A coordinate that hardly scatters would have an energy of any depth: the density learned is
    that of y + σ z, z ~ N(0, I), with σ = `smoothing`.

    Args:
        robot: The robot, whose model is the nominal one.
        recordings: Its drives.
        grid: Their common grid of time.
        held_out: Share of each drive, its last, that is held out.
        density: Diagonal of Q_w per second that residuals y are measured by; empty for the one
            that they have.
        floor: Variance added to each of it over a step.
        smoothing: σ.
        sizes: The network's: hidden.

    Raises:
        DataError: The drives can't be learned from.
    """
    model = robot.model
    units = transition_units(model)
    steps = [transitions(segments(model, recording, grid)) for recording in recordings]
    if density:
        noise = Noise(density=density, floor=floor)
    else:
        known = [step.rows(before_split(step.begin, step.end, held_out)) for step in steps]
        noise = fitted_noise(
            model, floor, grid.dt, *(np.concatenate(parts) for parts in zip(*known, strict=True))
        )
    drives = [
        Drive(
            transition_condition(model, step.states, step.inputs),
            residuals(model, noise, grid.dt, step.states, step.inputs, step.following),
            step.begin,
            step.end,
        )
        for step in steps
    ]
    rows = dataset(
        drives,
        held_out=held_out,
        condition_names=tuple(units),
        variable_names=[f"the residual of {name}" for name in model.state_names],
        scale_variables=False,
    )
    factor, reach = support(rows.train[0].astype(float))
    contract = Contract(
        kind="transition",
        architecture={"name": "mlp", **sizes},
        model=robot.name,
        state_names=model.state_names,
        input_names=model.input_names,
        condition_names=tuple(units),
        units=units,
        dt=grid.dt,
        horizon=1,
        condition_scaling=rows.condition_scaling,
        variable_scaling=rows.variable_scaling,
        sigmas=(smoothing,),
        data_digest=rows.digest,
        details={
            "noise": asdict(noise),
            "support": {"factor": factor.tolist(), "reach": reach},
        },
    )

    def loss(network: torch.nn.Module, c: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """Return the implicit loss with the exact trace, of smoothed y."""
        assert isinstance(network, EnergyMLP)  # noqa: S101
        noise = torch.randn(y.shape, generator=generator, device=y.device)
        return score_matching.implicit(network.score_and_laplacian, y + smoothing * noise, c).mean()

    return Task(build(contract), loss, _tensors(rows), contract, rows.warnings)


def _denoising(network: torch.nn.Module, c: Tensor, y: Tensor, generator: Generator) -> Tensor:
    assert isinstance(network, Wells)  # noqa: S101
    return denoising_loss(network, c, y, generator)


def _tensors(rows: Dataset) -> TrainingData:
    return TrainingData(
        *(Pairs(*map(torch.from_numpy, part)) for part in (rows.train, rows.held_out))
    )
