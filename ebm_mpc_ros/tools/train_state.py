"""The folder of a training: its checkpoint, and the state that one cut short goes on from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.array_file import CheckpointError, unfinished
from ebm_mpc_ros.tools.console import console
from ebm_mpc_ros.tools.replay_output import make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ebm_mpc_ros.learning.contract import Contract
    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.learning.training_state import TrainingState

CHECKPOINT = "checkpoint.safetensors"
"""Name of the result in the folder of results."""
PICTURE = "training.png"
"""Name of the picture of its losses."""
STATE = "training_state.safetensors"
"""Name of the state to go on from."""
# What may differ between a training and the one that goes on with it.
_FREE = ("device", "save_every")


def prepare(out: Path, *, resume: bool) -> None:
    """Make the folder.

    Raises:
        UserError: It can't be made or written, has a result, or has no training to go on with, or
            has one that nobody asked to go on with.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: is a file, must be a folder")
    if (out / CHECKPOINT).exists():
        raise UserError(f"--out {out}: has a {CHECKPOINT} already: name another folder")
    if resume and not (out / STATE).exists():
        raise UserError(f"--resume: no interrupted training in {out}")
    if not resume and (out / STATE).exists():
        raise UserError(
            f"--out {out}: has an interrupted training: go on with --resume, or remove {STATE}"
        )
    make_folder(out)


def told(contract: Contract, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training that goes on must have in common with the one before."""
    fixed = {name: value for name, value in values.items() if name not in _FREE}
    return {"settings": fixed, "data": contract.data_digest}


def resumed(out: Path, run: Mapping[str, Any]) -> TrainingState:
    """Return where the interrupted training stood.

    Raises:
        UserError: It is damaged, or had other data or settings.
    """
    from ebm_mpc_ros.learning.training_state import TrainingState  # noqa: PLC0415

    try:
        state = TrainingState.load(out / STATE)
    except CheckpointError as error:
        raise UserError(f"--resume: {error}; remove it to start anew") from error
    before = state.run.get("settings", {})
    differing = [
        f"{name} ({before.get(name, 'none')}, now {value})"
        for name, value in run["settings"].items()
        if before.get(name) != value
    ]
    if differing:
        raise UserError(f"--resume: the interrupted training had another {', '.join(differing)}")
    if state.run.get("data") != run["data"]:
        raise UserError("--resume: the interrupted training had other bags")
    return state


class Keeper:
    """Saves states to go on from."""

    def __init__(self, out: Path, run: Mapping[str, Any]) -> None:
        """Take the folder, and which training it is."""
        self._path, self._run = out / STATE, run
        self._warned = False

    def save(self, state: TrainingState) -> None:
        """Save a state in place of the last.

        Raises:
            CheckpointError: It can't be written.
        """
        replace(state, run=self._run).save(self._path)

    def try_to_save(self, state: TrainingState) -> None:
        """Save a state; say once where that fails, for the training itself goes on."""
        try:
            self.save(state)
        except CheckpointError as error:
            if not self._warned:
                console.print(f"warning: no state to go on from: {error}", style="yellow")
            self._warned = True


def finish(out: Path, task: Task) -> Path:
    """Write the checkpoint, remove what was kept to go on from, and return the checkpoint's path.

    Raises:
        CheckpointError: It can't be written.
    """
    from ebm_mpc_ros.learning.checkpoint import save  # noqa: PLC0415

    path = out / CHECKPOINT
    save(path, task.network, task.contract)
    forget(out)
    return path


def forget(out: Path) -> None:
    """Remove the state to go on from, and what a killed training was writing."""
    (out / STATE).unlink(missing_ok=True)
    for name in (STATE, CHECKPOINT):
        for leftover in out.glob(f"{unfinished(out / name)}*"):
            leftover.unlink()
