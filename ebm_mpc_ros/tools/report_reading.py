"""A recorded run in arrays, read from a bag of ours or of somebody else's."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import plausible, quaternion, square, stamp_of
from ebm_mpc_ros.tools.report_events import Diagnoses, Said
from ebm_mpc_ros.tools.report_obstacles import Obstacle, Obstacles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.tools.report_topics import Roles

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]

_MOST = {"prediction": 1500, "policy": 1500, "plan": 200}
_PLANAR = np.ix_((0, 1, 5), (0, 1, 5))
# ns: two clocks are not the same, and a stamp is of neither.
_OTHER_CLOCK, _LOST = 1_000_000_000, 3_600_000_000_000


class Track(NamedTuple):
    """Poses and twists by time.

    Attributes:
        topic: Where from.
        frame: That of the poses.
        times: (k,) s, rising.
        states: x, y, yaw, vx, vyaw (k, 5), yaw unwrapped.
        covariances: Of x, y, yaw (k, 3, 3).
    """

    topic: str
    frame: str
    times: Floats
    states: Floats
    covariances: Floats

    def at(self, times: Floats) -> Floats:
        """Return the states at other times, linear in between, NaN before and after the track."""
        return np.stack(
            [np.interp(times, self.times, c, np.nan, np.nan) for c in self.states.T], axis=-1
        )


class Forecast(NamedTuple):
    """Where the robot was to be: times (m,) s, x and y (m, 2)."""

    times: Floats
    places: Floats


class Run(NamedTuple):
    """What a bag has of a run; times are s from its start.

    Attributes:
        start: ns of the clock that stamps are of.
        duration: s.
        tracks: By role: estimate, truth; and odometry by topic.
        commands: Times, speed, turn rate (k, 3).
        forecasts: By role, and `every` so many-th of them.
        plans: Times and points (m, 2) of the paths that were to be followed.
        obstacles: Those that stood.
        said: What nodes said of themselves.
        figures: Their numbers by (node, name): times and values (k, 2).
        left_out: Messages that were not used, by topic and reason.
    """

    start: int
    duration: float
    estimate: Track | None
    truth: Track | None
    odometries: list[Track]
    commands: Floats
    forecasts: dict[str, list[Forecast]]
    every: dict[str, int]
    plans: list[Forecast]
    obstacles: list[Obstacle]
    said: list[Said]
    figures: dict[tuple[str, str], Floats]
    left_out: Counter[tuple[str, str]]

    @property
    def main(self) -> Track | None:
        """The track that tells best where the robot was: estimate, truth or odometry."""
        return next(iter([t for t in (self.estimate, self.truth, *self.odometries) if t]), None)


def read_run(bag: Bag, roles: Roles) -> Run:
    """Return the run in a bag.

    Raises:
        BagError: The bag is damaged.
    """
    reader = _Reader(bag, roles)
    topics = {*roles.topics.values(), *roles.odometries}
    for topic, time, message in bag.messages(topics, reader.every):
        reader.take(topic, time, message)
    return reader.run(bag)


class _Reader:
    """Sorts messages by what they are for; times are ns until all are there."""

    def __init__(self, bag: Bag, roles: Roles) -> None:
        self._roles = roles
        by_role: dict[str, Callable[[str, int, Any], None]] = {
            "commands": self._command,
            "plan": self._plan,
            "obstacles": self._obstacles_of,
            "prediction": self._path,
            "policy": self._trajectory,
            "diagnostics": self._diagnosis,
        }
        self._takers: dict[str, Callable[[str, int, Any], None]] = {
            topic: by_role.get(role, self._odometry) for role, topic in roles.topics.items()
        }
        self._takers |= dict.fromkeys(roles.odometries, self._odometry)
        self._role = {topic: role for role, topic in roles.topics.items()}
        self.every = {
            roles.topics[role]: -(-bag.topic(roles.topics[role]).messages // most)
            for role, most in _MOST.items()
            if role in roles.topics
        }
        self._times: dict[str, list[tuple[int, int]]] = {}
        self._rows: dict[str, list[tuple[float, ...]]] = {}
        self._covariances: dict[str, list[Floats]] = {}
        self._frames: dict[str, str] = {}
        self._forecasts: dict[str, list[tuple[Stamps, Floats]]] = {}
        self._obstacles = Obstacles()
        self._diagnoses = Diagnoses(roles.namespace)
        self._offsets: list[int] = []
        self.left_out: Counter[tuple[str, str]] = Counter()

    def take(self, topic: str, time: int, message: Any) -> None:
        """Take a message that arrived at `time` (ns)."""
        self._takers[topic](topic, time, message)

    def run(self, bag: Bag) -> Run:
        """Return all that was taken."""
        shift = int(np.median(self._offsets)) if self._offsets else 0
        shift = shift if abs(shift) > _OTHER_CLOCK else 0
        stamps = {topic: _resolved(times, shift) for topic, times in self._times.items()}
        start = min((int(s.min()) for s in stamps.values()), default=bag.start_time - shift)
        end = max((int(s.max()) for s in stamps.values()), default=bag.end_time - shift)
        tracks = {topic: self._track(topic, stamps[topic], start) for topic in self._frames}
        topics = self._roles.topics
        forecasts = {
            role: [_forecast(found, start) for found in self._forecasts.get(topics[role], [])]
            for role in ("prediction", "policy", "plan")
            if role in topics
        }
        said, figures = self._diagnoses.told(start + shift, end + shift)
        return Run(
            start,
            (end - start) * 1e-9,
            tracks.get(topics.get("estimate", "")),
            tracks.get(topics.get("truth", "")),
            [tracks[topic] for topic in self._roles.odometries if topic in tracks],
            self._commands(stamps, start),
            {role: forecasts[role] for role in ("prediction", "policy") if forecasts.get(role)},
            {self._role[topic]: step for topic, step in self.every.items()},
            forecasts.get("plan", []),
            self._obstacles.stood(start + shift, end + shift),
            said,
            figures,
            self.left_out,
        )

    def _stamp(self, time: int, message: Any) -> int:
        """Return a message's stamp, or its arrival where it has none."""
        stamp = stamp_of(message)
        if not stamp:
            return time
        self._offsets.append(time - stamp)
        return stamp

    def _keep_row(self, topic: str, stamp: int, time: int, row: tuple[float, ...]) -> None:
        self._times.setdefault(topic, []).append((stamp, time))
        self._rows.setdefault(topic, []).append(row)

    def _odometry(self, topic: str, time: int, message: Any) -> None:
        pose, twist = message.pose.pose, message.twist.twist
        numbers = (
            pose.position.x,
            pose.position.y,
            float(rotation.heading(quaternion(pose.orientation))),
            twist.linear.x,
            twist.angular.z,
        )
        if not plausible(numbers[:3], numbers[3:]):
            self.left_out[topic, "not finite or absurdly large"] += 1
            return
        self._keep_row(topic, self._stamp(time, message), time, numbers)
        covariance = square(message.pose.covariance, 6)[_PLANAR]
        self._covariances.setdefault(topic, []).append(covariance)
        self._frames[topic] = bare(message.header.frame_id)

    def _track(self, topic: str, stamps: Stamps, start: int) -> Track:
        order = np.argsort(stamps, kind="stable")
        states = np.array(self._rows[topic])[order]
        states[:, 2] = np.unwrap(states[:, 2])
        return Track(
            topic,
            self._frames[topic],
            since(stamps[order], start),
            states,
            np.array(self._covariances[topic])[order],
        )

    def _command(self, topic: str, time: int, message: Any) -> None:
        stamped = hasattr(message, "twist")
        twist = message.twist if stamped else message
        speed, turn = twist.linear.x, twist.angular.z
        if not plausible((), (speed, turn)):
            self.left_out[topic, "not finite or absurdly large"] += 1
            return
        at = self._stamp(time, message) if stamped else time
        self._keep_row(topic, at, time, (speed, turn))

    def _commands(self, stamps: Mapping[str, Stamps], start: int) -> Floats:
        topic = self._roles.topics.get("commands", "")
        if topic not in stamps:
            return np.empty((0, 3))
        order = np.argsort(stamps[topic], kind="stable")
        return np.column_stack(
            (since(stamps[topic][order], start), np.array(self._rows[topic])[order])
        )

    def _plan(self, topic: str, time: int, message: Any) -> None:
        at = self._stamp(time, message)
        places = [(p.pose.position.x, p.pose.position.y) for p in message.poses]
        self._keep(topic, [at] * len(places), places)

    def _path(self, topic: str, time: int, message: Any) -> None:
        self._stamp(time, message)
        places = [(p.pose.position.x, p.pose.position.y) for p in message.poses]
        self._keep(topic, [stamp_of(p) for p in message.poses], places)

    def _trajectory(self, topic: str, time: int, message: Any) -> None:
        at = self._stamp(time, message)
        points = [point for point in message.points if len(point.transforms)]
        elapsed = [point.time_from_start for point in points]
        moved = [point.transforms[0].translation for point in points]
        self._keep(
            topic,
            [at + e.sec * 1_000_000_000 + e.nanosec for e in elapsed],
            [(m.x, m.y) for m in moved],
        )

    def _keep(self, topic: str, stamps: list[int], places: list[tuple[float, float]]) -> None:
        if not places:
            return
        if not plausible(places):
            self.left_out[topic, "not finite or absurdly large"] += 1
            return
        self._forecasts.setdefault(topic, []).append((np.array(stamps), np.array(places)))

    def _obstacles_of(self, _: str, time: int, message: Any) -> None:
        self._obstacles.take(message.markers, time)

    def _diagnosis(self, _: str, time: int, message: Any) -> None:
        """Take what was said, by its arrival: a node may say it before its clock goes."""
        self._diagnoses.take(time, message.status)


def with_estimates(run: Run, frame: str, estimates: Sequence[Odometry], source: str) -> Run:
    """Return the run with an estimate that was computed from its sensors."""
    stamps = np.array([o.stamp for o in estimates])
    headings = np.unwrap([float(rotation.heading(o.quaternion)) for o in estimates])
    states = [(*o.position[:2], 0.0, o.linear[0], o.angular[2]) for o in estimates]
    table = np.array(states)
    table[:, 2] = headings
    covariances = np.array([o.pose_covariance[_PLANAR] for o in estimates])
    return run._replace(estimate=Track(source, frame, since(stamps, run.start), table, covariances))


def _forecast(found: tuple[Stamps, Floats], start: int) -> Forecast:
    stamps, places = found
    return Forecast(since(stamps, start), places)


def _resolved(times: Sequence[tuple[int, int]], shift: int) -> Stamps:
    """Return stamps (ns), and arrivals on the stamps' clock where a stamp is of no clock.

    Args:
        times: Stamps and arrivals; a message without a stamp has its arrival twice.
        shift: How far the clock of arrivals is ahead.
    """
    stamps, arrivals = np.array(times).T
    expected = arrivals - shift
    off = (np.abs(stamps - expected) > _LOST) | (stamps == arrivals)
    resolved: Stamps = np.where(off, expected, stamps)
    return resolved


def since(stamps: Stamps, start: int) -> Floats:
    """Return stamps (ns) in s from a start."""
    return (stamps - start).astype(np.float64) * 1e-9
