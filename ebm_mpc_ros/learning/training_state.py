"""Where a training stands, kept in a file so that it can go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from ebm_mpc_ros.learning.array_file import CheckpointError, one_line, read_arrays, write_arrays

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

_ENTRY = "ebm_mpc_ros training state 2"


@dataclass(frozen=True)
class Progress:
    """The numbers of a training that stands after a step.

    Attributes:
        step: Steps done.
        train_loss: Mean loss of the batches since the last check; NaN before the first.
        held_out_loss: Held-out loss of the averaged weights at the last check; NaN before.
        best_loss: The lowest of those.
        best_step: When that was.
    """

    step: int
    train_loss: float
    held_out_loss: float
    best_loss: float
    best_step: int


@dataclass(frozen=True)
class TrainingState:
    """All that a training needs to go on as if it had not stopped: `progress` and tensors.

    The tensors are named `weights/…`, `averaged/…`, `best/…`, and Adam's `first/…`, `second/…`;
    `run` says which training it is, for whoever goes on with it.
    """

    progress: Progress
    tensors: dict[str, Tensor]
    run: Mapping[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one of those parts."""
        start = name + "/"
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}

    def save(self, path: Path) -> None:
        """Write a safetensors file; what stood there before stays until it is whole.

        Raises:
            CheckpointError: It can't be written.
        """
        text = json.dumps({"progress": asdict(self.progress), "run": self.run}, sort_keys=True)
        write_arrays(path, self.tensors, _ENTRY, text)

    @staticmethod
    def load(path: Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            CheckpointError: There is no such file, or it is damaged or something else.
        """
        arrays, text = read_arrays(path, _ENTRY, "training state")
        try:
            told = json.loads(text)
            progress, run = Progress(**told["progress"]), dict(told["run"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path}: damaged: {one_line(error)}") from error
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        return TrainingState(progress, tensors, run)
