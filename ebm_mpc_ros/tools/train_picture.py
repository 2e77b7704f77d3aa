"""The picture of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ebm_mpc_ros.learning.tasks import Task
    from ebm_mpc_ros.learning.training_state import Progress

_LIMITS = 1.5
"""How far above the simple answer's loss the axis reaches, in spans from it to the best."""


def draw_training(path: Path, task: Task, looks: Sequence[Progress]) -> None:
    """Draw the losses over the steps, beside that of a simple answer, and which weights were kept.

    Args:
        path: The picture.
        task: What was learned.
        looks: What each look at the held-out loss found, one or more.
    """
    steps = [look.step for look in looks]
    held_out = [look.held_out_loss for look in looks]
    best = looks[-1]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, [look.train_loss for look in looks], lw=0.9, alpha=0.6, label="learned from")
    axes.plot(steps, held_out, lw=1.4, marker=".", label="held out")
    axes.axhline(task.simple_loss, color="black", ls="--", lw=0.9, label=task.simple)
    axes.plot(best.best_step, best.best_loss, "o", color="tab:green", ms=8, label="kept")
    lowest = min(_finite(*held_out, best.best_loss, task.simple_loss), default=0.0)
    span = max(_finite(held_out[-1], task.simple_loss), default=lowest) - lowest
    if span > 0.0:
        axes.set_ylim(lowest - 0.1 * span, lowest + _LIMITS * span)
    axes.set(xlabel="step", ylabel="loss", title=f"{task.contract.kind}: {best.best_loss:.4g}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def _finite(*losses: float) -> list[float]:
    return [loss for loss in losses if math.isfinite(loss)]
