"""A bag through the estimator: no DDS, no clock but the bag's, the same bytes every time."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, parse_transform
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, unit
from ebm_mpc_ros.learning.bags import Bag, BagWriter, open_bag
from ebm_mpc_ros.ros.conversion import quaternion, vector
from ebm_mpc_ros.ros.estimator import Estimator, Odometry
from ebm_mpc_ros.ros.estimator_parameters import input_kind
from ebm_mpc_ros.ros.inputs import INPUT_TYPES
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.tools.console import console, progress
from ebm_mpc_ros.tools.replay_picture import draw_replay

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_COLUMNS = ["stamp", "x", "y", "z", "qx", "qy", "qz", "qw", "vx", "vy", "vz", "wx", "wy", "wz"]
_ODOMETRY = "nav_msgs/msg/Odometry"
_COMMANDS = "/cmd_vel"
_COMMAND_TYPES = ("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist")
_LONGEST_GAP = 86_400 * 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="ROS 1 bag, or ROS 2 bag folder")
    parser.add_argument(
        "--params", type=Path, required=True, metavar="FILE", help="parameter YAML of the node"
    )
    parser.add_argument(
        "--node", default="ekf_node", metavar="NAME", help="node in FILE (default: ekf_node)"
    )
    parser.add_argument(
        "--static-transform",
        action="append",
        default=[],
        metavar="'PARENT CHILD X Y Z ROLL PITCH YAW'",
        help="mounting of a sensor in m and rad; may be repeated; overrides FILE and bag",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out/replay"),
        metavar="DIR",
        help="folder for estimate.csv, estimate.png and the bag estimate/ (default: out/replay)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay the bag; print where it ends."""
    estimator, unknown = Estimator.from_parameters(
        load_parameters(arguments.params, arguments.node)
    )
    for name in unknown:
        console.print(f"warning: {arguments.params}: unknown parameter {name}", style="yellow")
    try:
        overrides = [parse_transform(text) for text in arguments.static_transform]
    except ValueError as error:
        raise UserError(f"--static-transform: {error}") from error
    with open_bag(arguments.bag) as bag:
        _check_types(estimator, bag)
        _make_folder(arguments.out)
        configured = [parse_transform(text) for text in estimator.values["static_transforms"]]
        for parent, child, transform in (*_recorded_transforms(bag), *configured, *overrides):
            estimator.transforms.add(parent, child, transform)
        track = _replay(estimator, bag)
    if not track:
        _report_drops(estimator)
        raise UserError(f"{arguments.bag}: no message could be used, so there is no estimate")
    _write(arguments.out, estimator, track)
    _report_drops(estimator)
    _report_consistency(estimator)
    console.print(f"written: {arguments.out}/estimate.csv, estimate.png, estimate/ (MCAP)")
    x, y, z = track[-1].odometry.position
    print(f"final: {x:.4f} {y:.4f} {z:.4f}")
    return 0


class Row(NamedTuple):
    """An estimate and the bag's time (ns) at which it was published."""

    time: int
    odometry: Odometry


def replay(estimator: Estimator, bag: Bag) -> Iterator[tuple[int, Row | None]]:
    """Yield (bag time in ns, new estimate or None) for every tick of the estimator's timer.

    Messages come in the bag's order of arrival, ticks every 1/frequency from the first message.

    Raises:
        UserError: An input's topic is not in the bag, or the bag is damaged.
    """
    inputs = _inputs(estimator)
    commands = {_COMMANDS} & set(bag.topics) if estimator.values["use_control"] else set()
    period = round(1e9 / estimator.values["frequency"])
    tick: int | None = None

    def publish(now: int) -> Row | None:
        odometry = estimator.to_publish(now)
        return None if odometry is None else Row(now, odometry)

    for topic, time, message in bag.messages({*inputs, *commands}):
        tick = time + period if tick is None else tick
        if time - tick > _LONGEST_GAP:
            raise UserError(f"the bag is silent for {(time - tick) * 1e-9:.0f} s: its clock jumped")
        while tick < time:
            yield tick, publish(tick)
            tick += period
        if topic in commands:
            estimator.command(message, time)
        for name in inputs.get(topic, ()):
            estimator.receive(name, message, time)
    if tick is not None:
        yield tick, publish(tick)


def _replay(estimator: Estimator, bag: Bag) -> list[Row]:
    track = []
    start, end = bag.start_time, bag.end_time
    with progress("replay", "bag seconds", total=(end - start) * 1e-9) as advance_to:
        for time, row in replay(estimator, bag):
            if row is not None:
                track.append(row)
            advance_to((time - start) * 1e-9)
    return track


def _inputs(estimator: Estimator) -> dict[str, list[str]]:
    """Return the inputs of every topic."""
    inputs: dict[str, list[str]] = {}
    for name, topic in estimator.topics.items():
        inputs.setdefault(_absolute(topic), []).append(name)
    return inputs


def _check_types(estimator: Estimator, bag: Bag) -> None:
    wanted: dict[str, tuple[str, ...]] = {
        topic: (INPUT_TYPES[input_kind(name)],)
        for topic, names in _inputs(estimator).items()
        for name in names
    }
    if estimator.values["use_control"] and _COMMANDS in bag.topics:
        wanted[_COMMANDS] = _COMMAND_TYPES
    for topic, types in wanted.items():
        found = bag.topic(topic).type
        if found not in types:
            raise UserError(f"{topic} is {found} in the bag: must be {' or '.join(types)}")


def _recorded_transforms(bag: Bag) -> Iterator[tuple[str, str, Transform]]:
    if "/tf_static" not in bag.topics:
        return
    for _, _, message in bag.messages(["/tf_static"]):
        for entry in message.transforms:
            parent, child = entry.header.frame_id, entry.child_frame_id
            try:
                yield parent, child, _transform(entry.transform)
            except BadMeasurementError as error:
                console.print(f"dropped: /tf_static {parent} {child}: {error}", style="yellow")


def _transform(pose: Any) -> Transform:
    translation = vector(pose.translation)
    if not np.isfinite(translation).all():
        raise BadMeasurementError("translation not finite")
    return Transform(translation, unit(quaternion(pose.rotation)))


def _write(out: Path, estimator: Estimator, track: list[Row]) -> None:
    """Write into a temporary folder first, so that no half-written result is left."""
    odometry = [row.odometry for row in track]
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".replay-") as name:
            fresh = Path(name)
            _write_csv(fresh / "estimate.csv", odometry)
            _write_bag(fresh / "estimate", estimator, track)
            draw_replay(fresh / "estimate.png", odometry, estimator.filter.consistency)
            if (out / "estimate" / "metadata.yaml").is_file():
                shutil.rmtree(out / "estimate")
            for result in fresh.iterdir():
                result.replace(out / result.name)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise UserError(f"--out {out}: not writable")


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
            message = _message(writer.types.types, estimator, odometry)
            writer.write("/odometry/filtered", _ODOMETRY, time, message)


def _message(types: Any, estimator: Estimator, odometry: Odometry) -> Any:
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
        estimator.base_frame,
        types["geometry_msgs/msg/PoseWithCovariance"](pose, odometry.pose_covariance.ravel()),
        types["geometry_msgs/msg/TwistWithCovariance"](twist, odometry.twist_covariance.ravel()),
    )


def _report_drops(estimator: Estimator) -> None:
    for (name, reason), count in sorted(estimator.filter.dropped.items()):
        topic = estimator.topics.get(name, name)
        console.print(f"dropped: {count} of {name} ({topic}): {reason}", style="yellow")


def _report_consistency(estimator: Estimator) -> None:
    for name, statistics in sorted(estimator.filter.consistency.items()):
        low, high = statistics.bounds()
        console.print(
            f"{name}: {statistics.count} measurements, mean NIS per degree of freedom "
            f"{statistics.ratio:.3f} (95 % of consistent filters: {low:.3f} to {high:.3f})"
        )


def _absolute(topic: str) -> str:
    return topic if topic.startswith("/") else f"/{topic}"
