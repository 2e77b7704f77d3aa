"""What the controller tracks: planar states (x, y, yaw, vx, vyaw) over the horizon."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.problem import check_count, check_positive

if TYPE_CHECKING:
    from ebm_mpc_ros.control.path import ReferencePath
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]

PLANAR_STATES = ("x", "y", "yaw", "vx", "vyaw")
"""The columns of a planar reference."""


def model_reference(model: Model, planar: Vector) -> Vector:
    """Return the reference (N+1, state_size) of a planar one (N+1, 5), zero in other states.

    Raises:
        ValueError: The model's state is not a vector that holds the five.
    """
    names = model.state_names
    if model.state_size != len(names) or not set(PLANAR_STATES) <= set(names):
        raise ValueError(f"model is {type(model).__name__}: its state must hold {PLANAR_STATES}")
    reference = np.zeros((len(planar), len(names)))
    reference[:, [names.index(name) for name in PLANAR_STATES]] = planar
    return reference


@dataclass(frozen=True, kw_only=True)
class FollowerSettings:
    """How a path is driven.

    Attributes:
        cruise_speed: Highest speed in m/s, above 0.
        max_lateral_acceleration: Highest v²κ in m/s², above 0; slows in bends.
        max_yaw_rate: Highest vκ in rad/s, above 0; slows in bends.
        max_acceleration: Highest gain and loss of speed in m/s², above 0.
        window_ahead: How far ahead of the progress the robot is looked for in m, above 0.
        window_behind: How far behind it in m, above 0.
        heading_weight: Metres that a radian of heading error counts for in the first search.
        goal_tolerance: Arc length before the end that counts as arrived in m, above 0.
        laps: Laps of a closed path, at least 1; None for endless.

    Raises:
        ValueError: A field is out of its range.
    """

    cruise_speed: float
    max_lateral_acceleration: float = 1.0
    max_yaw_rate: float = 2.0
    max_acceleration: float = 0.5
    window_ahead: float = 1.0
    window_behind: float = 0.3
    heading_weight: float = 1.0
    goal_tolerance: float = 0.05
    laps: int | None = 1

    def __post_init__(self) -> None:
        for name in (
            *("cruise_speed", "max_lateral_acceleration", "max_yaw_rate", "max_acceleration"),
            *("window_ahead", "window_behind", "heading_weight", "goal_tolerance"),
        ):
            check_positive(name, getattr(self, name))
        if self.laps is not None:
            check_count("laps", self.laps)


class PathFollower:
    """Progress along a path, and the reference ahead of it.

    Progress is the projection of the position on the path within a window about the last
    progress, so that where the path crosses itself it stays on its branch. The first projection
    looks at the whole path and takes the heading into account.

    Args:
        path: The path.
        settings: How to drive it.
    """

    def __init__(self, path: ReferencePath, settings: FollowerSettings) -> None:
        self._path = path
        self._settings = settings
        laps = settings.laps if path.closed else 1
        self._end = math.inf if laps is None else laps * path.length
        self._progress: float | None = None
        self._speeds = self._profile().tolist()

    @property
    def progress(self) -> float:
        """Arc length driven from the start of the path in m; 0 before the first reference."""
        return self._progress or 0.0

    @property
    def finished(self) -> bool:
        """Whether the end is reached."""
        return self.progress >= self._end - self._settings.goal_tolerance

    def reset(self) -> None:
        """Forget the progress: the next reference looks at the whole path."""
        self._progress = None

    def reference(self, state: ArrayLike, dt: float, horizon: int) -> Vector:
        """Return the states (horizon+1, 5) to track, `dt` apart, from the robot's projection on.

        Speed starts at the robot's own and changes within the acceleration limit; yaw is
        continuous and starts within half a turn of the robot's.

        Args:
            state: (x, y, yaw, vx, vyaw) of the robot.
            dt: Step in seconds.
            horizon: Number of steps.

        Raises:
            ValueError: The state is not 5 finite numbers.
        """
        pose = np.asarray(state, dtype=np.float64)
        if pose.shape != (5,) or not np.isfinite(pose).all():
            raise ValueError(f"state is {pose.tolist()}: 5 finite numbers are wanted")
        self._progress = self._project(pose)
        arc, speed = self._roll(self._progress, float(pose[3]), dt, horizon)
        position, heading, curvature = self._path.sample(arc)
        turn = 2.0 * math.pi
        heading = heading + turn * round((float(pose[2]) - float(heading[0])) / turn)
        return np.column_stack([position, heading, speed, speed * curvature])

    def _profile(self) -> Vector:
        """Return the highest speeds at the stations from which the slower ones can be met."""
        path, settings = self._path, self._settings
        bend = np.maximum(np.abs(path.curvatures), 1e-9)
        speed = np.minimum(settings.cruise_speed, settings.max_yaw_rate / bend)
        squared = np.minimum(speed * speed, settings.max_lateral_acceleration / bend)
        gain = 2.0 * settings.max_acceleration * path.spacing
        if path.closed:
            squared = np.concatenate([squared, squared[1:]])
        # v²ⱼ = min over k ≥ j of v²ₖ + 2a(sₖ − sⱼ)
        rise = gain * np.arange(len(squared))
        reachable = np.minimum.accumulate((squared + rise)[::-1])[::-1] - rise
        speeds: Vector = np.sqrt(reachable[: len(path.stations)])
        return speeds

    def _allowed(self, arc: float) -> float:
        """Return the highest speed at an arc length: by the bends ahead and by the end."""
        place = arc / self._path.spacing
        last = len(self._speeds) - 1
        place = place % last if self._path.closed else min(place, float(last))
        j = min(int(place), last - 1)
        here = self._speeds[j] + (place - j) * (self._speeds[j + 1] - self._speeds[j])
        left = max(self._end - arc, 0.0)
        return float(min(here, math.sqrt(2.0 * self._settings.max_acceleration * left)))

    def _roll(self, arc: float, speed: float, dt: float, horizon: int) -> tuple[Vector, Vector]:
        """Return arc lengths and speeds (horizon+1,) of driving on from here."""
        change = self._settings.max_acceleration * dt
        speed = min(max(speed, 0.0), self._settings.cruise_speed)
        arcs, speeds = [arc], [speed]
        for _ in range(horizon):
            allowed = self._allowed(arc + speed * dt)
            following = min(max(allowed, speed - change), speed + change)
            arc = min(arc + 0.5 * (speed + following) * dt, self._end)
            speed = following if arc < self._end else 0.0
            arcs.append(arc)
            speeds.append(speed)
        return np.array(arcs), np.array(speeds)

    def _project(self, pose: Vector) -> float:
        path, settings = self._path, self._settings
        step = path.spacing
        last = len(path.stations) - 1
        if self._progress is None:
            off = pose[:2] - path.positions
            cost = np.sum(off * off, axis=1)
            wrong = (pose[2] - path.headings + math.pi) % (2.0 * math.pi) - math.pi
            stations = np.array([int(np.argmin(cost + (settings.heading_weight * wrong) ** 2))])
            if path.closed:
                stations = stations % last
        else:
            lowest = math.floor((self._progress - settings.window_behind) / step)
            highest = math.ceil((self._progress + settings.window_ahead) / step)
            if path.closed:
                highest = min(highest, lowest + last)
            else:
                lowest, highest = max(lowest, 0), min(highest, last)
            stations = np.arange(lowest, highest + 1)
        nodes = path.positions[stations % last if path.closed else stations]
        off = pose[:2] - nodes
        nearest = int(np.argmin(np.sum(off * off, axis=1)))
        j = int(stations[nearest])
        arc = j * step + self._beyond(pose[:2], j)
        if path.closed and self._progress is None:
            return max(arc, 0.0)
        return min(max(arc, 0.0), self._end)

    def _beyond(self, point: Vector, j: int) -> float:
        """Return how far past station j the projection on its two segments lies in m."""
        path = self._path
        last = len(path.stations) - 1
        if path.closed:
            j %= last
        here = path.positions[j]
        best, offset = math.dist(point, here), 0.0
        for neighbour, sign in ((j - 1, -1.0), (j + 1, 1.0)):
            k = neighbour % last if path.closed else min(max(neighbour, 0), last)
            along = path.positions[k] - here
            size = float(along @ along)
            share = min(max(float((point - here) @ along) / max(size, 1e-18), 0.0), 1.0)
            distance = math.dist(point, here + share * along)
            if distance < best:
                best, offset = distance, sign * share * path.spacing
        return offset


class Trajectory:
    """Planar states at stamps, linear in between.

    Args:
        stamps: Times (k,) in seconds, increasing.
        states: (x, y, yaw, vx, vyaw) (k, 5); headings are unwrapped.

    Raises:
        ValueError: A shape is wrong, a number is not finite, or the stamps don't increase.
    """

    def __init__(self, stamps: ArrayLike, states: ArrayLike) -> None:
        self._stamps = np.array(stamps, dtype=np.float64)
        self._states = np.array(states, dtype=np.float64)
        count = self._stamps.size
        if self._stamps.shape != (count,) or self._states.shape != (count, 5) or count == 0:
            raise ValueError(
                f"stamps has shape {self._stamps.shape}, states has shape {self._states.shape}: "
                "(k,) and (k, 5) are wanted, k at least 1"
            )
        if not (np.isfinite(self._stamps).all() and np.isfinite(self._states).all()):
            raise ValueError("stamps or states holds a number that is not finite")
        if np.any(np.diff(self._stamps) <= 0.0):
            raise ValueError("stamps must increase")
        self._states[:, 2] = np.unwrap(self._states[:, 2])

    def resample(self, start: float, dt: float, horizon: int) -> Vector:
        """Return the states (horizon+1, 5) from `start` on, `dt` apart.

        Before the first stamp the first state holds, after the last one its pose at zero speed.
        """
        times = start + dt * np.arange(horizon + 1)
        columns = [np.interp(times, self._stamps, column) for column in self._states.T]
        states = np.column_stack(columns)
        states[times > self._stamps[-1], 3:] = 0.0
        return states
