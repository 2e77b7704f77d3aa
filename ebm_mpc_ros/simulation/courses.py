"""Courses: a path to follow, the obstacles on it, and how far a run was from both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml

from ebm_mpc_ros.resources import share_directory

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

OBSTACLE_HEIGHT = 0.5
"""Height in m of the cylinders."""

_SPACING = 0.05
_SAMPLES_PER_WAYPOINT = 200
_SEARCH = 0.5
_SHAPES = ("lissajous", "waypoints")
_NO_OBSTACLES = np.empty((0, 3))
_KEYS = {*_SHAPES, "closed", "obstacles", "half_width", "speed"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Course:
    """A path with obstacles, in the odom frame.

    Raises:
        ValueError: A field is of the wrong shape, not finite, or out of its range.
    """

    name: str
    points: NDArray[np.float64]
    """The path (k, 2) in m, about 0.05 m apart; a closed one does not repeat its first point."""
    closed: bool
    obstacles: NDArray[np.float64]
    """Cylinders (M, 3): x, y, radius in m."""
    half_width: float
    """Distance from the path in m beyond which the robot has left the course."""
    speed: float
    """Speed to cruise at in m/s."""

    def __post_init__(self) -> None:
        _require_columns(self.name, "points", self.points, 2)
        _require_columns(self.name, "obstacles", self.obstacles, 3)
        if len(self.points) < 3 or not self.lengths.all():
            raise ValueError(f"course {self.name!r}: points must be 3 or more, none repeated")
        if not (self.obstacles[:, 2] > 0.0).all():
            radii = self.obstacles[:, 2].tolist()
            raise ValueError(f"course {self.name!r}: radii of obstacles are {radii}, must be > 0")
        for field, value in (("half_width", self.half_width), ("speed", self.speed)):
            if not (math.isfinite(value) and value > 0.0):
                raise ValueError(f"course {self.name!r}: {field} is {value}, must be > 0")
        for field in ("points", "obstacles"):
            own = getattr(self, field).copy()
            own.flags.writeable = False
            object.__setattr__(self, field, own)

    @property
    def segments(self) -> NDArray[np.float64]:
        """Vectors (s, 2) from each point to the next one, s = k if closed, else k - 1."""
        following = np.roll(self.points, -1, axis=0) if self.closed else self.points[1:]
        return following - self.points[: len(following)]

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Lengths (s,) of the segments in m."""
        return np.asarray(np.hypot(*self.segments.T))

    @property
    def length(self) -> float:
        """Length of the path in m, of one lap where it is closed."""
        return float(self.lengths.sum())

    @property
    def start(self) -> tuple[float, float, float]:
        """Pose (x, y, yaw) on the first point, along the path."""
        before = self.points[-1] if self.closed else self.points[0]
        (x, y), (dx, dy) = self.points[0], self.points[1] - before
        return float(x), float(y), math.atan2(dy, dx)


class Projection(NamedTuple):
    """Where positions lie along a path, and beside it."""

    progress: NDArray[np.float64]
    """Distance along the path (N,) in m; on a closed one it counts on from lap to lap."""
    offset: NDArray[np.float64]
    """Distance from the path (N,) in m, positive to its left."""


def course_names(file: Path | None = None) -> tuple[str, ...]:
    """Return the names of the courses in `file`, by default worlds/courses.yaml.

    Raises:
        ValueError: The file does not hold courses.
    """
    return tuple(_read(file))


def load_course(name: str, file: Path | None = None) -> Course:
    """Return a course of `file`, by default worlds/courses.yaml.

    Raises:
        ValueError: There is no course of that name, or its entry is wrong.
    """
    entries = _read(file)
    if name not in entries:
        raise ValueError(f"course {name!r} is none of {', '.join(entries)}")
    entry = entries[name]
    if not isinstance(entry, dict):
        raise ValueError(f"course {name!r} is {entry!r}, must be a mapping")  # noqa: TRY004
    if unknown := entry.keys() - _KEYS:
        raise ValueError(f"course {name!r}: {sorted(unknown)} are none of {sorted(_KEYS)}")
    closed = entry.get("closed", False)
    if not isinstance(closed, bool):
        raise ValueError(f"course {name!r}: closed is {closed!r}, not true or false")  # noqa: TRY004
    closed = closed or "lissajous" in entry
    obstacles = _numbers(name, entry, "obstacles", 2) if entry.get("obstacles") else _NO_OBSTACLES
    return Course(
        name=name,
        points=_resample(_draw(name, entry, closed=closed), closed=closed),
        closed=closed,
        obstacles=obstacles,
        half_width=float(_numbers(name, entry, "half_width", 0)),
        speed=float(_numbers(name, entry, "speed", 0)),
    )


def project(course: Course, positions: ArrayLike, progress: float = 0.0) -> Projection:
    """Follow a run along the path.

    Each position is sought near the one before, so that where the path crosses itself the run
    stays on its branch.

    Args:
        course: The course.
        positions: Positions (N, 2) in m, in the order of time.
        progress: Distance along the path in m near which the run starts.

    Raises:
        ValueError: `positions` is of the wrong shape or not finite.
    """
    run = np.asarray(positions, dtype=np.float64)
    _require_columns(course.name, "positions", run, 2)
    segments, lengths, starts = course.segments, course.lengths, course.points
    directions = segments / lengths[:, None]
    arc = np.concatenate([[0.0], np.cumsum(lengths)])
    count = len(lengths)
    moved = np.hypot(*np.diff(run, axis=0, prepend=run[:1]).T)
    reaches = np.ceil((_SEARCH + 2.0 * moved) / lengths.mean()).astype(int)
    lap, rest = divmod(progress, arc[-1]) if course.closed else (0.0, progress)
    current = int(lap) * count + int(np.searchsorted(arc[1:-1], rest, side="right"))
    out = np.empty((2, len(run)))
    for k, (position, reach) in enumerate(zip(run, reaches, strict=True)):
        near = np.arange(current - reach, current + reach + 1)
        if not course.closed:
            near = near[(near >= 0) & (near < count)]
        i = near % count
        relative = position - starts[i]
        along = np.clip((relative * directions[i]).sum(axis=1), 0.0, lengths[i])
        gap = relative - along[:, None] * directions[i]
        best = int(np.argmin((gap * gap).sum(axis=1)))
        current, j = int(near[best]), i[best]
        out[0, k] = current // count * arc[-1] + arc[j] + along[best]
        # Beyond an open end only the part across the path counts.
        out[1, k] = directions[j, 0] * relative[best, 1] - directions[j, 1] * relative[best, 0]
    return Projection(out[0], out[1])


def cross_track(course: Course, positions: ArrayLike) -> NDArray[np.float64]:
    """Return the distances (N,) in m of a run (N, 2) from the path, positive to its left.

    The run begins near the start of the course; see `project`.
    """
    return project(course, positions).offset


def clearance(course: Course, positions: ArrayLike, robot_radius: float) -> NDArray[np.float64]:
    """Return the gap (N,) in m between a round robot at (N, 2) and the nearest obstacle.

    Negative where they overlap, infinite on a course without obstacles.

    Raises:
        ValueError: `positions` is of the wrong shape or not finite.
    """
    run = np.asarray(positions, dtype=np.float64)
    _require_columns(course.name, "positions", run, 2)
    between = run[:, None, :] - course.obstacles[:, :2]
    gaps = np.hypot(between[..., 0], between[..., 1]) - course.obstacles[:, 2] - robot_radius
    return np.asarray(gaps.min(axis=1, initial=math.inf))


def _read(file: Path | None) -> dict[str, Any]:
    path = file or share_directory() / "worlds" / "courses.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(entries, dict):
        raise ValueError(f"{path} must hold a mapping of names to courses")  # noqa: TRY004
    return entries


def _numbers(name: str, entry: dict[str, Any], key: str, ndim: int) -> NDArray[np.float64]:
    if key not in entry:
        raise ValueError(f"course {name!r}: {key} is missing")
    try:
        numbers = np.array(entry[key], dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.array(math.nan)
    if numbers.ndim != ndim or not np.isfinite(numbers).all():
        kind = "a finite number" if ndim == 0 else "rows of finite numbers"
        raise ValueError(f"course {name!r}: {key} is {entry[key]!r}, must be {kind}")
    return numbers


def _draw(name: str, entry: dict[str, Any], *, closed: bool) -> NDArray[np.float64]:
    """Return the path drawn finely; where it is closed the last point is the first."""
    if len(entry.keys() & set(_SHAPES)) != 1:
        raise ValueError(f"course {name!r} must have exactly one of {', '.join(_SHAPES)}")
    if "lissajous" in entry:
        shape = entry["lissajous"]
        if not isinstance(shape, dict) or shape.keys() != {"a", "b"}:
            raise ValueError(f"course {name!r}: lissajous is {shape!r}, must be {{a: …, b: …}}")
        s = np.linspace(0.0, 2.0 * np.pi, 4001)
        a, b = _numbers(name, shape, "a", 0), _numbers(name, shape, "b", 0)
        return np.stack([a * np.sin(s), b * np.sin(2.0 * s)], axis=1)
    waypoints = _numbers(name, entry, "waypoints", 2)
    _require_columns(name, "waypoints", waypoints, 2)
    if closed:
        waypoints = np.concatenate([waypoints, waypoints[:1]])
    # Half a second, which courses without waypoints save.
    from scipy.interpolate import CubicSpline  # noqa: PLC0415

    knots = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(waypoints, axis=0).T))])
    if len(knots) < 2 or not (np.diff(knots) > 0.0).all():
        raise ValueError(f"course {name!r}: waypoints must be 2 or more, none repeated")
    spline = CubicSpline(knots, waypoints, bc_type="periodic" if closed else "natural")
    s = np.linspace(0.0, knots[-1], _SAMPLES_PER_WAYPOINT * len(knots))
    return np.asarray(spline(s))


def _resample(drawn: NDArray[np.float64], *, closed: bool) -> NDArray[np.float64]:
    """Return points about `_SPACING` apart along a finely drawn path."""
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(drawn, axis=0).T))])
    count = max(2, round(arc[-1] / _SPACING))
    at = np.linspace(0.0, arc[-1], count + 1)[: count if closed else None]
    return np.stack([np.interp(at, arc, drawn[:, i]) for i in range(2)], axis=1)


def _require_columns(name: str, field: str, value: NDArray[np.float64], columns: int) -> None:
    if value.ndim != 2 or value.shape[1] != columns:
        raise ValueError(f"course {name!r}: {field} have shape {value.shape}, not (·, {columns})")
    if not np.isfinite(value).all():
        raise ValueError(f"course {name!r}: {field} must be finite")
