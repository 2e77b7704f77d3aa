"""Courses with one obstacle on the way, drawn at random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.simulation.courses import Course

if TYPE_CHECKING:
    from numpy.random import Generator

_LENGTH = 7.0
_POINTS = 141
_SPREAD = 2.0
_AHEAD = 2.5, 4.5
_ASIDE = 0.15
_RADII = 0.15, 0.3
_CURVATURE = 0.5


def draw_passing(rng: Generator, speed: float) -> Course:
    """Return a way of 7 m from anywhere to anywhere, an arc with an obstacle on its middle.

    It bends to either side by up to 0.5 rad/m. The obstacle stands 2.5 to 4.5 m along the way, up
    to 0.15 m beside it, and has a radius of 0.15 to 0.3 m.

    Args:
        rng: What is drawn from.
        speed: Speed to cruise at in m/s.
    """
    start = rng.uniform(-_SPREAD, _SPREAD, 2)
    yaw = rng.uniform(-math.pi, math.pi)
    arc = np.linspace(0.0, _LENGTH, _POINTS)
    headings = yaw + rng.uniform(-_CURVATURE, _CURVATURE) * arc
    middle = 0.5 * (headings[:-1] + headings[1:])
    steps = arc[1] * np.column_stack([np.cos(middle), np.sin(middle)])
    points = start + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    beside = round(rng.uniform(*_AHEAD) / arc[1])
    normal = np.array([-math.sin(headings[beside]), math.cos(headings[beside])])
    place = points[beside] + rng.uniform(-_ASIDE, _ASIDE) * normal
    return Course(
        name="passing",
        points=points,
        closed=False,
        obstacles=np.array([[*place, rng.uniform(*_RADII)]]),
        half_width=1.5,
        speed=speed,
    )
