"""Curves in the plane, by arc length."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.problem import check_positive

Vector = NDArray[np.float64]

SMOOTHING = 0.1
"""Half length in m of the chord that gives a path its direction."""
MOST_STATIONS = 100_000

_SAME = 1e-6
_ARC_STEP = 0.05


class ReferencePath:
    """A polyline with a heading: the direction of the chord over ± `smoothing` of arc length.

    The chord rounds corners and evens out the steps of a planner's grid; curvature is the slope
    of the heading. A path whose first and last points coincide is closed and may be followed for
    several laps: arc lengths below 0 and beyond its length then go on around it.

    Args:
        points: Points (k, 2) in m; repeated ones are dropped.
        smoothing: Half length of the chord in m, above 0.
        backwards: Whether the robot drives it backwards, heading against the chord.
        most_stations: Stations at most, where a quarter of `smoothing` apart they would be more.

    Attributes:
        length: Arc length in m.
        closed: Whether the path ends where it starts.
        backwards: Whether it is driven backwards.
        spacing: Distance of the stations in m.
        stations: Arc lengths (j,) in m, evenly spaced from 0 to `length`.
        positions: Points (j, 2) at the stations.
        headings: Unwrapped headings of the robot (j,) at the stations in rad.
        curvatures: Turn of the heading per arc length (j,) at the stations in rad/m.

    Raises:
        ValueError: The points are not finite, of a wrong shape, or fewer than 2 are distinct.
    """

    def __init__(
        self,
        points: ArrayLike,
        *,
        smoothing: float = SMOOTHING,
        backwards: bool = False,
        most_stations: int = MOST_STATIONS,
    ) -> None:
        check_positive("smoothing", smoothing)
        corners = np.array(points, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2:
            raise ValueError(f"points has shape {corners.shape}: (k, 2) is wanted")
        if not np.isfinite(corners).all():
            raise ValueError("points holds a number that is not finite")
        corners = corners[distinct(corners)]
        if len(corners) < 2:
            raise ValueError("points holds fewer than 2 distinct points")
        steps = np.hypot(*np.diff(corners, axis=0).T)
        arc = np.concatenate([[0.0], np.cumsum(steps)])
        self.length = float(arc[-1])
        self.backwards = backwards
        self.closed = len(corners) > 3 and math.dist(corners[0], corners[-1]) <= _SAME
        count = math.ceil(4.0 * self.length / smoothing) + 1
        count = max(min(count, most_stations), 9)
        self.stations = np.linspace(0.0, self.length, count)
        self.spacing = self.length / (count - 1)
        self.positions = np.column_stack([np.interp(self.stations, arc, c) for c in corners.T])
        self.headings = self._directions(min(smoothing, self.length / 4.0))
        if backwards:
            self.headings = self.headings + math.pi
        self.curvatures = np.gradient(self.headings, self.spacing)
        if self.closed:
            seam = (self.curvatures[0] + self.curvatures[-1]) / 2.0
            self.curvatures[[0, -1]] = seam
        self._turn = float(self.headings[-1] - self.headings[0])
        self._table = np.column_stack([self.positions, self.headings, self.curvatures])

    def _directions(self, half: float) -> Vector:
        reach = max(1, round(half / self.spacing))
        points = self.positions
        if self.closed:
            points = np.concatenate([points[-1 - reach : -1], points, points[1 : 1 + reach]])
        chords = points[2 * reach :] - points[: -2 * reach]
        inner: Vector = np.unwrap(np.arctan2(chords[:, 1], chords[:, 0]))
        if self.closed:
            return inner
        # Towards the ends, where no chord fits, the heading goes on turning as it did.
        ends = np.arange(1, reach + 1)
        first = min(reach, len(inner) - 1)
        before = inner[0] - ends[::-1] * (inner[first] - inner[0]) / max(first, 1)
        after = inner[-1] + ends * (inner[-1] - inner[-1 - first]) / max(first, 1)
        return np.concatenate([before, inner, after])

    def sample(self, arc: ArrayLike) -> tuple[Vector, Vector, Vector]:
        """Return positions (…, 2), headings (…) and curvatures (…) at arc lengths (…) in m.

        Arc lengths beyond the ends of an open path give its ends.
        """
        place = np.asarray(arc, dtype=np.float64) / self.spacing
        last = len(self.stations) - 1
        if self.closed:
            laps = np.floor(place / last)
            place = place - laps * last
        else:
            place = np.minimum(np.maximum(place, 0.0), last)
        index = np.minimum(place.astype(np.intp), last - 1)
        here = self._table[index]
        row = here + (place - index)[..., None] * (self._table[index + 1] - here)
        heading = row[..., 2]
        if self.closed:
            heading = heading + laps * self._turn
        return row[..., :2], heading, row[..., 3]


def distinct(points: Vector) -> NDArray[np.intp]:
    """Return the indices of points (k, 2) that differ from the one kept before."""
    kept = np.arange(len(points))
    while len(kept) > 1:
        apart = np.hypot(*np.diff(points[kept], axis=0).T) > _SAME
        if apart.all():
            break
        kept = kept[np.concatenate([[True], apart])]
    return kept


def goal_path(pose: ArrayLike, goal: ArrayLike, *, radius: float = 0.5) -> ReferencePath:
    """Return the shortest path of arc, straight and arc between poses (x, y, yaw) in m and rad.

    Unlike a spline it has no cusp wherever the goal lies: Dubins, "On curves of minimal length
    with a constraint on average curvature" (1957), without the words of three arcs.

    Args:
        pose: Where to start.
        goal: Where to end.
        radius: Radius of the arcs in m, above 0.

    Raises:
        ValueError: A pose is not finite, the poses are the same, or `radius` is out of range.
    """
    check_positive("radius", radius)
    start, end = np.asarray(pose, dtype=np.float64), np.asarray(goal, dtype=np.float64)
    for name, value in (("pose", start), ("goal", end)):
        if value.shape != (3,) or not np.isfinite(value).all():
            raise ValueError(f"{name} is {value.tolist()}: 3 finite numbers are wanted")
    best, shortest = (1.0, 0.0, 1.0, 0.0), math.inf
    for first, last in ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)):
        span = _centre(end, last * radius) - _centre(start, first * radius)
        distance = math.hypot(*span)
        inner = 0.0 if first == last else 2.0 * radius
        if distance < inner:
            continue
        heading = float(start[2])
        if distance > _SAME:
            heading = math.atan2(span[1], span[0]) + first * math.asin(inner / distance)
        leave = _turn(first * (heading - start[2]))
        arrive = _turn(last * (end[2] - heading))
        length = radius * (leave + arrive) + math.sqrt(distance**2 - inner**2)
        if length < shortest:
            best, shortest = (first, leave, last, arrive), length
    first, leave, last, arrive = best
    count = [2 + math.ceil(turn / _ARC_STEP) for turn in (leave, arrive)]
    return ReferencePath(
        np.concatenate(
            [
                _arc(start, first * radius, np.linspace(0.0, leave, count[0])),
                _arc(end, last * radius, np.linspace(-arrive, 0.0, count[1])),
            ]
        )
    )


def _centre(pose: Vector, radius: float) -> Vector:
    """Return the centre (2,) of the circle through a pose; a positive radius is to its left."""
    x, y, yaw = pose
    return np.array([x - radius * math.sin(yaw), y + radius * math.cos(yaw)])


def _arc(pose: Vector, radius: float, turns: Vector) -> Vector:
    """Return points (k, 2) on that circle, `turns` (k,) in rad further along it."""
    heading = pose[2] + math.copysign(1.0, radius) * turns
    ray = np.column_stack([np.sin(heading), -np.cos(heading)])
    points: Vector = _centre(pose, radius) + radius * ray
    return points


def _turn(angle: float) -> float:
    """Return `angle` in [0, 2 pi), where a rounding error below 0 is no full turn."""
    turn = angle % (2.0 * math.pi)
    return 0.0 if turn > 2.0 * math.pi - _SAME else turn
