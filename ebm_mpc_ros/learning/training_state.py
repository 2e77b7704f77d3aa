"""Where a training stands, kept in a file so that it can go on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ebm_mpc_ros.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_FORMAT = "ebm_mpc_ros training state 1"


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

    The tensors are named `weights/…`, `averaged/…`, `best/…`, and Adam's `first/…`, `second/…`.
    """

    progress: Progress
    tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of one of those parts."""
        start = name + "/"
        return {k.removeprefix(start): v for k, v in self.tensors.items() if k.startswith(start)}

    def save(self, path: Path) -> None:
        """Write a safetensors file; what stood there before stays until it is whole."""
        metadata = {"format": _FORMAT, "progress": json.dumps(asdict(self.progress))}
        unfinished = path.with_name(path.name + ".unfinished")
        save_file(self.tensors, unfinished, metadata)
        unfinished.replace(path)

    @staticmethod
    def load(path: Path) -> TrainingState:
        """Read what `save` wrote.

        Raises:
            UserError: There is no such file, or it is damaged or something else.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path}: can't be read as a training state: {error}") from error
        if metadata.get("format") != _FORMAT:
            raise UserError(f"{path}: is no training state that this version can go on from")
        try:
            progress = Progress(**json.loads(metadata["progress"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: the training state is damaged: {error}") from error
        return TrainingState(progress, tensors)
