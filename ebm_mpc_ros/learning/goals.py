"""Where a recorded drive was going at each moment, as the nodes would take it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.control import (
    FollowerSettings,
    PathFollower,
    ReferencePath,
    goal_path,
    planar_outputs,
    split_path,
)
from ebm_mpc_ros.learning.recording import DataError

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.recording import Floats, Goal, Recording, Stamps
    from ebm_mpc_ros.models import Model

FOLLOWING = FollowerSettings(cruise_speed=1.0, reverse_speed=0.2, max_acceleration=1.0, laps=None)
"""How a node follows a path where nothing else is set."""
_STUB = 1e-2
# m/rad, half of what a node takes: after a push the place on the path tells more than the heading.
_HEADING_WEIGHT = 0.5


class ToldGoals:
    """The goals of a drive along the paths and to the poses that its bag tells.

    The goal is the place `look_ahead` further on the path, or where that is to be stopped on. A
    pose is driven to on the path that `goal_path` makes from where the robot was when it was told.
    """

    def __init__(
        self,
        model: Model,
        recording: Recording,
        look_ahead: float,
        following: FollowerSettings = FOLLOWING,
    ) -> None:
        """Make the paths.

        Args:
            model: The robot.
            recording: Its drive.
            look_ahead: m.
            following: How the paths are followed; of that, where it stops and which bends it
                takes to a pose matter.

        Raises:
            DataError: A path turns round on the spot, and the robot can't.
        """
        following = replace(following, heading_weight=_HEADING_WEIGHT)
        self._model, self._look_ahead = model, look_ahead
        self._stamps = [goal.stamp for goal in recording.goals]
        self._followers = [_follower(model, recording, g, following) for g in recording.goals]

    def along(self, stamps: Stamps, states: Floats) -> Floats:
        """Return the goals (T, 3), x, y, yaw, of states (T, n) without a gap; NaN before the first.

        As after a gap, the robot is looked for on the whole path at first.
        """
        found = np.full((len(stamps), 3), np.nan)
        planar = planar_outputs(self._model, states)
        current = -1
        for k, stamp in enumerate(stamps.tolist()):
            index = bisect_right(self._stamps, stamp) - 1
            if index < 0:
                continue
            if index != current:
                current = index
                self._followers[current].reset()
            found[k] = self._followers[current].pose_ahead(planar[k], self._look_ahead)
        return found


def driven_goals(poses: Floats, look_ahead: float) -> Floats:
    """Return where the robot was `look_ahead` (m) further along its way, or at its end: (T, 3)."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(poses[:, :2], axis=0).T))])
    index = np.minimum(np.searchsorted(way, way + look_ahead), len(poses) - 1)
    return poses[index]


def _follower(
    model: Model, recording: Recording, goal: Goal, following: FollowerSettings
) -> PathFollower:
    if goal.places.shape == (1, 3):
        states = recording.states
        index = min(int(np.searchsorted(states.stamps, goal.stamp)), len(states.stamps) - 1)
        pose = planar_outputs(model, states.values[index])[:3]
        return PathFollower(_way(pose, goal.places[0], following), following)
    follower = PathFollower(split_path(goal.places, goal.headings), following)
    if follower.turns_on_the_spot and "vyaw" not in model.state_names:
        raise DataError(f"{recording.name}: a path turns round on the spot, which this robot can't")
    return follower


def _way(pose: Floats, goal: Floats, following: FollowerSettings) -> ReferencePath:
    """Return the path to a goal; to one that is reached already, a stub that ends where it is."""
    if np.hypot(*(goal[:2] - pose[:2])) > following.goal_tolerance:
        return goal_path(pose, goal, radius=following.turning_radius)
    ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
    return ReferencePath([pose[:2] - _STUB * ahead, pose[:2]])
