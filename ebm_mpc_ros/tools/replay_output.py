"""What a replay leaves behind: a table, a bag, a picture, a few lines."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rosbags.typesys import Stores, get_typestore

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import BagWriter
from ebm_mpc_ros.tools.console import console
from ebm_mpc_ros.tools.innovations import FILE, write_innovations
from ebm_mpc_ros.tools.replay_picture import draw_replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rosbags.typesys.store import Typestore

    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.ros.estimator import Estimator
    from ebm_mpc_ros.tools.innovations import Innovation

_COLUMNS = ["stamp", "x", "y", "z", "qx", "qy", "qz", "qw", "vx", "vy", "vz", "wx", "wy", "wz"]
_ODOMETRY = "nav_msgs/msg/Odometry"


class Row(NamedTuple):
    """An estimate and the bag's time (ns) at which it was published."""

    time: int
    odometry: Odometry


def make_folder(out: Path) -> None:
    """Make the folder of the results.

    Raises:
        UserError: It can't be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"--out {out}: not writable")


def write_results(
    out: Path, estimator: Estimator, track: list[Row], innovations: Sequence[Innovation]
) -> None:
    """Write into a temporary folder first, so that no half-written result is left."""
    odometry = [row.odometry for row in track]
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".replay-") as name:
            fresh = Path(name)
            _write_csv(fresh / "estimate.csv", odometry)
            _write_bag(fresh / "estimate", estimator, track)
            write_innovations(fresh / FILE, innovations, estimator.model.output_names)
            draw_replay(fresh / "estimate.png", odometry, innovations)
            if (out / "estimate" / "metadata.yaml").is_file():
                shutil.rmtree(out / "estimate")
            for result in fresh.iterdir():
                result.replace(out / result.name)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error


def _write_csv(path: Path, track: list[Odometry]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for odometry in track:
            numbers = np.concatenate(
                (odometry.position, odometry.quaternion, odometry.linear, odometry.angular)
            )
            stamp = f"{odometry.stamp // 10**9}.{odometry.stamp % 10**9:09d}"
            writer.writerow([stamp, *(f"{number:.9f}" for number in numbers)])


def _write_bag(path: Path, estimator: Estimator, track: list[Row]) -> None:
    with BagWriter(path) as writer:
        for time, odometry in track:
            message = odometry_message(writer.types.types, estimator, odometry)
            writer.write("/odometry/filtered", _ODOMETRY, time, message)


def odometry_message(types: Any, estimator: Estimator, odometry: Odometry) -> Any:
    """Return a rosbags Odometry."""

    def xyz(kind: str, values: Any) -> Any:
        return types[f"geometry_msgs/msg/{kind}"](*map(float, values))

    stamp = types["builtin_interfaces/msg/Time"](odometry.stamp // 10**9, odometry.stamp % 10**9)
    pose = types["geometry_msgs/msg/Pose"](
        xyz("Point", odometry.position), xyz("Quaternion", odometry.quaternion)
    )
    twist = types["geometry_msgs/msg/Twist"](
        xyz("Vector3", odometry.linear), xyz("Vector3", odometry.angular)
    )
    return types[_ODOMETRY](
        types["std_msgs/msg/Header"](stamp, estimator.world_frame),
        estimator.child_frame,
        types["geometry_msgs/msg/PoseWithCovariance"](pose, odometry.pose_covariance.ravel()),
        types["geometry_msgs/msg/TwistWithCovariance"](twist, odometry.twist_covariance.ravel()),
    )


def same_message(estimator: Estimator, odometry: Odometry | None, published: Any) -> bool:
    """Return whether an estimate is to the bit the message that was published, or both are none."""
    if odometry is None or published is None:
        return odometry is None and published is None
    types = _types()
    ours = types.serialize_cdr(odometry_message(types.types, estimator, odometry), _ODOMETRY)
    return bytes(ours) == bytes(types.serialize_cdr(published, _ODOMETRY))


@cache
def _types() -> Typestore:
    """Return ROS 2's types, whose code rosbags generates anew for every store."""
    return get_typestore(Stores.ROS2_JAZZY)


def report_drops(estimator: Estimator) -> None:
    """Print what was dropped, by input and reason, and what else a user should know."""
    for warning in estimator.warnings:
        console.print(f"warning: {warning}", style="yellow")
    for (name, reason), count in sorted(estimator.filter.dropped.items()):
        topic = estimator.topics.get(name, name)
        console.print(f"dropped: {count} of {name} ({topic}): {reason}", style="yellow")


def report_consistency(estimator: Estimator) -> None:
    """Print the mean NIS of each input."""
    for name, statistics in sorted(estimator.filter.consistency.items()):
        low, high = statistics.bounds()
        console.print(
            f"{name}: {statistics.count} measurements, mean NIS per degree of freedom "
            f"{statistics.ratio:.3f} (95 % of consistent filters: {low:.3f} to {high:.3f})"
        )
