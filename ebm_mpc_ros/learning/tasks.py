"""Drives as something to train: a data set, the network and loss for it, and the contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from ebm_mpc_ros.energy import score_matching
from ebm_mpc_ros.energy.conditional_gaussian import (
    ConditionalGaussian,
    likelihood,
    weighted_likelihood,
)
from ebm_mpc_ros.energy.mlp import EnergyMLP
from ebm_mpc_ros.energy.wells import Wells, denoising_loss
from ebm_mpc_ros.learning.architecture import build
from ebm_mpc_ros.learning.checkpoint import options_of
from ebm_mpc_ros.learning.conditions import Sight, condition_units, input_units
from ebm_mpc_ros.learning.contract import Contract
from ebm_mpc_ros.learning.dataset import Dataset, Drive, before_split, dataset
from ebm_mpc_ros.learning.examples import demonstrations, transitions
from ebm_mpc_ros.learning.goals import FOLLOWING
from ebm_mpc_ros.learning.normaliser import Scaling
from ebm_mpc_ros.learning.recording import DataError
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

    from ebm_mpc_ros.control import FollowerSettings
    from ebm_mpc_ros.learning.architecture import Network
    from ebm_mpc_ros.learning.examples import Demonstrations
    from ebm_mpc_ros.learning.recording import Recording
    from ebm_mpc_ros.models import Model

_ACROSS = "across where the held-out part begins"

Loss = Callable[[torch.nn.Module, Tensor, Tensor, Generator], Tensor]


class Task(NamedTuple):
    """What `learning.training.train` takes, and what its result is for."""

    network: Network
    loss: Loss
    judge: Loss
    data: TrainingData
    contract: Contract
    left_out: Mapping[str, int]
    """How many moments are not learned from, by the reason."""
    simple: str
    """What `simple_loss` is the held-out loss of, against which a training shows its worth."""
    simple_loss: float
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
    following: FollowerSettings = FOLLOWING,
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
        following: How paths are followed where the policy is to drive.

    Raises:
        DataError: The drives can't be learned from.
    """
    model = robot.model
    found = [
        demonstrations(
            model, recording, segments(model, recording, grid), sight, horizon, following
        )
        for recording in recordings
    ]
    useless = [
        f"{recording.name}: nothing to learn from: {_reason(drive, horizon, grid.dt)}"
        for recording, drive in zip(recordings, found, strict=True)
        if not len(drive.begin)
    ]
    if len(useless) == len(found):
        raise DataError("; ".join(useless))
    units = condition_units(model, sight)
    rows = dataset(
        [Drive(drive.conditions, drive.inputs, drive.begin, drive.end) for drive in found],
        held_out=held_out,
        condition_names=tuple(units),
        variable_names=model.input_names,
        scale_variables=True,
        source=_source(recordings),
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
        details={"sight": asdict(sight)} | _options(model),
    )
    data = _tensors(rows)
    constant = Wells(_OneWell(*(part.shape[1] for part in data.train)), sigmas)
    with torch.no_grad():
        simple = float(_denoising(constant, *data.held_out, Generator().manual_seed(0)))
    return Task(
        network=build(contract),
        loss=_denoising,
        judge=_denoising,
        data=data,
        contract=contract,
        left_out={
            f"with less than {horizon} steps before a gap or the end": sum(
                drive.broken for drive in found
            ),
            "before the first goal": sum(drive.aimless for drive in found),
            _ACROSS: rows.split,
        },
        simple="the mean of all that was driven",
        simple_loss=simple,
        warnings=(*useless, *rows.warnings),
    )


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
    form: str = "mlp",
) -> Task:
    """Return the task of learning what the nominal model gets wrong over a step.

    A coordinate that hardly scatters would have an energy of any depth: the density learned is
    that of y + σ z, z ~ N(0, I), with σ = `smoothing`. One in which the model is right to within
    the floor, such as a command that is a state, is not learned by a gaussian.

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
        form: What is learned of y: "mlp", any energy, by score matching; "gaussian", one mode
            whose place and widths depend on c, by the likelihood.

    Raises:
        DataError: The drives can't be learned from.
    """
    model = robot.model
    units = transition_units(model)
    steps = [transitions(segments(model, recording, grid)) for recording in recordings]
    known = [step.rows(before_split(step.begin, step.end, held_out)) for step in steps]
    own = fitted_noise(
        model, floor, grid.dt, *(np.concatenate(parts) for parts in zip(*known, strict=True))
    )
    noise = Noise(density=density, floor=floor) if density else own
    names, chosen = model.state_names, list(range(len(model.state_names)))
    if form == "gaussian":
        chosen = [i for i in chosen if own.density[i] * grid.dt > floor] or chosen
    drives = [
        Drive(
            transition_condition(model, step.states, step.inputs),
            residuals(model, noise, grid.dt, step.states, step.inputs, step.following)[:, chosen],
            step.begin,
            step.end,
        )
        for step in steps
    ]
    rows = dataset(
        drives,
        held_out=held_out,
        condition_names=tuple(units),
        variable_names=[f"the residual of {names[i]}" for i in chosen],
        scale_variables=False,
        source=_source(recordings),
    )
    factor, reach = support(rows.train[0].astype(float))
    contract = Contract(
        kind="transition",
        architecture={"name": form, **sizes},
        model=robot.name,
        state_names=model.state_names,
        input_names=model.input_names,
        condition_names=tuple(units),
        units=units,
        dt=grid.dt,
        horizon=1,
        condition_scaling=rows.condition_scaling,
        variable_scaling=Scaling.identity(len(names)),
        sigmas=(smoothing,),
        data_digest=rows.digest,
        details={
            "learned": [names[i] for i in chosen],
            "noise": asdict(noise),
            "support": {"factor": factor.tolist(), "reach": reach},
        }
        | _options(model),
    )

    def smoothed(y: Tensor, generator: Generator) -> Tensor:
        return y + smoothing * torch.randn(y.shape, generator=generator, device=y.device)

    def loss(network: torch.nn.Module, c: Tensor, y: Tensor, generator: Generator) -> Tensor:
        """Return the implicit loss with the exact trace, or the likelihood, of smoothed y."""
        if isinstance(network, ConditionalGaussian):
            return weighted_likelihood(network, smoothed(y, generator), c).mean()
        return judge(network, c, smoothed(y, generator), generator)

    def judge(network: torch.nn.Module, c: Tensor, y: Tensor, _: Generator) -> Tensor:
        """Return the implicit loss or the likelihood of y that were smoothed once for all."""
        if isinstance(network, ConditionalGaussian):
            return likelihood(network, y, c).mean()
        assert isinstance(network, EnergyMLP)  # noqa: S101
        return score_matching.implicit(network.score_and_laplacian, y, c).mean()

    data = _tensors(rows)
    late = smoothed(data.held_out.y, Generator().manual_seed(0))
    # Of E = ½‖y‖²: no better than the model, and no worse.
    nominal = 0.5 * float(late.square().sum(-1).mean())
    if form == "mlp":
        nominal -= late.shape[1]
    return Task(
        network=build(contract),
        loss=loss,
        judge=judge,
        data=data._replace(held_out=data.held_out._replace(y=late)),
        contract=contract,
        left_out={_ACROSS: rows.split},
        simple="the model as it is",
        simple_loss=nominal,
        warnings=rows.warnings,
    )


class _OneWell(torch.nn.Module):
    """Places one well at the mean, whatever the condition."""

    wells, weights = 1, 3

    def __init__(self, conditions: int, variables: int) -> None:
        super().__init__()
        self.conditions, self.variables = conditions, variables

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        return c.new_zeros(len(c), 1, self.variables), c.new_zeros(len(c), 1, self.weights)


def _reason(drive: Demonstrations, horizon: int, dt: float) -> str:
    if drive.aimless:
        return "no goal is told before its end"
    return f"no part without a gap lasts a chunk of {horizon} steps, {horizon * dt:g} s"


def _source(recordings: Sequence[Recording]) -> str:
    """Return what the inputs come from, in words."""
    names = ", ".join(recording.name for recording in recordings)
    topics = ", ".join(sorted({recording.inputs for recording in recordings} - {""}))
    return f"{names} ({topics})" if topics else names


def _options(model: Model) -> dict[str, Mapping[str, float]]:
    """Return the numbers that the model was made with, if any, for a contract's details."""
    options = options_of(model)
    return {"options": options} if options else {}


def _denoising(network: torch.nn.Module, c: Tensor, y: Tensor, generator: Generator) -> Tensor:
    assert isinstance(network, Wells)  # noqa: S101
    return denoising_loss(network, c, y, generator)


def _tensors(rows: Dataset) -> TrainingData:
    return TrainingData(
        *(Pairs(*map(torch.from_numpy, part)) for part in (rows.train, rows.held_out))
    )
