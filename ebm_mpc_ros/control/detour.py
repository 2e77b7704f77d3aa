"""A reference led around obstacles: sideways bumps, for the controller to start from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.problem import check_not_negative, check_positive

Vector = NDArray[np.float64]

_TINY = 1e-9
_WIDTH = 2.5


def led_around(
    planar: Vector,
    discs: ArrayLike,
    dt: float,
    *,
    clearance: float,
    lateral_acceleration: float,
    plan: Vector | None = None,
) -> Vector:
    """Return a planar reference (N+1, 6) that keeps clear of discs; the same one where it does.

    A linearisation about a robot that stands in front of an obstacle knows no way past it. So each
    disc that is too near moves the reference aside by S cos²(πa/2L) at the distance a along it: S
    is what is lacking at the disc, L wide enough for the disc and for the lateral acceleration.
    The side is the nearer one for reference and plan together, left in doubt; discs on both sides
    of the reference counteract each other.

    Args:
        planar: Reference (N+1, 6) of `PLANAR_NAMES`, its heading continuous.
        discs: Centres x, y and radii (M, 3) in m.
        dt: Time between two rows in s.
        clearance: Distance to keep from the discs in m, the robot's radius included.
        lateral_acceleration: Highest acceleration across the way in m/s².
        plan: The last plan (N+1, 2) in m, where there is one.
    """
    check_positive("dt", dt)
    check_not_negative("clearance", clearance)
    check_positive("lateral_acceleration", lateral_acceleration)
    circles = np.asarray(discs, dtype=np.float64).reshape(-1, 3)
    steps = planar[1:, :2] - planar[:-1, :2]
    lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
    moving = np.flatnonzero(lengths > _TINY)
    if not (len(circles) and len(moving)):
        return planar
    # Where the reference stands it points where it last went.
    last = np.searchsorted(moving, np.arange(len(planar)), side="right") - 1
    known = moving[np.maximum(last, 0)]
    ahead = steps[known] / lengths[known, None]
    at, x, y = _nearest(planar, circles)
    ahead_x, ahead_y = ahead[at].T
    beside = y * ahead_x - x * ahead_y
    margin = beside
    if plan is not None:
        _, plan_x, plan_y = _nearest(plan, circles)
        margin = beside + plan_y * ahead_x - plan_x * ahead_y
    side = np.where(margin < -_TINY, -1.0, 1.0)
    radii = circles[:, 2] + clearance
    lacking = np.maximum(radii - side * beside, 0.0)
    if not lacking.any():
        return planar
    speed = float(lengths.max()) / dt
    half = np.maximum(_WIDTH * radii, speed * np.pi * np.sqrt(0.5 * lacking / lateral_acceleration))
    arc = np.zeros(len(planar))
    np.cumsum(lengths, out=arc[1:])
    # A disc beyond an end of the reference is beside where its last step would lead.
    along = arc[:, None] - (arc[at] - x * ahead_x - y * ahead_y)
    phase = np.minimum(np.abs(along) / np.maximum(half, _TINY), 1.0)
    bumps = 0.5 * side * lacking * (1.0 + np.cos(np.pi * phase))
    shift = np.maximum(bumps.max(axis=1), 0.0) + np.minimum(bumps.min(axis=1), 0.0)
    if not shift.any():
        return planar
    moved = planar[:, :2].copy()
    moved[:, 0] -= shift * ahead[:, 1]
    moved[:, 1] += shift * ahead[:, 0]
    return _resampled(planar, moved, shift, arc, dt)


def _nearest(path: Vector, circles: Vector) -> tuple[NDArray[np.intp], Vector, Vector]:
    """Return the row of a path that is nearest to each centre, and the way x, y (M,) to it."""
    x, y = path[:, :1] - circles[:, 0], path[:, 1:2] - circles[:, 1]
    rows = (x * x + y * y).argmin(axis=0)
    each = np.arange(len(circles))
    return rows, x[rows, each], y[rows, each]


def _resampled(planar: Vector, moved: Vector, shift: Vector, arc: Vector, dt: float) -> Vector:
    """Return the reference along the moved places, no faster than it was."""
    steps = moved[1:] - moved[:-1]
    longer = np.zeros_like(arc)
    np.cumsum(np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2), out=longer[1:])
    slope = (shift[1:] - shift[:-1]) / np.maximum(arc[1:] - arc[:-1], _TINY)
    lean = np.arctan(np.concatenate([slope[:1], 0.5 * (slope[1:] + slope[:-1]), slope[-1:]]))
    reference = planar.copy()
    turn = planar[:, 2] + lean
    for column, values in ((0, moved[:, 0]), (1, moved[:, 1]), (2, turn)):
        reference[:, column] = np.interp(arc, longer, values)
    reference[:-1, 5] = (reference[1:, 2] - reference[:-1, 2]) / dt
    reference[-1, 5] = reference[-2, 5]
    return reference
