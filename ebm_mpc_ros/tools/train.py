"""Bags to a checkpoint: an energy of the inputs driven, or of what the model gets wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.tools.console import console, progress
from ebm_mpc_ros.tools.train_config import group, load_config
from ebm_mpc_ros.tools.train_process import interruptible, processes
from ebm_mpc_ros.tools.train_report import report_data, report_result, report_use, reporter
from ebm_mpc_ros.tools.train_state import (
    CHECKPOINT,
    PICTURE,
    Keeper,
    finish,
    forget,
    prepare,
    resumed,
    told,
)
from ebm_mpc_ros.tools.train_task import load_robot, make_task, read_bags

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.learning.training import Trained
    from ebm_mpc_ros.learning.training_state import Progress, TrainingState

_USELESS, _INTERRUPTED = 1, 130


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
        help=f"folder for {CHECKPOINT} and {PICTURE}; with torchrun one that all processes see",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where an interrupted training in DIR stood"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train; print where the checkpoint is. Return 1 where nothing was learned."""
    values = load_config(arguments.config)
    model = load_robot(values, arguments.config)
    with processes() as first:
        prepare(arguments.out, resume=arguments.resume)
        recordings = read_bags(arguments.bag, model, values, arguments.config, shown=first)
        task = make_task(model, recordings, values, arguments.config)
        training = told(task.contract, values)
        state = resumed(arguments.out, training) if arguments.resume else None
        if first:
            report_data(task, recordings)
        keeper = Keeper(arguments.out, training)
        began = time.monotonic()
        with interruptible() as interrupted:
            looks: list[Progress] = []
            trained = _train(task, values, state, interrupted, keeper if first else None, looks)
        seconds = time.monotonic() - began
        try:
            code = _finish(arguments.out, task, trained, keeper, seconds, first=first)
        finally:
            if looks:
                _draw(arguments.out / PICTURE, task, looks)
        if first and code == 0:
            report_use(task, arguments.out / CHECKPOINT)
        return code


def _train(
    task: Task,
    values: Mapping[str, Any],
    state: TrainingState | None,
    interrupted: Callable[[], bool],
    keeper: Keeper | None,
    looks: list[Progress],
) -> Trained:
    """Train, and add each look at the held-out loss; only the first of several processes tells."""
    from ebm_mpc_ros.learning.training import TrainingSettings, train  # noqa: PLC0415

    try:
        settings = TrainingSettings(**group(values, "training"))
        with progress("training", "steps", settings.steps, shown=bool(keeper)) as advance_to:
            steps = iter(range(state.progress.step if state else 0, settings.steps + 1))

            def stop() -> bool:
                advance_to(next(steps))
                return interrupted()

            return train(
                task.network,
                task.loss,
                task.data,
                settings,
                judge=task.judge,
                resume=state,
                report=reporter(task, looks) if keeper else None,
                keep=keeper.try_to_save if keeper else None,
                keep_every=values["save_every"],
                stop=stop,
            )
    except ValueError as error:
        raise UserError(f"training: {error}") from error


def _draw(path: Path, task: Task, looks: Sequence[Progress]) -> None:
    from ebm_mpc_ros.tools.train_picture import draw_training  # noqa: PLC0415

    try:
        draw_training(path, task, looks)
    except OSError as error:
        console.print(f"warning: no picture: {error}", style="yellow")
    else:
        console.print(f"picture: {path}")


def _finish(
    out: Path, task: Task, trained: Trained, keeper: Keeper, seconds: float, *, first: bool
) -> int:
    """Leave a checkpoint, or a state to go on from, or nothing where nothing was learned."""
    from ebm_mpc_ros.learning.training import TrainingEnded  # noqa: PLC0415

    reached, ended = trained.state.progress, trained.ended
    if ended is TrainingEnded.DIVERGED:
        if first:
            forget(out)
        raise UserError(f"after step {reached.step} {ended.value}: lower training.learning_rate")
    useless = not reached.best_loss < task.simple_loss
    if not first:
        if ended is TrainingEnded.INTERRUPTED:
            return _INTERRUPTED
        return _USELESS if useless else 0
    if ended is TrainingEnded.INTERRUPTED:
        keeper.save(trained.state)
        console.print(f"interrupted after {reached.step} steps; --resume goes on from there")
        return _INTERRUPTED
    report_result(task, trained, seconds)
    if useless:
        forget(out)
        console.print(
            "that is no better, so no checkpoint is left: more or other bags, more training.steps "
            "or another training.learning_rate",
            style="yellow",
        )
        return _USELESS
    print(f"checkpoint: {finish(out, task)}", flush=True)
    return 0
