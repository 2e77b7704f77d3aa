"""Bags to a checkpoint: an energy of the inputs driven, or of what the model gets wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.conditions import Sight
from ebm_mpc_ros.learning.resampling import Grid
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.tools.console import console, progress
from ebm_mpc_ros.tools.replay_output import make_folder
from ebm_mpc_ros.tools.train_bags import read_recording
from ebm_mpc_ros.tools.train_config import group, load_config
from ebm_mpc_ros.tools.train_process import interruptible, processes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.learning.training import Trained
    from ebm_mpc_ros.learning.training_state import TrainingState

CHECKPOINT = "checkpoint.safetensors"
"""Name of the result in the folder of results."""
_STATE, _RUN = "training_state.safetensors", "training_run.json"
_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.add_argument(
        "--bag",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="BAG",
        help="ROS 1 bag or ROS 2 bag folder; several of any rates go together",
    )
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="YAML of the settings"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help=f"folder for {CHECKPOINT}; with torchrun one that all processes see",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where an interrupted training in DIR stood"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train; print where the checkpoint is."""
    values = load_config(arguments.config)
    with processes() as first:
        if first:
            make_folder(arguments.out)
        task = _task(arguments, values)
        for warning in task.warnings:
            _say(first, f"warning: {warning}", style="yellow")
        told = _told(task, values)
        state = _state(arguments.out, told) if arguments.resume else None
        rows, late = (len(part.c) for part in task.data)
        with interruptible() as interrupted:
            _say(first, f"{rows} rows to learn from, {late} held out")
            trained = _train(task, values, state, interrupted, first=first)
        return _finish(arguments, task, trained, told) if first else _code(trained)


def _task(arguments: argparse.Namespace, values: Mapping[str, Any]) -> Task:
    """Return what is to be trained, with weights that depend on the seed alone."""
    import torch  # noqa: PLC0415  torch takes seconds, and mistakes in the settings none

    from ebm_mpc_ros.energy.device import choose_device  # noqa: PLC0415
    from ebm_mpc_ros.learning.tasks import (  # noqa: PLC0415
        Robot,
        policy_task,
        transition_task,
    )

    try:
        device = choose_device(values["device"])
        robot = Robot(name=values["model"], model=load_model(values["model"]))
    except ValueError as error:
        raise UserError(f"--config {arguments.config}: {error}") from error
    recordings = [
        read_recording(bag, robot.model, values, arguments.config) for bag in arguments.bag
    ]
    grid = Grid(dt=values["dt"], longest_gap=values["longest_gap"])
    torch.manual_seed(values["training.seed"])
    try:
        if values["kind"] == "transition":
            task = transition_task(
                robot,
                recordings,
                grid,
                held_out=values["held_out"],
                density=tuple(values["process_noise"]),
                floor=values["noise_floor"],
                smoothing=values["smoothing"],
                sizes={"hidden": values["network.hidden"]},
            )
        else:
            task = policy_task(
                robot,
                recordings,
                grid,
                held_out=values["held_out"],
                sight=Sight(
                    look_ahead=values["look_ahead"],
                    nearest=values["nearest"],
                    obstacle_range=values["obstacle_range"],
                ),
                horizon=values["horizon"],
                sizes={name: values[f"network.{name}"] for name in ("wells", "hidden", "weights")},
                sigmas=(values["network.sigma_min"], values["network.sigma_max"]),
            )
    except ValueError as error:
        raise UserError(f"--config {arguments.config}: {error}") from error
    task.network.to(device)
    return task


def _train(
    task: Task,
    values: Mapping[str, Any],
    state: TrainingState | None,
    interrupted: Callable[[], bool],
    *,
    first: bool,
) -> Trained:
    from ebm_mpc_ros.learning.training import TrainingSettings, train  # noqa: PLC0415

    try:
        settings = TrainingSettings(**group(values, "training"))
        with progress("training", "steps", settings.steps, shown=first) as advance_to:
            steps = iter(range(state.progress.step if state else 0, settings.steps + 1))

            def stop() -> bool:
                advance_to(next(steps))
                return interrupted()

            return train(task.network, task.loss, task.data, settings, resume=state, stop=stop)
    except ValueError as error:
        raise UserError(f"training: {error}") from error


def _finish(
    arguments: argparse.Namespace, task: Task, trained: Trained, told: Mapping[str, Any]
) -> int:
    """Leave a checkpoint, or a state to go on from."""
    from ebm_mpc_ros.learning.checkpoint import save  # noqa: PLC0415
    from ebm_mpc_ros.learning.training import TrainingEnded  # noqa: PLC0415

    reached, out = trained.state.progress, arguments.out
    if trained.ended is TrainingEnded.DIVERGED:
        raise UserError(f"after {reached.step} steps {trained.ended.value}: lower learning_rate")
    if trained.ended is TrainingEnded.INTERRUPTED:
        _leave(out, trained, told)
        console.print(f"interrupted after {reached.step} steps; --resume goes on from there")
        return _INTERRUPTED
    save(out / CHECKPOINT, task.network, task.contract)
    for leftover in (_STATE, _RUN):
        (out / leftover).unlink(missing_ok=True)
    console.print(
        f"{reached.step} steps, {trained.ended.value}; held-out loss {reached.best_loss:.4f} "
        f"at step {reached.best_step}"
    )
    print(f"checkpoint: {out / CHECKPOINT}")
    return 0


def _leave(out: Path, trained: Trained, told: Mapping[str, Any]) -> None:
    """Write a state to go on from; what it belongs to is only said once it is whole."""
    from safetensors import SafetensorError  # noqa: PLC0415

    from ebm_mpc_ros.learning.checkpoint import write_whole  # noqa: PLC0415

    try:
        (out / _RUN).unlink(missing_ok=True)
        trained.state.save(out / _STATE)
    except (OSError, SafetensorError) as error:
        raise UserError(f"--out {out}: {error}") from error
    write_whole(out / _RUN, json.dumps(told, sort_keys=True).encode())


def _code(trained: Trained) -> int:
    return _INTERRUPTED if trained.ended.name == "INTERRUPTED" else 0


def _told(task: Task, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a training that goes on must have in common with the one before."""
    fixed = {name: value for name, value in values.items() if name != "device"}
    return {"settings": fixed, "data": task.contract.data_digest}


def _state(out: Path, told: Mapping[str, Any]) -> TrainingState:
    """Return where the interrupted training stood.

    Raises:
        UserError: There is none, or it had other data or settings.
    """
    from ebm_mpc_ros.learning.training_state import TrainingState  # noqa: PLC0415

    try:
        before = json.loads((out / _RUN).read_text(encoding="utf-8"))
        settings, data = before["settings"], before["data"]
        differing = [k for k, v in told["settings"].items() if settings.get(k) != v]
    except OSError as error:
        raise UserError(f"--resume: no interrupted training in {out}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"--resume: {out / _RUN} is damaged: start without it") from error
    if differing:
        raise UserError(f"--resume: the interrupted training had another {', '.join(differing)}")
    if data != told["data"]:
        raise UserError("--resume: the interrupted training had other bags")
    return TrainingState.load(out / _STATE)


def _say(first: bool, text: str, style: str = "") -> None:
    if first:
        console.print(text, style=style)
