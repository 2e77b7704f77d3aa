"""The training loop: Adam on a warmed-up cosine, averaged weights, early stopping, resuming."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Generator, Tensor, distributed, nn

from ebm_mpc_ros.energy.langevin import never
from ebm_mpc_ros.learning.training_state import Progress, TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

M = TypeVar("M", bound=nn.Module)

_HELD_OUT_ROWS = 1024
_SHUFFLE, _NOISE, _HELD_OUT = range(3)
_MOMENTS = {"first": "exp_avg", "second": "exp_avg_sq"}


class Pairs(NamedTuple):
    """Conditions c (M, C) and variables y (M, d), row by row."""

    c: Tensor
    y: Tensor


class TrainingData(NamedTuple):
    """What is learned from, and what the learned is judged by."""

    train: Pairs
    held_out: Pairs


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of `train`.

    Attributes:
        steps: Steps at the end of which the learning rate has come down to zero.
        batch_size: Rows a step, of all processes together.
        learning_rate: Its highest, reached after the warm-up.
        warm_up: Steps in which it rises from zero.
        averaging: Decay of the exponential average of the weights, a step.
        check_every: Steps between two looks at the held-out loss.
        patience: Looks without a new lowest loss after which the training stops.
        seed: Of the shuffling and of the noise in the loss.

    Raises:
        ValueError: A field is out of its range.
    """

    steps: int = 10_000
    batch_size: int = 128
    learning_rate: float = 3e-3
    warm_up: int = 200
    averaging: float = 0.999
    check_every: int = 500
    patience: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every field."""
        for name in ("steps", "batch_size", "check_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed is 1 or more")
        for name in ("warm_up", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed is 0 or more")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}, allowed are positive numbers")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging is {self.averaging}, allowed is 0 <= averaging < 1")


class TrainingEnded(Enum):
    """Why a training ended."""

    COMPLETE = "all steps are done"
    EARLY_STOP = "the held-out loss has ceased to fall"
    INTERRUPTED = "it was told to stop"
    DIVERGED = "the loss or its gradient is not finite"


@dataclass(frozen=True)
class Trained:
    """How a training ended, and where it stands."""

    ended: TrainingEnded
    state: TrainingState


def train(
    module: M,
    loss: Callable[[M, Tensor, Tensor, Generator], Tensor],
    data: TrainingData,
    settings: TrainingSettings,
    *,
    judge: Callable[[M, Tensor, Tensor, Generator], Tensor] | None = None,
    resume: TrainingState | None = None,
    report: Callable[[Progress], None] | None = None,
    keep: Callable[[TrainingState], None] | None = None,
    keep_every: float = 60.0,
    stop: Callable[[], bool] = never,
) -> Trained:
    """Minimise the mean loss over the data; leave the best averaged weights in the module.

    The best are those of the lowest held-out loss, or the last where nothing was looked at. All
    that is random depends on the seed and the step alone, so a training that went on from a state
    ends as one that never stopped. Under torch.distributed all processes begin with the weights of
    the first, each takes its share of every batch, and their gradients are averaged.

    Args:
        module: What is trained, on the device to train on.
        loss: Mean loss of a batch (module, c, y, generator), the generator being for its noise.
        data: What is learned from, and what the learned is judged by; moved to the device.
        settings: How.
        judge: The held-out loss, called as `loss` is, which it is where None; for a loss that is
            made to be descended on and not to be compared.
        resume: Where an earlier call with the same module, data and settings stood.
        report: Told the numbers at every look at the held-out loss.
        keep: Given a state to go on from, for the case that the power fails.
        keep_every: Seconds between two of those.
        stop: Asked before each step, and so a deadline or what Ctrl-C sets; no step is half done.

    Raises:
        ValueError: The state does not fit the module, a part of the data is empty or not finite,
            or a batch does not divide among the processes.
    """
    return _Training(module, loss, judge or loss, data, settings, resume).run(
        report, _Keeper(keep, keep_every), stop
    )


class _Training(Generic[M]):
    """One call of `train`."""

    def __init__(
        self,
        module: M,
        loss: Callable[[M, Tensor, Tensor, Generator], Tensor],
        judge: Callable[[M, Tensor, Tensor, Generator], Tensor],
        data: TrainingData,
        settings: TrainingSettings,
        resume: TrainingState | None,
    ) -> None:
        self._module, self._loss, self._judge = module, loss, judge
        self._settings = settings
        self._weights = dict(module.named_parameters())
        self._device = next(iter(self._weights.values())).device
        self._data = TrainingData(*(_checked(part, self._device) for part in data))
        self._generator = Generator(self._device)
        self._batch = min(settings.batch_size, len(self._data.train.c))
        self._rank, self._workers = 0, 1
        if distributed.is_initialized():
            self._rank, self._workers = distributed.get_rank(), distributed.get_world_size()
        if self._batch % self._workers:
            raise ValueError(
                f"batch_size is {self._batch}, allowed are multiples of {self._workers} processes"
            )
        if self._workers > 1:
            for weight in self._weights.values():
                distributed.broadcast(weight.detach(), 0)
        self._averaged = copy.deepcopy(module)
        self._adam = torch.optim.Adam(self._weights.values(), lr=0.0, fused=True)
        self._order = torch.empty(0)
        if resume is None:
            self._progress = Progress(0, math.nan, math.nan, math.inf, 0)
            self._best = _copies(self._weights)
        else:
            self._restore(resume)

    def run(
        self,
        report: Callable[[Progress], None] | None,
        keeper: _Keeper,
        stop: Callable[[], bool],
    ) -> Trained:
        settings = self._settings
        losses: list[float] = []
        ended = TrainingEnded.COMPLETE
        for step in range(self._progress.step, settings.steps):
            value, finite, stopped = self._gradient(step, stop)
            if stopped or not finite:
                ended = TrainingEnded.INTERRUPTED if stopped else TrainingEnded.DIVERGED
                break
            self._update(step)
            losses.append(value)
            self._progress = replace(self._progress, step=step + 1)
            if (step + 1) % settings.check_every == 0 or step + 1 == settings.steps:
                self._look(math.fsum(losses) / len(losses))
                losses.clear()
                if report is not None:
                    report(self._progress)
                late = step + 1 - self._progress.best_step
                if late >= settings.patience * settings.check_every:
                    ended = TrainingEnded.EARLY_STOP
                    break
            keeper.keep(self._state)
        state = self._state()
        self._put(self._module, self._best if self._progress.best_step else state.part("averaged"))
        return Trained(ended, state)

    def _gradient(self, step: int, stop: Callable[[], bool]) -> tuple[float, bool, bool]:
        """Return the loss, whether all is finite and whether to stop: the same in all processes."""
        self._seed(_NOISE, step, self._rank)
        rows = self._rows(step)
        c, y = (tensor[rows] for tensor in self._data.train)
        self._adam.zero_grad(set_to_none=False)
        value = self._loss(self._module, c, y, self._generator)
        value.backward()  # type: ignore[no-untyped-call]
        gradients = [w.grad for w in self._weights.values() if w.grad is not None]
        flags = torch.stack([value.detach(), value.new_tensor(float(stop()))])
        flat = torch.cat([flags, *(gradient.flatten() for gradient in gradients)])
        if self._workers > 1:
            distributed.all_reduce(flat)
            flat /= self._workers
            sizes = [gradient.numel() for gradient in gradients]
            for gradient, part in zip(gradients, torch.split(flat[2:], sizes), strict=True):
                gradient.copy_(part.view_as(gradient))
        return float(flat[0]), bool(flat.isfinite().all()), float(flat[1]) > 0.0

    def _update(self, step: int) -> None:
        settings = self._settings
        rise = min(1.0, (step + 1) / max(settings.warm_up, 1))
        fall = 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
        self._adam.param_groups[0]["lr"] = settings.learning_rate * rise * fall
        self._adam.step()
        # Young averages forget faster, or the first weights would weigh for long.
        decay = min(settings.averaging, (1.0 + step) / (10.0 + step))
        with torch.no_grad():
            averaged = self._averaged.parameters()
            for average, weight in zip(averaged, self._weights.values(), strict=True):
                average.lerp_(weight, 1.0 - decay)

    def _look(self, train_loss: float) -> None:
        """Judge the averaged weights by the held-out loss, under the same noise every time."""
        self._seed(_HELD_OUT)
        pairs, total = self._data.held_out, 0.0
        for rows in torch.split(torch.arange(len(pairs.c), device=self._device), _HELD_OUT_ROWS):
            c, y = pairs.c[rows], pairs.y[rows]
            total += float(self._judge(self._averaged, c, y, self._generator).detach()) * len(c)
        loss = total / len(pairs.c)
        progress = replace(self._progress, train_loss=train_loss, held_out_loss=loss)
        if loss < progress.best_loss:
            progress = replace(progress, best_loss=loss, best_step=progress.step)
            self._best = _copies(dict(self._averaged.named_parameters()))
        self._progress = progress

    def _rows(self, step: int) -> Tensor:
        """Return this process's share of a batch of the epoch's order."""
        epoch, place = divmod(step, len(self._data.train.c) // self._batch)
        if not place or not len(self._order):
            shuffle = Generator().manual_seed(self._number(_SHUFFLE, epoch))
            order = torch.randperm(len(self._data.train.c), generator=shuffle)
            self._order = order.to(self._device)
        start = place * self._batch
        return self._order[start + self._rank : start + self._batch : self._workers]

    def _seed(self, *counters: int) -> None:
        self._generator.manual_seed(self._number(*counters))

    def _number(self, *counters: int) -> int:
        numbers = np.random.SeedSequence((self._settings.seed, *counters))
        return int(numbers.generate_state(1)[0])

    def _state(self) -> TrainingState:
        moments = [self._adam.state[weight] for weight in self._weights.values()]
        parts: dict[str, Mapping[str, Tensor]] = {
            "weights": self._weights,
            "averaged": dict(self._averaged.named_parameters()),
            "best": self._best,
        }
        if all(moments):
            for part, key in _MOMENTS.items():
                values = (moment[key] for moment in moments)
                parts[part] = dict(zip(self._weights, values, strict=True))
        tensors = {
            f"{part}/{name}": tensor
            for part, values in parts.items()
            for name, tensor in _copies(values).items()
        }
        return TrainingState(self._progress, tensors)

    def _restore(self, state: TrainingState) -> None:
        self._progress = state.progress
        self._put(self._module, state.part("weights"))
        self._put(self._averaged, state.part("averaged"))
        self._best = state.part("best")
        for part, key in _MOMENTS.items():
            for name, moment in state.part(part).items():
                kept = self._adam.state[self._weights[name]]
                kept[key] = moment.to(self._device, copy=True)
                kept["step"] = torch.tensor(float(state.progress.step), device=self._device)

    @staticmethod
    @torch.no_grad()
    def _put(module: nn.Module, values: dict[str, Tensor]) -> None:
        weights = dict(module.named_parameters())
        if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in values.items()}:
            raise ValueError("the training state belongs to a module of another shape")
        for name, weight in weights.items():
            weight.copy_(values[name])


class _Keeper:
    """Hands over a state every so many seconds."""

    def __init__(self, keep: Callable[[TrainingState], None] | None, every: float) -> None:
        self._keep, self._every = keep, every
        self._last = time.monotonic()

    def keep(self, state: Callable[[], TrainingState]) -> None:
        if self._keep is not None and time.monotonic() - self._last >= self._every:
            self._keep(state())
            self._last = time.monotonic()


def _copies(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}


def _checked(pairs: Pairs, device: torch.device) -> Pairs:
    if not len(pairs.c) or len(pairs.c) != len(pairs.y):
        raise ValueError(f"data are {len(pairs.c)} c and {len(pairs.y)} y, allowed is one of each")
    if not bool(pairs.c.isfinite().all() and pairs.y.isfinite().all()):
        raise ValueError("data are not finite")
    return Pairs(pairs.c.to(device), pairs.y.to(device))
