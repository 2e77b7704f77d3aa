"""The picture of a drive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Circle

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from ebm_mpc_ros.tools.drive import Drive, Summary

_SHOWN_MOMENTS = 14


def draw_drive(path: Path, drive: Drive, summary: Summary, title: str) -> None:
    """Draw the course with the true, estimated and wheel tracks and samples; speeds; errors."""
    figure, axes = plt.subplot_mosaic(
        [["map", "speed"], ["map", "turn"], ["map", "error"]],
        figsize=(12, 6),
        width_ratios=(1.7, 1),
        layout="constrained",
    )
    _draw_map(axes["map"], drive)
    axes["map"].set_title(title)
    start = drive.truth.times[0]
    time = drive.truth.times - start
    commanded = drive.commands[:, 0] - start
    for name, column, label in (("speed", 3, "speed (m/s)"), ("turn", 4, "turn rate (rad/s)")):
        axes[name].step(
            commanded, drive.commands[:, column - 2], where="post", lw=0.9, label="commanded"
        )
        axes[name].plot(time, drive.truth.states[:, column], lw=1.1, label="true")
        axes[name].set(ylabel=label)
    axes["speed"].legend(loc="lower right", fontsize=8)
    for track, label, colour in (
        (drive.wheels, f"wheels, RMSE {summary.wheels_rmse:.2f} m", "tab:gray"),
        (drive.estimate, f"estimate, RMSE {summary.estimate_rmse:.3f} m", "tab:blue"),
    ):
        error = track.at(drive.truth.times)[:, :2] - drive.truth.states[:, :2]
        axes["error"].semilogy(time, np.hypot(*error.T) + 1e-4, label=label, color=colour)
    axes["error"].set(xlabel="time (s)", ylabel="position error (m)")
    axes["error"].legend(loc="lower right", fontsize=8)
    for name in ("speed", "turn", "error"):
        axes[name].grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_map(axes: Axes, drive: Drive) -> None:
    course = drive.course
    points = np.vstack((course.points, course.points[:1])) if course.closed else course.points
    axes.plot(*points.T, color="0.75", lw=6, solid_capstyle="round", label="course")
    for moment in drive.samples[:: max(1, len(drive.samples) // _SHOWN_MOMENTS)]:
        for rank, line in enumerate(moment):
            share = rank / max(len(moment) - 1, 1)
            axes.plot(*line.T, color=plt.get_cmap("RdYlGn_r")(share), lw=0.5, alpha=0.5)
    axes.plot(*drive.wheels.states[:, :2].T, "--", color="tab:gray", lw=1, label="wheel odometry")
    axes.plot(*drive.truth.states[:, :2].T, color="black", lw=1.6, label="true track")
    axes.plot(*drive.estimate.states[:, :2].T, color="tab:blue", lw=1, label="estimate")
    for x, y, radius in course.obstacles:
        axes.add_patch(Circle((x, y), radius, color="tab:red", zorder=5))
    axes.plot(*drive.truth.states[0, :2], "o", color="tab:green", label="start", zorder=6)
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    axes.set(xlabel="x (m)", ylabel="y (m)", aspect="equal", xlim=(low[0], high[0]))
    axes.set_ylim(low[1], high[1])
    axes.legend(loc="upper center", ncols=5, fontsize=8)
