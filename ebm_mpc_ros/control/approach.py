"""A reference that begins at the robot, where the robot is far from the one it is given."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models.base import wrap_angle

Vector = NDArray[np.float64]

_SLOWEST = 0.2  # m/s


def led_from(planar: Vector, place: Vector, dt: float) -> Vector:
    """Return a planar reference (N+1, 6) that leads straight from a place to another, then on.

    It goes as fast as the other does at its fastest, backwards where that does.

    Args:
        planar: Reference (N+1, 6) of `PLANAR_NAMES`, its heading continuous.
        place: Where to begin (2,) in m, not where the reference does.
        dt: Time between two rows in s.
    """
    way = planar[0, :2] - place
    gap = math.hypot(*way)
    steps = np.hypot(*np.diff(planar[:, :2], axis=0).T)
    fastest = max(float(steps.max()), _SLOWEST * dt)
    backwards = float(planar[:, 3].sum()) < 0.0
    # Row 0 is where it begins, row k + 1 is the other's row k.
    arc = np.concatenate([[0.0, gap], gap + np.cumsum(steps)])
    here = np.minimum(fastest * np.arange(len(planar)), arc[-1])
    facing = math.atan2(way[1], way[0]) + (math.pi if backwards else 0.0)
    facing = float(planar[0, 2] + wrap_angle(facing - planar[0, 2]))
    reference = np.empty_like(planar)
    for column in range(planar.shape[1]):
        first = place[column] if column < 2 else planar[0, column]
        reference[:, column] = np.interp(here, arc, np.concatenate([[first], planar[:, column]]))
    coming = here < gap
    reference[coming, 2] = facing
    reference[coming, 3] = -fastest / dt if backwards else fastest / dt
    reference[coming, 4:] = 0.0
    return reference
