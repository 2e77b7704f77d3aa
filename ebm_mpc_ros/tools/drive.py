"""What a recorded drive was like: figures from its bag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import quaternion, stamp_of
from ebm_mpc_ros.simulation.courses import Course, clearance, cross_track
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS

if TYPE_CHECKING:
    from pathlib import Path

Floats = NDArray[np.float64]

NEAR_OBSTACLE = 1.5
"""Distance (m) from an obstacle's edge within which leaving the path is what the robot should."""
_TRACKS = ("/ground_truth/odom", "/odometry/filtered", "/wheel/odometry")
_START_DELAY = 1.0


class Track(NamedTuple):
    """Poses by stamp: times (k,) in s; x, y, yaw, vx, vyaw (k, 5)."""

    times: Floats
    states: Floats

    def at(self, times: Floats) -> Floats:
        """Return the states (…, 5) at other times, linear in between."""
        columns = self.states.copy()
        columns[:, 2] = np.unwrap(columns[:, 2])
        return np.column_stack([np.interp(times, self.times, column) for column in columns.T])


class Drive(NamedTuple):
    """A recorded drive, from the first command to the last."""

    course: Course
    truth: Track
    estimate: Track
    wheels: Track
    commands: Floats
    """Times (k,) and commanded speed and turn rate: (k, 3)."""
    samples: list[Floats]
    """A few moments' sampled plans, each (chains, points, 2)."""
    figures: dict[str, dict[str, str]]
    """The last /diagnostics of each node: values by name."""
    complaints: list[str]
    """What nodes said in /diagnostics at level ERROR after the start, each once."""


class Summary(NamedTuple):
    """The figures of a drive, in m, m and ms."""

    duration: float
    distance: float
    estimate_rmse: float
    wheels_rmse: float
    cross_track_rms: float
    cross_track_worst: float
    clearance: float
    touched: bool
    left_course: bool


def read_drive(bag: Path, course: Course) -> Drive | None:
    """Return the drive in a bag; None where the robot was never told to move.

    Raises:
        BagError: The bag can't be read.
    """
    with open_bag(bag) as opened:
        topics = set(opened.topics)
        if not {"/cmd_vel", *_TRACKS, "/diagnostics"} <= topics:
            return None
        sent = np.array(
            [
                (stamp_of(m) * 1e-9, m.twist.linear.x, m.twist.angular.z)
                for _, _, m in opened.messages(["/cmd_vel"])
            ]
        )
        moving = np.flatnonzero(sent[:, 1:].any(axis=1))
        if not moving.size:
            return None
        commands = sent[moving[0] :]
        tracks = {topic: _track(opened.messages([topic])) for topic in _TRACKS}
        samples = []
        if "/policy/samples" in topics:
            for _, _, message in opened.messages(["/policy/samples"]):
                lines = [[(p.x, p.y) for p in marker.points] for marker in message.markers]
                samples.append(np.array(lines))
        figures, complaints = _diagnostics(
            opened.messages(["/diagnostics"]), commands[0][0] + _START_DELAY, commands[-1][0]
        )
    return Drive(
        course,
        _between(tracks["/ground_truth/odom"], commands[0][0], commands[-1][0]),
        tracks["/odometry/filtered"],
        tracks["/wheel/odometry"],
        commands,
        samples,
        figures,
        complaints,
    )


def summarise(drive: Drive) -> Summary:
    """Return the figures of a drive, all against the true pose."""
    truth = drive.truth
    places = truth.states[:, :2]
    offset = cross_track(drive.course, places)
    room = clearance(drive.course, places, ROBOT_RADIUS)
    away = room > NEAR_OBSTACLE if len(drive.course.obstacles) else np.ones(len(places), bool)
    touches = int(drive.figures["simulator_node"]["touches"])

    def rmse(track: Track) -> float:
        error = track.at(truth.times)[:, :2] - places
        return float(np.sqrt(np.mean(np.sum(error**2, axis=1))))

    return Summary(
        duration=float(truth.times[-1] - truth.times[0]),
        distance=float(np.hypot(*np.diff(places, axis=0).T).sum()),
        estimate_rmse=rmse(drive.estimate),
        wheels_rmse=rmse(drive.wheels),
        cross_track_rms=float(np.sqrt(np.mean(offset[away] ** 2))) if away.any() else 0.0,
        cross_track_worst=float(np.abs(offset).max()),
        clearance=float(room.min()),
        touched=touches > 0 or float(room.min()) < 0.0,
        left_course=bool(np.abs(offset).max() > drive.course.half_width),
    )


def _track(messages: Any) -> Track:
    rows = []
    for _, _, m in messages:
        pose, twist = m.pose.pose, m.twist.twist
        yaw = float(rotation.heading(quaternion(pose.orientation)))
        place = (pose.position.x, pose.position.y, yaw, twist.linear.x, twist.angular.z)
        rows.append((stamp_of(m) * 1e-9, *place))
    table = np.array(rows)
    return Track(table[:, 0], table[:, 1:])


def _between(track: Track, start: float, end: float) -> Track:
    inside = (track.times >= start) & (track.times <= end)
    return Track(track.times[inside], track.states[inside])


def _diagnostics(
    messages: Any, start: float, end: float
) -> tuple[dict[str, dict[str, str]], list[str]]:
    figures: dict[str, dict[str, str]] = {}
    complaints: list[str] = []
    for _, time, message in messages:
        for status in message.status:
            name = status.name.rsplit("/", maxsplit=1)[-1]
            figures[name] = {value.key: value.value for value in status.values}
            if start < time * 1e-9 < end and status.level == 2:
                complaint = f"{name}: {status.message}"
                if complaint not in complaints:
                    complaints.append(complaint)
    return figures, complaints
