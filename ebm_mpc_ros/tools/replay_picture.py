"""The picture of a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from ebm_mpc_ros.models import rotation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ebm_mpc_ros.estimation.consistency import Consistency
    from ebm_mpc_ros.ros.estimator import Odometry


def draw_replay(
    path: Path, track: Sequence[Odometry], consistency: Mapping[str, Consistency]
) -> None:
    """Draw the track, speed, yaw and uncertainty over time, and each input's mean NIS."""
    stamps = np.array([o.stamp for o in track])
    time = (stamps - stamps[0]) * 1e-9
    position = np.array([o.position for o in track])
    yaw = np.unwrap([float(rotation.heading(o.quaternion)) for o in track])
    sigma = np.sqrt([np.trace(o.pose_covariance[:2, :2]) for o in track])
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplot_mosaic(
        [["track", "speed"], ["track", "yaw"], ["track", "sigma"], ["track", "nis"]],
        width_ratios=(1.3, 1),
    )
    axes["track"].plot(position[:, 0], position[:, 1], lw=1.2)
    axes["track"].plot(*position[0, :2], "o", color="tab:green", label="start")
    axes["track"].plot(*position[-1, :2], "s", color="tab:red", label="end")
    axes["track"].set(xlabel="x (m)", ylabel="y (m)", title="estimated track", aspect="equal")
    axes["track"].set_adjustable("datalim")
    axes["track"].legend()
    for name, values, label in (
        ("speed", [o.linear[0] for o in track], "speed (m/s)"),
        ("yaw", yaw, "yaw (rad)"),
        ("sigma", sigma, "position σ (m)"),
    ):
        axes[name].plot(time, values, lw=0.8)
        axes[name].set(ylabel=label)
        axes[name].grid(alpha=0.3)
    axes["sigma"].set_xlabel("time (s)")
    names = sorted(consistency)
    axes["nis"].barh(names, [consistency[name].ratio for name in names], height=0.5)
    axes["nis"].axvline(1.0, color="black", lw=0.8)
    axes["nis"].set(xlabel="mean NIS / degrees of freedom (1 is consistent)", xscale="log")
    figure.savefig(path, dpi=110)
