"""A path whose points have times."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.planar import checked_planar
from ebm_mpc_ros.control.speed import check_reversing
from ebm_mpc_ros.control.stretches import follow_the_line
from ebm_mpc_ros.control.trajectory import Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.control.speed import FollowerSettings

Vector = NDArray[np.float64]

_SAME = 1e-6
_BACKWARDS = -0.02
_NEAR = 2.0


def timed_path(
    stamps: ArrayLike, points: ArrayLike, headings: ArrayLike | None, *, sideways: bool = False
) -> Trajectory:
    """Return the trajectory through points at their times.

    Velocities are the slopes of the parabolas through three neighbours, turned into the body.
    Headings count where they `follow_the_line`, and always where the robot can go sideways;
    else they are those of the chords between the neighbours.

    Args:
        stamps: Times (k,) in seconds, increasing.
        points: Points (k, 2) in m.
        headings: Headings (k,) of the robot in rad; None where they are not known.
        sideways: Whether the robot can go sideways.

    Raises:
        ValueError: Fewer than 2 points are distinct, or the stamps don't increase.
    """
    times, path = np.asarray(stamps, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if len(times) < 2 or np.any(np.diff(times) <= 0.0):
        raise ValueError("stamps must increase, and be 2 at least")
    if np.max(np.hypot(*(path - path[0]).T)) <= _SAME:
        raise ValueError("points holds fewer than 2 distinct points")
    velocity: Vector = np.gradient(path, times, axis=0)
    if headings is None or not (sideways or follow_the_line(path, headings)):
        headings = _chords(path)
    yaw = np.unwrap(np.asarray(headings, dtype=np.float64))
    cos, sin = np.cos(yaw), np.sin(yaw)
    ahead = cos * velocity[:, 0] + sin * velocity[:, 1]
    aside = cos * velocity[:, 1] - sin * velocity[:, 0]
    rate = np.gradient(yaw, times)
    return Trajectory(times, np.column_stack([path, yaw, ahead, aside, rate]))


class TimedFollower:
    """The reference on a trajectory at the present time.

    Until the first stamp it stands at the first pose, from the last one on at the last.

    Args:
        trajectory: The trajectory.
        clock: Returns the present time in seconds, as in the trajectory's stamps.
        settings: Where it ends, and how fast it may go backwards.

    Attributes:
        finished: Whether the robot has arrived: within twice `goal_tolerance` of the last pose,
            once its time has come. Then it stays so.
        left: Distance to the last pose in m once its time has come; None before.

    Raises:
        ValueError: It goes backwards, which the settings don't allow.
    """

    def __init__(
        self, trajectory: Trajectory, clock: Callable[[], float], settings: FollowerSettings
    ) -> None:
        if trajectory.lowest_speed < _BACKWARDS:
            check_reversing(settings)
        self._trajectory, self._clock, self._settings = trajectory, clock, settings
        self.finished = False
        self.left: float | None = None

    def with_settings(self, settings: FollowerSettings) -> TimedFollower:
        """Return a follower of the same trajectory with other settings.

        Raises:
            ValueError: It goes backwards, which the settings don't allow.
        """
        other = TimedFollower(self._trajectory, self._clock, settings)
        other.finished, other.left = self.finished, self.left
        return other

    def reference(self, state: ArrayLike, dt: float, horizon: int, ahead: float = 0.0) -> Vector:
        """Return the states (horizon+1, 6) to track, `dt` apart; yaw starts near the robot's.

        Args:
            state: (x, y, yaw, vx, vy, vyaw) of the robot.
            dt: Step in seconds.
            horizon: Number of steps.
            ahead: Time from now to that of the state in seconds.

        Raises:
            ValueError: The state is not 6 finite numbers.
        """
        x, y, yaw, *_ = checked_planar(state)
        time = self._clock() + ahead
        states = self._trajectory.resample(time, dt, horizon)
        turn = 2.0 * math.pi
        states[:, 2] += turn * round((yaw - float(states[0, 2])) / turn)
        self.left = None
        if time >= self._trajectory.end:
            self.left = math.dist((x, y), states[0, :2])
            near = self.left <= _NEAR * self._settings.goal_tolerance
            self.finished = self.finished or near
        return states


def _chords(path: Vector) -> Vector:
    """Return the directions (k,) from each point's last neighbour to its next, held in waits."""
    chords = np.concatenate([path[1:2] - path[:1], path[2:] - path[:-2], path[-1:] - path[-2:-1]])
    lengths = np.hypot(*chords.T)
    moving = np.flatnonzero(lengths > min(_SAME, 0.5 * float(np.max(lengths))))
    before = np.maximum(np.searchsorted(moving, np.arange(len(path)), side="right") - 1, 0)
    directions: Vector = np.arctan2(chords[:, 1], chords[:, 0])[moving[before]]
    return directions
