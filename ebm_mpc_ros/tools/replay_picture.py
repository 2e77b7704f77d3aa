"""The picture of a replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.tools.innovations import nis_windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.tools.innovations import Innovation

_WINDOWS = 60


def draw_replay(path: Path, track: Sequence[Odometry], innovations: Sequence[Innovation]) -> None:
    """Draw the track; speed, yaw, uncertainty and each input's NIS with its χ² bounds over time."""
    stamps = np.array([o.stamp for o in track])
    time = (stamps - stamps[0]) * 1e-9
    position = np.array([o.position for o in track])
    yaw = np.unwrap([float(rotation.heading(o.quaternion)) for o in track])
    sigma = np.sqrt([np.trace(o.pose_covariance[:2, :2]) for o in track])
    sources = sorted({innovation.source for innovation in innovations})
    rows = ["speed", "yaw", "sigma", *(f"NIS {source}" for source in sources)]
    figure = Figure(figsize=(12, 2.0 + 1.5 * len(rows)), layout="constrained")
    axes = figure.subplot_mosaic([["track", row] for row in rows], width_ratios=(1.2, 1))
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
        axes[name].set(ylabel=label, xlim=(time[0], time[-1]))
        axes[name].grid(alpha=0.3)
    for source in sources:
        _draw_nis(axes[f"NIS {source}"], source, innovations, stamps[0], time[-1])
    axes[rows[-1]].set_xlabel("time (s)")
    figure.savefig(path, dpi=110)


def _draw_nis(
    axes: Any, source: str, innovations: Sequence[Innovation], start: int, length: float
) -> None:
    """Draw the mean NIS per degree of freedom of windows, and where 95 % of them should lie."""
    own = [i for i in innovations if i.source == source and np.isfinite(i.nis)]
    axes.set(ylabel=f"{source}\nNIS / dof", yscale="log", xlim=(0.0, max(length, 1e-3)))
    axes.axhline(1.0, color="black", lw=0.6)
    axes.grid(alpha=0.3)
    if not own:
        return
    windows = nis_windows(
        np.array([(i.stamp - start) * 1e-9 for i in own]),
        np.array([i.nis for i in own]),
        np.array([i.degrees for i in own]),
        np.linspace(0.0, max(length, 1e-3), _WINDOWS + 1),
    )
    axes.fill_between(
        windows.middles,
        windows.lows,
        windows.highs,
        color="tab:green",
        alpha=0.3,
        lw=0,
        label="95 % χ²",
    )
    axes.plot(windows.middles, windows.ratios, lw=0.9)
    axes.legend(loc="upper right", fontsize="small")
