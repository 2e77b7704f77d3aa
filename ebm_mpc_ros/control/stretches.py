"""Where a path has to be stopped on: what is driven forwards, what backwards."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.path import MOST_STATIONS, SMOOTHING, ReferencePath, distinct

Vector = NDArray[np.float64]

_SAME = 1e-6
_ALONG = math.cos(math.pi / 4.0)
_MOST = 0.9
_TELLING = 0.5
_TIP = math.cos(math.radians(135.0))


def split_path(points: ArrayLike, headings: ArrayLike | None = None) -> tuple[ReferencePath, ...]:
    """Return a path's stretches, driven one after the other with a stop in between.

    A stretch ends where the direction of driving changes, and at a tip: a corner of more than
    135°, as where a path runs back over itself. What the headings point away from by more than
    90° is driven backwards; without headings, and where they don't `follow_the_line`, all is
    driven forwards.

    Args:
        points: Points (k, 2) in m.
        headings: Headings (k,) of the robot there in rad; None where they are not known.

    Raises:
        ValueError: The points make no path, or the headings are not k.
    """
    corners = np.array(points, dtype=np.float64)
    whole = ReferencePath(corners)
    keep = distinct(corners)
    corners = corners[keep]
    steps = np.diff(corners, axis=0)
    lengths = np.hypot(*steps.T)
    backwards = np.zeros(len(steps), dtype=bool)
    if headings is not None and follow_the_line(points, headings):
        backwards = _backwards(steps, lengths, np.asarray(headings, dtype=np.float64)[keep])
    stops = np.flatnonzero(_tips(corners, steps, lengths) | np.diff(backwards)) + 1
    if not len(stops):
        return (ReferencePath(corners, backwards=True),) if backwards[0] else (whole,)
    bounds = [0, *stops.tolist(), len(steps)]
    return tuple(
        ReferencePath(
            corners[first : last + 1],
            backwards=bool(backwards[first]),
            most_stations=round(MOST_STATIONS * np.sum(lengths[first:last]) / whole.length),
        )
        for first, last in itertools.pairwise(bounds)
    )


def follow_the_line(points: ArrayLike, headings: ArrayLike) -> bool:
    """Return whether headings (k,) tell how points (k, 2) are driven: ahead or backwards.

    They do where they follow the line within 45°, one way or the other, over 90 % of its length.

    Raises:
        ValueError: There are not as many headings as points.
    """
    corners, yaw = np.asarray(points, dtype=np.float64), np.asarray(headings, dtype=np.float64)
    if yaw.shape != corners.shape[:1]:
        raise ValueError(f"headings has shape {yaw.shape}: one for each point is wanted")
    steps = np.diff(corners, axis=0)
    lengths = np.hypot(*steps.T)
    leaving, arriving = _agreement(steps, np.maximum(lengths, _SAME), yaw)
    following = np.maximum(np.abs(leaving), np.abs(arriving)) >= _ALONG
    return bool(np.sum(lengths[following]) >= _MOST * np.sum(lengths))


def _agreement(steps: Vector, lengths: Vector, headings: Vector) -> tuple[Vector, Vector]:
    """Return the cosines (k-1,) of the angles between steps and the headings (k,) at their ends."""
    ahead = steps / lengths[:, None]
    facing = np.column_stack([np.cos(headings), np.sin(headings)])
    return np.sum(ahead * facing[:-1], axis=1), np.sum(ahead * facing[1:], axis=1)


def _backwards(steps: Vector, lengths: Vector, headings: Vector) -> NDArray[np.bool_]:
    """Return whether each step (k-1,) is driven backwards, by the headings (k,) at its ends."""
    leaving, arriving = _agreement(steps, lengths, headings)
    both = leaving + arriving
    # A single pose turned otherwise, as a goal's often is, tells nothing: it is as before it.
    known = np.flatnonzero(np.abs(both) > _TELLING)
    if not len(known):
        return np.zeros(len(steps), dtype=bool)
    before = np.maximum(np.searchsorted(known, np.arange(len(steps)), side="right") - 1, 0)
    result: NDArray[np.bool_] = both[known[before]] < 0.0
    return result


def _tips(corners: Vector, steps: Vector, lengths: Vector) -> NDArray[np.bool_]:
    """Return whether the path turns back at each inner corner (k-2,), seen over a chord too."""
    cosine = np.sum(steps[:-1] * steps[1:], axis=1) / (lengths[:-1] * lengths[1:])
    tips: NDArray[np.bool_] = cosine < _TIP
    sharp = np.flatnonzero(tips)
    arc = np.concatenate([[0.0], np.cumsum(lengths)])
    here = corners[sharp + 1]
    before, after = (
        np.column_stack([np.interp(arc[sharp + 1] + side, arc, c) for c in corners.T])
        for side in (-SMOOTHING, SMOOTHING)
    )
    into, out = here - before, after - here
    size = np.hypot(*into.T) * np.hypot(*out.T)
    tips[sharp] = np.sum(into * out, axis=1) < _TIP * size
    return tips
