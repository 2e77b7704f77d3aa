"""The main figures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.tools.report_health import TOUCHES
from ebm_mpc_ros.tools.report_numbers import path_length, pose_errors

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.innovations import InnovationTable
    from ebm_mpc_ros.tools.report_run import Run

_LEVEL_OF_ERROR = 2


def tiles(run: Run, table: InnovationTable | None) -> list[tuple[str, str]]:
    """Return names and values of what the run was like, as far as it is known."""
    found = [("duration", f"{run.duration:.1f} s")]
    track = run.truth or run.main
    if track is not None:
        found.append(("driven", f"{path_length(track.states[:, :2]):.1f} m"))
        ends = track.states[[0, -1], :2]
        found.append(("end from start", f"{float(np.hypot(*(ends[1] - ends[0]))):.2f} m"))
    found += _errors(run)
    found += _nis(table)
    for label, name in (("MPC tick", "tick"), ("sampling", "sampling")):
        found += _times(run, label, name)
    if run.said:
        errors_told = sum(said.level >= _LEVEL_OF_ERROR for said in run.said)
        found.append(("errors told", str(errors_told)))
    touches = [rows[-1, 1] for (_, key), rows in run.figures.items() if key == TOUCHES]
    if touches:
        found.append((TOUCHES, f"{max(touches):g}"))
    return found


def _errors(run: Run) -> list[tuple[str, str]]:
    """Return how far the estimate and the odometries were from the truth."""
    truth = run.placed_truth
    if truth is None:
        return []
    found = []
    for name, track in (
        ("estimate", run.estimate),
        *((odometry.topic, odometry) for odometry in run.odometries),
    ):
        if track is None or track.frame != truth.frame:
            continue
        errors = pose_errors(track, truth)
        if errors is not None:
            found.append((f"{name}, RMSE", errors.told))
    return found


def _nis(table: InnovationTable | None) -> list[tuple[str, str]]:
    """Return the mean NIS per degree of freedom of each input."""
    found = []
    for source, squares in sorted(table.squares.items()) if table is not None else ():
        finite = np.isfinite(squares.nis)
        if finite.any():
            ratio = squares.nis[finite].sum() / squares.degrees[finite].sum()
            found.append((f"{source}, mean NIS / dof", f"{ratio:.2f}"))
    return found


def _times(run: Run, label: str, name: str) -> list[tuple[str, str]]:
    """Return the last median and p99 of what a node says it takes."""
    for node, key in run.figures:
        slow = run.figures.get((node, f"{name} p99 ms"))
        if key == f"{name} median ms" and slow is not None:
            median = run.figures[node, key][-1, 1]
            return [(f"{label}, median / p99", f"{median:.1f} / {slow[-1, 1]:.1f} ms")]
    return []
