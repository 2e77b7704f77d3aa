"""A bag through the estimator: no DDS, no clock but the bag's, the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, parse_transform
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, unit
from ebm_mpc_ros.learning.bags import Bag, open_bag
from ebm_mpc_ros.ros.conversion import quaternion, vector
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.event_log import is_event_log, replay_events
from ebm_mpc_ros.ros.parameter_file import load_layers
from ebm_mpc_ros.tools.console import command, console, progress
from ebm_mpc_ros.tools.innovations import FILE, InnovationRecorder
from ebm_mpc_ros.tools.replay_output import (
    Row,
    make_folder,
    report_consistency,
    report_drops,
    same_message,
    write_results,
)
from ebm_mpc_ros.tools.replay_topics import COMMANDS, STATIC_TRANSFORMS, check_types, topics_read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from ebm_mpc_ros.estimation.filter import Observer

_LONGEST_GAP = 86_400 * 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tool's arguments."""
    parser.add_argument(
        "bag", type=Path, metavar="BAG", help="ROS 1 bag, ROS 2 bag folder, or ekf_node's event log"
    )
    parser.add_argument(
        "--params",
        type=Path,
        metavar="FILE",
        help="parameter YAML of the node; an event log has its own",
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
        help="folder for estimate.csv, innovations.csv, estimate.png and the bag estimate/ "
        "(default: out/replay)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay the bag; print where it ends."""
    recorder = InnovationRecorder()
    differing = 0
    with open_bag(arguments.bag) as bag:
        if is_event_log(bag):
            if arguments.params or arguments.static_transform:
                raise UserError(f"{arguments.bag} is an event log: it has its parameters in it")
            make_folder(arguments.out)
            estimator, track, differing = _replay_log(bag, recorder)
        else:
            if arguments.params is None:
                raise UserError("--params FILE is needed: the parameters of ekf_node")
            estimator = estimator_for(
                bag, (arguments.params,), arguments.node, arguments.static_transform, recorder
            )
            make_folder(arguments.out)
            track = _replay(estimator, bag)
    if not track:
        report_drops(estimator)
        raise UserError(f"{arguments.bag}: no message could be used, so there is no estimate")
    write_results(arguments.out, estimator, track, recorder.innovations)
    report_drops(estimator)
    report_consistency(estimator)
    console.print(f"written: {arguments.out}/estimate.csv, {FILE}, estimate.png, estimate/ (MCAP)")
    console.print(f"report: {command('report', str(arguments.out))}")
    x, y, z = track[-1].odometry.position
    print(f"final: {x:.4f} {y:.4f} {z:.4f}")
    return 1 if differing else 0


def estimator_for(
    bag: Bag,
    params: Sequence[Path],
    node: str = "ekf_node",
    static_transforms: Sequence[str] = (),
    observer: Observer | None = None,
) -> Estimator:
    """Return the estimator of parameter files, with the transforms that the bag has.

    Args:
        bag: The bag to be replayed.
        params: The parameter files; of two the later one wins.
        node: The node in them.
        static_transforms: Mountings that overrule those of file and bag.
        observer: Told of every measurement.

    Raises:
        UserError: A parameter, a transform or the type of a topic is not allowed.
    """
    estimator, unknown = Estimator.from_parameters(load_layers(params, node), observer)
    for name in unknown:
        console.print(
            f"warning: {', '.join(map(str, params))}: unknown parameter {name}", style="yellow"
        )
    try:
        overrides = [parse_transform(text) for text in static_transforms]
    except ValueError as error:
        raise UserError(f"--static-transform: {error}") from error
    topics = topics_read(estimator, bag)
    check_types(estimator, bag, topics)
    configured = [parse_transform(text) for text in estimator.values["static_transforms"]]
    for parent, child, transform in (*_recorded_transforms(bag, topics), *configured, *overrides):
        estimator.transforms.add(parent, child, transform)
    return estimator


def _replay_log(bag: Bag, recorder: InnovationRecorder) -> tuple[Estimator, list[Row], int]:
    """Return the estimator, its track, and how many estimates differ from the logged ones."""
    estimator: Estimator | None = None
    track, differing = [], 0
    for estimator, now, odometry, published in replay_events(bag, recorder):
        if odometry is not None:
            track.append(Row(now, odometry))
        differing += not same_message(estimator, odometry, published)
    if estimator is None:
        raise UserError("the event log has no ticks: nothing was estimated")
    console.print(
        f"{len(track)} estimates, {differing} of them not the same bits as the live node's",
        style="red" if differing else "green",
    )
    return estimator, track, differing


def replay(estimator: Estimator, bag: Bag) -> Iterator[tuple[int, Row | None]]:
    """Yield (bag time in ns, new estimate or None) for every tick of the estimator's timer.

    Messages come in the bag's order of arrival, ticks every 1/frequency from the first message.

    Raises:
        UserError: An input's topic is not in the bag, or the bag is damaged.
    """
    topics = topics_read(estimator, bag)
    topics.pop(STATIC_TRANSFORMS, None)
    inputs: dict[str, list[str]] = {}
    for name, topic in estimator.topics.items():
        inputs.setdefault(topics[topic], []).append(name)
    period = round(1e9 / estimator.values["frequency"])
    tick: int | None = None

    def publish(now: int) -> Row | None:
        odometry = estimator.to_publish(now)
        return None if odometry is None else Row(now, odometry)

    for topic, time, message in bag.messages(set(topics.values())):
        tick = time + period if tick is None else tick
        if time - tick > _LONGEST_GAP:
            raise UserError(f"the bag is silent for {(time - tick) * 1e-9:.0f} s: its clock jumped")
        while tick < time:
            yield tick, publish(tick)
            tick += period
        if topic == topics.get(COMMANDS):
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


def _recorded_transforms(
    bag: Bag, topics: Mapping[str, str]
) -> Iterator[tuple[str, str, Transform]]:
    if STATIC_TRANSFORMS not in topics:
        return
    for _, _, message in bag.messages([topics[STATIC_TRANSFORMS]]):
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
