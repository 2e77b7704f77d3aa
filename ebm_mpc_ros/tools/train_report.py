"""What a training says of its data, its progress and its result."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

import yaml

from ebm_mpc_ros.tools.console import command, console
from ebm_mpc_ros.tools.train_use import node_parameters, step_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ebm_mpc_ros.learning.recording import Recording
    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.learning.training import Trained
    from ebm_mpc_ros.learning.training_state import Progress

# The robot of the simulation.
_SIMULATED = "diff_drive"
# Rows whose loss tells little.
_FEW = 30


def report_data(task: Task, recordings: Sequence[Recording]) -> None:
    """Say how much there is to learn from, and what is left out and why."""
    rows, late = (len(part.c) for part in task.data)
    contract = task.contract
    kind = "transitions" if contract.kind == "transition" else "demonstrations"
    chunk = f" of {contract.horizon} steps" if contract.kind == "policy" else ""
    seconds = sum(float(r.states.stamps[-1] - r.states.stamps[0]) * 1e-9 for r in recordings)
    bags = "1 bag" if len(recordings) == 1 else f"{len(recordings)} bags"
    weights = sum(weight.numel() for weight in task.network.parameters())
    console.print(f"{bags}, {span(seconds)}: {rows + late} {kind}{chunk}, {contract.dt:g} s a step")
    console.print(f"{rows} to learn from, {late} held out; a network of {weights} weights")
    for reason, count in task.left_out.items():
        if count:
            console.print(f"left out: {count} {reason}")
    for recording in recordings:
        for source, count in recording.dropped.items():
            console.print(f"left out: {count} samples not finite of {source}")
    if late < _FEW:
        _warn(f"only {late} held out judge the training: longer bags or a larger held_out help")
    for warning in task.warnings:
        _warn(warning)
    if contract.kind == "transition":
        for warning in step_warnings(contract.dt):
            _warn(warning)


def reporter(task: Task, looks: list[Progress]) -> Callable[[Progress], None]:
    """Return what tells of a look at the held-out loss, and adds it to `looks`."""

    def report(now: Progress) -> None:
        looks.append(now)
        best = ", the lowest" if now.best_step == now.step else ""
        console.print(f"step {now.step}: held-out loss {now.held_out_loss:.4g}{best}")

    console.print(f"held-out loss of {task.simple}: {task.simple_loss:.4g}")
    return report


def report_result(task: Task, trained: Trained, seconds: float) -> None:
    """Say how the training ended and what it is worth."""
    reached = trained.state.progress
    console.print(f"{reached.step} steps in {span(seconds)}: {trained.ended.value}")
    console.print(
        f"held-out loss {reached.best_loss:.4g} at step {reached.best_step}; "
        f"{task.simple}: {task.simple_loss:.4g}"
    )


def report_use(task: Task, path: Path) -> None:
    """Say how to drive with a policy, or on a transition."""
    contract, absolute = task.contract, shlex.quote(str(path.absolute()))
    if contract.kind == "transition":
        console.print("drive on it, by these parameters of the nodes beside yours:")
        given = node_parameters(contract, path)
        console.print(yaml.safe_dump(given, sort_keys=False, width=math.inf), end="")
        return
    console.print("drive with it:")
    if contract.model == _SIMULATED:
        console.print(f"  {command('demo', '--checkpoint', str(path))}")
        console.print(f"  ros2 launch ebm_mpc_ros simulation.launch.py checkpoint:={absolute}")
    else:
        console.print(f"  ros2 launch ebm_mpc_ros bringup.launch.py checkpoint:={absolute}")
    console.print(
        f"where policy_node has model {contract.model}, dt {contract.dt:g}, "
        f"horizon {contract.horizon}"
    )


def _warn(what: str) -> None:
    console.print(f"warning: {what}", style="yellow")


def span(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
