"""Bags to recordings: the messages that a training reads, as arrays."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.estimation.frames import IDENTITY, bare
from ebm_mpc_ros.learning.bags import Bag, open_bag
from ebm_mpc_ros.learning.recording import DataError, Goal, Recording, Track, track
from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.conversion import plausible, quaternion, vector
from ebm_mpc_ros.ros.path_message import PathMessage, from_path
from ebm_mpc_ros.tools.train_estimate import Rows, estimated
from ebm_mpc_ros.tools.train_obstacles import read_obstacles
from ebm_mpc_ros.tools.train_twists import six, stamp_or, twists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ebm_mpc_ros.models import Model

_ODOMETRY = "nav_msgs/msg/Odometry"
_COMMANDS = ("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist")
_PATH, _POSE = "nav_msgs/msg/Path", "geometry_msgs/msg/PoseStamped"
_SAME = 1e-6


def read_recording(
    path: Path,
    model: Model,
    values: Mapping[str, Any],
    config: Path,
    advance_to: Callable[[float], None] = lambda _: None,
) -> Recording:
    """Return what a bag tells of a drive, as the settings ask for it.

    Args:
        path: The bag.
        model: The robot's model.
        values: The settings.
        config: Their file, beside which the estimator's lies.
        advance_to: Told the share of the bag that has been read.

    Raises:
        UserError: A topic is missing or of another type, a frame is another, a sample is not
            finite, or nothing is left.
    """
    dropped: Counter[str] | None = Counter() if values["bad_samples"] == "drop" else None
    with open_bag(path) as bag:
        whole = _messages(bag, values)
        bag.watch = lambda read: advance_to(min(read / whole, 1.0))
        told = _Messages(path, bag)
        if values["states"] == "estimate":
            stamps, rows, frame, base = estimated(bag, path, values["estimator"], config, dropped)
            what = f"{path}: the estimate"
        else:
            told.kind(values["states"], _ODOMETRY)
            what = told.named(values["states"])
            stamps, rows, frame, base = told.poses(values["states"])
        outputs = track(what, stamps, rows, dropped=dropped)
        states = Track(outputs.stamps, _states(model, outputs.values))
        commands, measured = _inputs(told, bag, values["inputs"], dropped)
        goals: tuple[Goal, ...] = ()
        obstacles: Any = ()
        if values["kind"] == "policy":
            if values["goal"] != "driven":
                goals = _goals(told, values["goal"], frame)
            if values["nearest"]:
                obstacles = read_obstacles(bag, path, values["obstacles"], frame)
    return Recording(
        name=str(path),
        states=states,
        commands=commands,
        twists=measured,
        goals=goals,
        obstacles=obstacles,
        inputs=values["inputs"],
        base=base,
        dropped=dropped or {},
    )


def _messages(bag: Bag, values: Mapping[str, Any]) -> int:
    """Return about how many messages of a bag are to be read."""
    names = {values[name] for name in ("states", "inputs", "goal", "obstacles") if name in values}
    every = values["states"] == "estimate"
    counts = (topic.messages for name, topic in bag.topics.items() if every or name in names)
    return max(sum(counts), 1)


class _Messages:
    """A bag's messages, with sentences that name it."""

    def __init__(self, path: Path, bag: Bag) -> None:
        self._path, self._bag = path, bag

    def named(self, topic: str) -> str:
        return f"{self._path}: {topic}"

    def kind(self, topic: str, *allowed: str) -> str:
        """Return the type of a topic, which must be one of those."""
        found = self._bag.topic(topic).type
        if found not in allowed:
            raise DataError(f"{self.named(topic)} is {found}: must be {' or '.join(allowed)}")
        return found

    def all(self, topic: str) -> list[tuple[int, Any]]:
        """Return (stamp or, without one, time of arrival, message) of a topic, in ns."""
        return [(stamp_or(m, time), m) for _, time, m in self._bag.messages([topic])]

    def poses(self, topic: str) -> Rows:
        """Return the canonical states in an Odometry's messages."""
        found = Rows([], [], "", "")
        frames = set()
        for stamp, message in self.all(topic):
            pose, twist = message.pose.pose, message.twist.twist
            attitude = quaternion(pose.orientation)
            length = float(np.linalg.norm(attitude))
            # A quaternion of no length is no attitude; NaN is told like any other.
            rpy = rotation.to_rpy(attitude / length) if length > 0.5 else (np.nan,) * 3
            angles = [float(angle) for angle in rpy]
            found.stamps.append(stamp)
            found.rows.append([*vector(pose.position), *angles, *six(twist), 0.0, 0.0, 0.0])
            frames.add((bare(message.header.frame_id), bare(message.child_frame_id)))
        if len(frames) > 1:
            told = " and ".join(f"{child!r} in {frame!r}" for frame, child in sorted(frames))
            raise DataError(f"{self.named(topic)} is the pose of {told}: must be of one robot")
        frame, base = next(iter(frames), ("", ""))
        return found._replace(frame=frame, base=base)


def _inputs(
    told: _Messages, bag: Bag, topic: str, dropped: Counter[str] | None
) -> tuple[Track | None, Track | None]:
    """Return commands or measured twists (k, 6)."""
    measured = told.kind(topic, *_COMMANDS, _ODOMETRY) == _ODOMETRY
    stamps, rows = twists(bag, topic)
    found = track(told.named(topic), stamps, rows, dropped=dropped)
    return (None, found) if measured else (found, None)


def _goals(told: _Messages, topic: str, frame: str) -> tuple[Goal, ...]:
    kind = told.kind(topic, _PATH, _POSE)
    goals: list[Goal] = []
    paths: list[PathMessage] = []
    for stamp, message in sorted(told.all(topic), key=lambda entry: entry[0]):
        own = bare(message.header.frame_id)
        if own != frame:
            raise DataError(f"{told.named(topic)} is in frame {own!r}, the states are in {frame!r}")
        if kind == _POSE:
            goals.append(Goal(stamp, _pose(told, topic, message)))
            continue
        path = _path(told, topic, message)
        # A node drives on where a path is told again, and to a pose from where it then is.
        if not paths or not path.is_again(paths[-1]):
            paths.append(path)
            goals.append(Goal(stamp, path.points, path.headings))
    return tuple(goals)


def _path(told: _Messages, topic: str, message: Any) -> PathMessage:
    try:
        path = from_path(message, IDENTITY)
    except ValueError as error:
        raise DataError(f"{told.named(topic)}: {error}") from error
    if len(path.points) < 2 or np.ptp(path.points, axis=0).max() < _SAME:
        raise DataError(f"{told.named(topic)}: a path of fewer than 2 distinct points")
    return path


def _pose(told: _Messages, topic: str, message: Any) -> Any:
    place, attitude = vector(message.pose.position), quaternion(message.pose.orientation)
    if not (plausible(place) and np.isfinite(attitude).all() and attitude.any()):
        raise DataError(f"{told.named(topic)}: a goal is not finite, or has no orientation")
    return np.array([[*place[:2], float(rotation.heading(attitude))]])


def _states(model: Model, canonical: Any) -> Any:
    """Return states (k, state_size) of rows of the fifteen canonical ones."""
    columns = [CANONICAL_STATES.index(name) for name in model.output_names]
    return np.array([model.state(row) for row in canonical[:, columns]])
