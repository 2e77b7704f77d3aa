"""Progress along a path, and the reference ahead of it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.path import ReferencePath
from ebm_mpc_ros.control.planar import checked_planar
from ebm_mpc_ros.control.projection import Projection
from ebm_mpc_ros.control.speed import FollowerSettings, speed_limit, speed_profile
from ebm_mpc_ros.models.base import wrap_angle

if TYPE_CHECKING:
    from collections.abc import Sequence

Vector = NDArray[np.float64]

_ASKEW = math.radians(45.0)
_ALIGNED = math.radians(10.0)
_NEAR = 2.0


class PathFollower:
    """Progress along a path, and the reference ahead of it.

    Progress is the projection of the position on the path, followed on from the last one (see
    `Projection`), so that where the path crosses itself it stays on its branch. The first
    projection looks at the whole path and takes the heading into account. A robot that was
    carried away is followed along the path to where it is nearest, at most `window_ahead` farther
    at each reference; on a branch beyond it is not found until `reset`.

    At the end of each stretch but the last (see `split_path`) the reference stops and stays. The
    next one begins within `goal_tolerance` of it, nearly at rest, with a turn on the spot where
    its heading differs by more than 45°.

    Args:
        path: The path, or its stretches; one alone may be closed and driven for several laps.
        settings: How to drive it.

    Attributes:
        finished: Whether the robot has arrived: at the end by its projection, and within twice
            `goal_tolerance` of it. Once it has it stays so until `reset`.
        left: Distance to the end in m where the projection has come to it; else None.

    Raises:
        ValueError: A stretch is to be driven backwards, which the settings don't allow.
    """

    def __init__(
        self, path: ReferencePath | Sequence[ReferencePath], settings: FollowerSettings
    ) -> None:
        paths = (path,) if isinstance(path, ReferencePath) else tuple(path)
        if not paths:
            raise ValueError("path has no stretch")
        self._paths = paths
        self._settings = settings
        before = 0.0
        stretches = []
        for one in paths:
            end = one.length
            if one.closed and len(paths) == 1:
                end = math.inf if settings.laps is None else settings.laps * one.length
            stretches.append(_stretch(one, settings, before, end))
            before += end
        self._stretches = tuple(stretches)
        self._current = 0
        self._arc: float | None = None
        self._turning = False
        self.finished = False
        self.left: float | None = None

    @property
    def progress(self) -> float:
        """Arc length driven from the start of the path in m; 0 before the first reference."""
        return 0.0 if self._arc is None else self._stretches[self._current].before + self._arc

    @property
    def turns_on_the_spot(self) -> bool:
        """Whether a stretch begins with a turn on the spot."""
        return any(_askew(a.path, b.path) for a, b in itertools.pairwise(self._stretches))

    def reset(self) -> None:
        """Forget the progress: the next reference looks at the whole path."""
        self._current, self._arc, self._turning = 0, None, False
        self.finished, self.left = False, None

    def with_settings(self, settings: FollowerSettings) -> PathFollower:
        """Return a follower with other settings that goes on from the progress of this one.

        Raises:
            ValueError: A stretch is to be driven backwards, which the settings don't allow.
        """
        other = PathFollower(self._paths, settings)
        other._current, other._arc = self._current, self._arc
        other._turning = self._turning
        other.finished, other.left = self.finished, self.left
        return other

    def reference(self, state: ArrayLike, dt: float, horizon: int) -> Vector:
        """Return the states (horizon+1, 6) to track, `dt` apart, from the robot's projection on.

        Speed starts at the robot's own and changes within the acceleration limit; yaw is
        continuous and starts within half a turn of the robot's; vy is 0.

        Args:
            state: (x, y, yaw, vx, vy, vyaw) of the robot.
            dt: Step in seconds.
            horizon: Number of steps.

        Raises:
            ValueError: The state is not 6 finite numbers.
        """
        pose = checked_planar(state)
        arc = self._locate(pose)
        self._look_for_the_end(pose, arc)
        if self._turning:
            return self._turn(pose, dt, horizon)
        stretch = self._stretches[self._current]
        sign = -1.0 if stretch.path.backwards else 1.0
        arcs, speeds = self._roll(stretch, arc, sign * pose[3], dt, horizon)
        place, speed = np.array(arcs), sign * np.array(speeds)
        states = np.zeros((horizon + 1, 6))
        states[:, :2], heading, curvature = stretch.path.sample(place)
        states[:, 2] = heading + (pose[2] - _wrapped(pose[2] - float(heading[0])) - heading[0])
        states[:, 3] = speed
        states[:, 5] = (sign * speed) * curvature
        return states

    def pose_ahead(self, state: ArrayLike, distance: float) -> tuple[float, float, float]:
        """Return x, y and yaw on the path `distance` (m) beyond the robot, or where it is to stop.

        Args:
            state: (x, y, yaw, vx, vy, vyaw) of the robot; it is followed as by `reference`.
            distance: Along the path, in m.

        Raises:
            ValueError: The state is not 6 finite numbers.
        """
        pose = checked_planar(state)
        arc = self._locate(pose)
        stretch = self._stretches[self._current]
        if self._turning:
            self._turn(pose, 1.0, 1)
            arc, distance = 0.0, 0.0
        (x, y), heading, _ = stretch.path.sample(min(arc + distance, stretch.end))
        return float(x), float(y), float(heading)

    def _locate(self, pose: Sequence[float]) -> float:
        """Return the arc length of the robot on its stretch, which it may now have done."""
        if self._arc is None:
            weight = self._settings.heading_weight
            found = [stretch.projection.start(pose, weight) for stretch in self._stretches]
            costs = [cost for _, cost in found]
            slack = max(s.path.spacing for s in self._stretches) ** 2
            self._current = next(k for k, cost in enumerate(costs) if cost <= min(costs) + slack)
            self._arc = found[self._current][0]
        else:
            stretch = self._stretches[self._current]
            arc = stretch.projection.follow(pose, self._arc)
            self._arc = min(max(arc, 0.0), stretch.end)
        if self._done(pose):
            before = self._stretches[self._current].path
            self._current += 1
            self._arc = 0.0
            after = self._stretches[self._current].path
            self._turning = _askew(before, after)
        return self._arc

    def _look_for_the_end(self, pose: Sequence[float], arc: float) -> None:
        last, tolerance = self._stretches[-1], self._settings.goal_tolerance
        self.left = None
        on_it = self._current == len(self._stretches) - 1 and not self._turning
        if on_it and arc >= last.end - tolerance:
            self.left = math.dist(pose[:2], last.path.positions[-1])
            self.finished = self.finished or self.left <= _NEAR * tolerance

    def _done(self, pose: Sequence[float]) -> bool:
        """Whether the robot stands, nearly, at the end of a stretch that is not the last."""
        stretch = self._stretches[self._current]
        if self._current == len(self._stretches) - 1 or self._arc is None:
            return False
        tolerance = self._settings.goal_tolerance
        slow = math.sqrt(0.5 * self._settings.max_acceleration * tolerance)
        return self._arc >= stretch.end - tolerance and abs(pose[3]) <= slow

    def _turn(self, pose: Sequence[float], dt: float, horizon: int) -> Vector:
        """Return a turn on the spot (horizon+1, 6) to the stretch's first heading."""
        path = self._stretches[self._current].path
        wrong = _wrapped(float(path.headings[0]) - pose[2])
        self._turning = abs(wrong) > _ALIGNED
        turn = self._settings.max_yaw_rate * dt * np.arange(horizon + 1)
        states = np.zeros((horizon + 1, 6))
        states[:, :2] = path.positions[0]
        states[:, 2] = pose[2] + math.copysign(1.0, wrong) * np.minimum(turn, abs(wrong))
        states[:-1, 5] = np.diff(states[:, 2]) / dt
        return states

    def _roll(
        self, stretch: _Stretch, arc: float, speed: float, dt: float, horizon: int
    ) -> tuple[list[float], list[float]]:
        """Return arc lengths and speeds along the path (horizon+1) of driving on from here."""
        gain = self._settings.max_acceleration
        change, half = gain * dt, 0.5 * gain * dt
        limits, end, limit = stretch.speeds, stretch.end, stretch.limit
        braking = 0.5 * limit * limit / gain + limit * dt
        closed, last, per_metre = stretch.path.closed, len(limits) - 1, 1.0 / stretch.path.spacing
        speed = min(max(speed, -limit), limit)
        arcs, speeds = [arc], [speed]
        for _ in range(horizon):
            step = 0.5 * speed * dt if speed > 0.0 else 0.0
            place = (arc + 2.0 * step) * per_metre
            if closed:
                place %= last
            j = int(place)
            if j >= last:
                following = limits[last]
            else:
                here = limits[j]
                following = here + (place - j) * (limits[j + 1] - here)
            left = end - arc - step
            if left < braking:
                # The speed from which the end is met: (v + v')/2 dt + v'²/2a = what is left.
                ending = math.sqrt(half * half + 2.0 * gain * max(left, 0.0)) - half
                following = min(following, ending)
            if following > speed + change:
                following = speed + change
            elif following < speed - change:
                following = speed - change
            if following > 0.0:
                step += 0.5 * following * dt
            arc = min(arc + step, end)
            speed = following
            arcs.append(arc)
            speeds.append(speed)
        return arcs, speeds


class _Stretch(NamedTuple):
    """A stretch, what was driven before it (m), where it ends (m), and how fast it may be driven.

    `speeds` are the highest at the path's stations, `limit` is the highest of all.
    """

    path: ReferencePath
    projection: Projection
    before: float
    end: float
    limit: float
    speeds: list[float]


def _stretch(
    path: ReferencePath, settings: FollowerSettings, before: float, end: float
) -> _Stretch:
    window = {"ahead": settings.window_ahead, "behind": settings.window_behind}
    return _Stretch(
        path,
        Projection(path, **window),
        before,
        end,
        speed_limit(path, settings),
        speed_profile(path, settings).tolist(),
    )


def _askew(before: ReferencePath, after: ReferencePath) -> bool:
    """Whether a stretch begins with another heading than that before ends with."""
    return abs(_wrapped(float(after.headings[0] - before.headings[-1]))) > _ASKEW


def _wrapped(angle: float) -> float:
    wrapped: float = wrap_angle(angle)
    return wrapped
