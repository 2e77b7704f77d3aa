"""Where a recorded drive was going at each moment."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.control.path import ReferencePath
from ebm_mpc_ros.control.projection import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.learning.recording import Floats, Goal, Stamps

# m of path that a robot can have passed between two samples, and fallen back.
_AHEAD, _BEHIND = 1.0, 0.5
_HEADING_WEIGHT = 0.5


def told_goals(goals: Sequence[Goal], stamps: Stamps, poses: Floats, look_ahead: float) -> Floats:
    """Return the goal (T, 3) of each pose (T, 3) as a bag's paths or goals have it.

    On a path that is the place `look_ahead` (m) further on; NaN before the first of them.
    """
    found = np.full((len(stamps), 3), np.nan)
    times = [goal.stamp for goal in goals]
    path: ReferencePath | None = None
    current, place = -1, 0.0
    for k, stamp in enumerate(stamps.tolist()):
        index = bisect_right(times, stamp) - 1
        if index < 0:
            continue
        places, pose = goals[index].places, poses[k]
        if places.shape == (1, 3):
            found[k] = places[0]
            continue
        if index != current:
            current, path = index, ReferencePath(places)
            projection = Projection(path, ahead=_AHEAD, behind=_BEHIND)
            place, _ = projection.start(pose, _HEADING_WEIGHT)
        else:
            place = projection.follow(pose, place)
        assert path is not None  # noqa: S101
        position, heading, _ = path.sample(place + look_ahead)
        found[k] = *position, heading
    return found


def driven_goals(poses: Floats, look_ahead: float) -> Floats:
    """Return where the robot was `look_ahead` (m) further along its way, or at its end: (T, 3)."""
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(poses[:, :2], axis=0).T))])
    index = np.minimum(np.searchsorted(way, way + look_ahead), len(poses) - 1)
    return poses[index]
