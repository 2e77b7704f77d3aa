"""Where on a path a robot is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.models.base import wrap_angle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.control.path import ReferencePath

_SIGHT = 0.1
_NEAR = 0.1
_MUCH_NEARER = 0.8
_ROUNDING = 1e-9


class Projection:
    """The projection of a pose on a path, followed from place to place.

    From the last place it goes along the path to where no place within 0.1 m is nearer: branches
    that cross or lie alongside are not seen. Where the robot is off the path by more than 0.1 m,
    as having cut a corner or been pushed, the nearest place in the window counts instead if it is
    nearer by 20 % and suits the robot's heading better.

    Args:
        path: The path.
        ahead: The window's reach ahead of the last place in m.
        behind: Its reach behind it in m.
    """

    def __init__(self, path: ReferencePath, *, ahead: float, behind: float) -> None:
        self._path = path
        self._x, self._y = path.positions.T.tolist()
        self._headings = path.headings.tolist()
        self._last = len(self._x) - 1
        self._ahead, self._behind = ahead, behind

    def start(self, pose: Sequence[float], heading_weight: float) -> tuple[float, float]:
        """Return the best place (m) on the whole path, and its cost in m².

        The cost is the distance² plus that of `heading_weight` (m/rad) times the heading's error.
        Of places equally good, as where a path runs back over itself, it is the first.
        """
        path = self._path
        off = path.positions - pose[:2]
        wrong = heading_weight * wrap_angle(pose[2] - path.headings)
        cost = np.sum(off * off, axis=1) + wrong * wrong
        good = np.flatnonzero(cost <= np.min(cost) + path.spacing**2)
        ends = np.flatnonzero(np.diff(good) > 1)
        first = good[: ends[0] + 1] if len(ends) else good
        j = int(first[np.argmin(cost[first])])
        if path.closed and j == self._last:
            j = 0
        place, _ = self._refined(pose[0], pose[1], j)
        return max(place, 0.0), float(cost[j])

    def follow(self, pose: Sequence[float], place: float) -> float:
        """Return the place (m) of a pose that was at `place`."""
        x, y, yaw = pose[0], pose[1], pose[2]
        spacing = self._path.spacing
        lowest = math.floor((place - self._behind) / spacing)
        highest = math.ceil((place + self._ahead) / spacing)
        if self._path.closed:
            highest = min(highest, lowest + self._last)
        else:
            lowest, highest = max(lowest, 0), min(highest, self._last)
        sight = math.ceil(_SIGHT / spacing)
        before, j = -1, min(max(round(place / spacing), lowest), highest)
        start = j
        while j != before:
            before, j = j, self._nearest(x, y, j, max(j - sight, lowest), min(j + sight, highest))
        found, distance = self._refined(x, y, j)
        if distance <= _NEAR:
            return found
        k = self._nearest(x, y, start, lowest, highest)
        if k == j:
            return found
        other, nearer = self._refined(x, y, k)
        if nearer < _MUCH_NEARER * distance and self._wrong(yaw, k) < self._wrong(yaw, j):
            return other
        return found

    def _wrong(self, yaw: float, j: int) -> float:
        heading = self._headings[j % self._last if self._path.closed else j]
        return math.fabs(wrap_angle(yaw - heading))

    def _nearest(self, x: float, y: float, start: int, first: int, final: int) -> int:
        """Return the station from `first` to `final` nearest to a point, `start` among equals."""
        closed, last, xs, ys = self._path.closed, self._last, self._x, self._y
        k = start % last if closed else start
        dx, dy = x - xs[k], y - ys[k]
        best, nearest = (dx * dx + dy * dy) * (1.0 - _ROUNDING), start
        for j in range(first, final + 1):
            k = j % last if closed else j
            dx, dy = x - xs[k], y - ys[k]
            squared = dx * dx + dy * dy
            if squared < best:
                best, nearest = squared, j
        return nearest

    def _refined(self, x: float, y: float, j: int) -> tuple[float, float]:
        """Return the arc length and the distance (m) of a point's projection about station j."""
        xs, ys, last, closed = self._x, self._y, self._last, self._path.closed
        i = j % last if closed else j
        here_x, here_y = xs[i], ys[i]
        best, offset = math.hypot(x - here_x, y - here_y), 0.0
        for sign in (-1, 1):
            k = (i + sign) % last if closed else min(max(i + sign, 0), last)
            along_x, along_y = xs[k] - here_x, ys[k] - here_y
            size = along_x * along_x + along_y * along_y
            if size == 0.0:
                continue
            share = ((x - here_x) * along_x + (y - here_y) * along_y) / size
            share = min(max(share, 0.0), 1.0)
            distance = math.hypot(x - here_x - share * along_x, y - here_y - share * along_y)
            if distance < best:
                best, offset = distance, sign * share
        return (j + offset) * self._path.spacing, best
