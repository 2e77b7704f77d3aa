"""A recorded run, read from a bag of ours or of somebody else's."""

from __future__ import annotations

from collections import Counter
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.frames import UnknownFrameError, bare
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import plausible, quaternion, square, stamp_of, vector
from ebm_mpc_ros.tools.report_clock import Clock
from ebm_mpc_ros.tools.report_events import Diagnoses
from ebm_mpc_ros.tools.report_health import FIGURES
from ebm_mpc_ros.tools.report_obstacles import Obstacles
from ebm_mpc_ros.tools.report_run import Forecast, Run, Track, named, since

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.tools.report_topics import Roles

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]

ANEW = "the estimate computed anew"
_MOST = {"prediction": 1500, "policy": 1500, "plan": 200}
# Whose stamps tell the clock, odometries between them; and what is read once it is known.
_TRACKS, _OTHERS = ("estimate", "truth"), ("commands", "prediction", "policy", "plan")
_LATER = ("obstacles", "diagnostics")
_PLANAR = np.ix_((0, 1, 5), (0, 1, 5))
_LEFT_OUT = "are left out: "
_ABSURD = f"{_LEFT_OUT}not finite or absurdly large"
_OTHER_STRETCH = (
    f"{_LEFT_OUT}a clock was set back, or a simulation started over, and the longest stretch "
    "without that is shown"
)


def read_run(bag: Bag, roles: Roles, computed: tuple[str, Sequence[Odometry]] | None = None) -> Run:
    """Return the run in a bag.

    Args:
        bag: The bag.
        roles: What its topics are for.
        computed: Frame and estimates of its sensors, for a bag that has no estimate.

    Raises:
        BagError: The bag is damaged.
    """
    reader = _Reader(bag, roles)
    later = {roles.topics[role] for role in _LATER if role in roles.topics}
    for topic, time, message in bag.messages(reader.topics - later, reader.every):
        reader.take(topic, time, message)
    run, clock = reader.run(bag, computed)
    return _with_told(run, clock, bag, roles)


class _Path(NamedTuple):
    """Points that were sent: their stamp, arrival, frame, times after the stamp, x and y."""

    stamp: int
    arrival: int
    frame: str
    ahead: Stamps
    places: Floats


class _Reader:
    """Sorts messages by what they are for; times are ns until all are there."""

    def __init__(self, bag: Bag, roles: Roles) -> None:
        self._roles = roles
        by_role: dict[str, Callable[[str, int, Any], None]] = {
            "commands": self._command,
            "plan": self._plan,
            "prediction": self._prediction,
            "policy": self._trajectory,
        }
        self._takers: dict[str, Callable[[str, int, Any], None]] = {
            topic: by_role.get(role, self._odometry) for role, topic in roles.topics.items()
        }
        self._takers |= dict.fromkeys(roles.odometries, self._odometry)
        self.topics = set(self._takers)
        self.every = {
            roles.topics[role]: -(-bag.topic(roles.topics[role]).messages // most)
            for role, most in _MOST.items()
            if role in roles.topics
        }
        self._times: dict[str, list[tuple[int, int]]] = {}
        self._rows: dict[str, list[tuple[float, ...]]] = {}
        self._covariances: dict[str, list[Floats]] = {}
        self._frames: dict[str, str] = {}
        self._paths: dict[str, list[_Path]] = {}
        self._remarks: Counter[tuple[str, str]] = Counter()

    def take(self, topic: str, time: int, message: Any) -> None:
        """Take a message that arrived at `time` (ns)."""
        self._takers[topic](topic, time, message)

    def run(self, bag: Bag, computed: tuple[str, Sequence[Odometry]] | None) -> tuple[Run, Clock]:
        """Return all that was taken, and the clock that its stamps are of."""
        clock = self._clock()
        if clock.set_back:
            self._cut(clock)
        stamps = {
            topic: self._resolved(clock, topic, times) for topic, times in self._times.items()
        }
        ends = clock.at(np.array([bag.start_time, bag.end_time])).tolist()
        start = min((int(s.min()) for s in stamps.values()), default=ends[0])
        end = max((int(s.max()) for s in stamps.values()), default=ends[1])
        topics = self._roles.topics
        tracks = {
            topic: self._track(topic, stamps[topic], start)
            for topic in self._frames
            if topic in stamps
        }
        commands = topics.get("commands", "")
        run = Run(
            start=start,
            duration=(end - start) * 1e-9,
            estimate=tracks.get(topics.get("estimate", "")),
            truth=tracks.get(topics.get("truth", "")),
            odometries=[tracks[topic] for topic in self._roles.odometries if topic in tracks],
            commands=self._commands(commands, stamps.get(commands), start),
            forecasts={},
            every={role: self.every[topics[role]] for role in _MOST if role in topics},
            plans=[],
            obstacles=[],
            said=[],
            figures={},
            remarks=self._remarks,
            set_back=clock.set_back > 0,
        )
        if run.estimate is None and computed is not None and computed[1] and not run.set_back:
            run = run._replace(estimate=_computed(*computed, start))
        found = {
            role: self._forecasts(clock, role, run.main, start) for role in _MOST if role in topics
        }
        plans = found.pop("plan", [])
        forecasts = {role: each for role, each in found.items() if each}
        return run._replace(plans=plans, forecasts=forecasts), clock

    def _clock(self) -> Clock:
        """Return the clock of the first topic that has stamps."""
        there = self._roles.topics
        tracks = [there[role] for role in _TRACKS if role in there] + self._roles.odometries
        for topic in (*tracks, *(there[role] for role in _OTHERS if role in there)):
            times = self._times.get(topic) or [path[:2] for path in self._paths.get(topic, ())]
            stamped = [each for each in times if each[0]]
            if stamped:
                return Clock(*np.array(stamped).T)
        return Clock(*np.empty((2, 0), np.int64))

    def _cut(self, clock: Clock) -> None:
        """Leave out what did not arrive in the stretch that the clock is of."""
        for topic, times in [*self._times.items()]:
            kept = self._covered(clock, times)
            self._times[topic] = [*compress(times, kept)]
            self._rows[topic] = [*compress(self._rows[topic], kept)]
            if topic in self._covariances:
                self._covariances[topic] = [*compress(self._covariances[topic], kept)]
            if not self._times[topic]:
                del self._times[topic]
        for topic, paths in self._paths.items():
            kept = self._covered(clock, [path[:2] for path in paths])
            self._paths[topic] = [*compress(paths, kept)]

    def _covered(self, clock: Clock, times: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
        covered = clock.covers(np.array(times)[:, 1])
        self._remarks["messages", _OTHER_STRETCH] += int((~covered).sum())
        return covered

    def _resolved(self, clock: Clock, topic: str, times: Sequence[tuple[int, int]]) -> Stamps:
        resolved, lost = clock.resolved(*np.array(times).T)
        if lost:
            off = f"{clock.tolerance * 1e-9:.3g} s off"
            words = f"are placed by their arrival: their stamps are more than {off}"
            self._remarks[f"messages of {topic}", words] += lost
        return resolved

    def _absurd(self, topic: str) -> None:
        self._remarks[f"messages of {topic}", _ABSURD] += 1

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
            twist.linear.y,
            twist.angular.z,
        )
        if not plausible(numbers[:3], numbers[3:]):
            self._absurd(topic)
            return
        frame = bare(message.header.frame_id)
        first = self._frames.setdefault(topic, frame)
        if frame != first:
            words = f"{_LEFT_OUT}in the frame {named(frame)}, the first is in {named(first)}"
            self._remarks[f"messages of {topic}", words] += 1
            return
        self._keep_row(topic, stamp_of(message), time, numbers)
        covariance = square(message.pose.covariance, 6)[_PLANAR]
        self._covariances.setdefault(topic, []).append(covariance)

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
        speeds = (twist.linear.x, twist.linear.y, twist.angular.z)
        if not plausible((), speeds):
            self._absurd(topic)
            return
        self._keep_row(topic, stamp_of(message) if stamped else 0, time, speeds)

    def _commands(self, topic: str, stamps: Stamps | None, start: int) -> Floats:
        if stamps is None:
            return np.empty((0, 4))
        order = np.argsort(stamps, kind="stable")
        return np.column_stack((since(stamps[order], start), np.array(self._rows[topic])[order]))

    def _plan(self, topic: str, time: int, message: Any) -> None:
        self._keep_path(topic, stamp_of(message), time, message, [0], _places(message))

    def _prediction(self, topic: str, time: int, message: Any) -> None:
        stamps = [stamp_of(pose) for pose in message.poses]
        stamp = stamp_of(message) or next(iter(stamps), 0)
        ahead = [each - stamp for each in stamps]
        if ahead:
            self._keep_path(topic, stamp, time, message, ahead, _places(message))

    def _trajectory(self, topic: str, time: int, message: Any) -> None:
        points = [point for point in message.points if len(point.transforms)]
        elapsed = [point.time_from_start for point in points]
        moved = [point.transforms[0].translation for point in points]
        ahead = [e.sec * 1_000_000_000 + e.nanosec for e in elapsed]
        if ahead:
            places = [(m.x, m.y) for m in moved]
            self._keep_path(topic, stamp_of(message), time, message, ahead, places)

    def _keep_path(
        self,
        topic: str,
        stamp: int,
        time: int,
        message: Any,
        ahead: list[int],
        places: list[tuple[float, float]],
    ) -> None:
        if not plausible(places):
            self._absurd(topic)
            return
        frame, table = bare(message.header.frame_id), np.array(places).reshape(-1, 2)
        path = _Path(stamp, time, frame, np.array(ahead, np.int64), table)
        self._paths.setdefault(topic, []).append(path)

    def _forecasts(self, clock: Clock, role: str, main: Track | None, start: int) -> list[Forecast]:
        """Return the paths of a role that are in the frame of the main track.

        A plan in another one ends the plan before it.
        """
        topic, found = self._roles.topics[role], []
        for path in self._paths.get(topic, ()):
            if main is None or path.frame == main.frame or not len(path.places):
                found.append(path)
                continue
            words = _LEFT_OUT + _other_frame(path.frame, main)
            self._remarks[f"messages of {topic}", words] += 1
            if role == "plan":
                found.append(path._replace(places=path.places[:0]))
        if not found:
            return []
        times = self._resolved(clock, topic, [path[:2] for path in found])
        return [
            Forecast(since(time + path.ahead, start), path.places)
            for time, path in zip(times, found, strict=True)
        ]


def _with_told(run: Run, clock: Clock, bag: Bag, roles: Roles) -> Run:
    """Return the run with what is placed by the clock of all else: obstacles, diagnostics."""
    topics = {role: roles.topics[role] for role in _LATER if role in roles.topics}
    main = run.main

    def position(marker: Any) -> Floats:
        frame = bare(marker.header.frame_id)
        if main is not None and frame != main.frame:
            raise UnknownFrameError(_other_frame(frame, main))
        return vector(marker.pose.position)

    obstacles, diagnoses = Obstacles(position), Diagnoses(FIGURES, roles.namespace)
    for topic, time, message in bag.messages(topics.values()):
        if not clock.covers(np.array([time])).all():
            run.remarks["messages", _OTHER_STRETCH] += 1
            continue
        told = topic == topics.get("diagnostics")
        headed = [message] if told else message.markers
        stamp = max((stamp_of(each) for each in headed), default=0)
        (now,), _ = clock.resolved(np.array([stamp]), np.array([time]))
        if told:
            diagnoses.take(int(now), message.status)
        else:
            for reason in obstacles.take(message.markers, int(now)):
                run.remarks[f"markers of {topic}", _LEFT_OUT + reason] += 1
    end = run.start + round(run.duration * 1e9)
    said, figures = diagnoses.told(run.start, end)
    stood = obstacles.stood(run.start, end)
    return run._replace(obstacles=stood, said=said, figures=figures)


def _other_frame(frame: str, main: Track) -> str:
    return f"in the frame {named(frame)}, {main.topic} is in {named(main.frame)}"


def _places(message: Any) -> list[tuple[float, float]]:
    return [(p.pose.position.x, p.pose.position.y) for p in message.poses]


def _computed(frame: str, estimates: Sequence[Odometry], start: int) -> Track:
    """Return the track of an estimate that was computed from a bag's sensors."""
    headings = np.unwrap([float(rotation.heading(o.quaternion)) for o in estimates])
    table = np.array([(*o.position[:2], 0.0, *o.linear[:2], o.angular[2]) for o in estimates])
    table[:, 2] = headings
    covariances = np.array([o.pose_covariance[_PLANAR] for o in estimates])
    times = since(np.array([o.stamp for o in estimates]), start)
    return Track(ANEW, frame, times, table, covariances)
