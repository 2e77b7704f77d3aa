"""What is learned of the particle task: the data, the networks, their training, the policies."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from particle_task import FEATURES, STEPS, Oracle, chunks, draw, run
from torch import Tensor, nn

from ebm_mpc_ros.energy.networks import DenseNetwork, SharedNetwork
from ebm_mpc_ros.energy.wells import Wells, denoising_loss
from ebm_mpc_ros.learning.training import (
    Pairs,
    TrainingData,
    TrainingEnded,
    TrainingSettings,
    train,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Generator

    Array = NDArray[np.float64]

M = TypeVar("M", bound=nn.Module)

CHUNK = 8
_SIGMAS = 0.01, 6.0
_WELLS = 16
_WIDTHS = {"shared": 64, "dense": 256}
_A_SEED = 20
_TEST_SEEDS, _DEMONSTRATION_SEEDS = range(50), range(10_000, 10_100)
_HELD_OUT = 100
_MIDDLE = np.array([0.5, 0.0, 0.5, 0.0, 0.5, 0.5])[:, None]
_ROWS = 50


class Demonstrations(NamedTuple):
    """Episodes of the oracle as data, the spread of the six features (6, 1), who succeeded."""

    data: TrainingData
    spread: Array
    success: NDArray[np.bool_]


class Regressor(nn.Module):
    """The centre of a network's only well."""

    def __init__(self, network: DenseNetwork | SharedNetwork) -> None:
        """Take the network."""
        super().__init__()
        self.network = network

    def forward(self, c: Tensor) -> Tensor:
        """Return the chunk (B, d) at c (B, C)."""
        centres: Tensor = self.network(c)[0]
        return centres[:, 0]


class Trained(NamedTuple, Generic[M]):
    """A trained module and the seconds that its training took."""

    module: M
    seconds: float


def demonstrations(size: int) -> Demonstrations:
    """Return 2,000 episodes, the first 100 of them held out, in N = `size` dimensions."""
    recording = run(draw(_DEMONSTRATION_SEEDS, _A_SEED, size), Oracle())
    spread = recording.observations.std(axis=(0, 1, 3))[:, None]
    actions = chunks(recording.actions, CHUNK)
    c = _rows((recording.observations - _MIDDLE) / spread)
    y = _rows((actions - _MIDDLE[-1]) / spread[-1])
    cut = _HELD_OUT * STEPS
    data = TrainingData(Pairs(c[cut:], y[cut:]), Pairs(c[:cut], y[:cut]))
    return Demonstrations(data, spread, recording.success)


def train_wells(
    data: TrainingData, size: int, kind: str, settings: TrainingSettings
) -> Trained[Wells]:
    """Train wells by denoising score matching."""
    return _trained(Wells(_network(size, kind, _WELLS), _SIGMAS), denoising_loss, data, settings)


def train_regressor(
    data: TrainingData, size: int, kind: str, settings: TrainingSettings
) -> Trained[Regressor]:
    """Train the same network but for its last layers, of one well, by the mean squared error."""
    return _trained(Regressor(_network(size, kind, 1)), _squared_error, data, settings)


def success(chunk: Callable[[Tensor], Tensor], spread: Array, size: int) -> NDArray[np.bool_]:
    """Return who succeeds of 20 episodes of each of 50 environment seeds.

    Args:
        chunk: From conditions (E, C) to chunks (E, d), both as the networks see them.
        spread: That of the features.
        size: N.
    """

    @torch.no_grad()
    def policy(seen: Array) -> Array:
        c = _rows((seen - _MIDDLE) / spread)
        y = torch.cat([chunk(part) for part in torch.split(c, _ROWS)])
        scaled = y.double().numpy().reshape(len(seen), CHUNK, size)
        actions: Array = scaled * spread[-1] + _MIDDLE[-1]
        return actions

    return run(draw(_TEST_SEEDS, _A_SEED, size), policy).success


def _rows(values: Array) -> Tensor:
    """Return (..., A, B) as rows of A · B values."""
    return torch.tensor(values.reshape(-1, math.prod(values.shape[-2:])), dtype=torch.float32)


def _network(size: int, kind: str, wells: int) -> DenseNetwork | SharedNetwork:
    torch.manual_seed(0)
    hidden = _WIDTHS[kind]
    if kind == "shared":
        return SharedNetwork(FEATURES, CHUNK, size, wells=wells, hidden=hidden)
    return DenseNetwork(FEATURES * size, CHUNK * size, wells=wells, hidden=hidden, balanced=True)


def _squared_error(regressor: Regressor, c: Tensor, y: Tensor, _generator: Generator) -> Tensor:
    error: Tensor = regressor(c) - y
    return error.square().sum(-1).mean()


def _trained(
    module: M,
    loss: Callable[[M, Tensor, Tensor, Generator], Tensor],
    data: TrainingData,
    settings: TrainingSettings,
) -> Trained[M]:
    start = time.monotonic()
    ended = train(module, loss, data, settings).ended
    if ended is TrainingEnded.DIVERGED:
        raise RuntimeError(ended.value)
    return Trained(module, time.monotonic() - start)
