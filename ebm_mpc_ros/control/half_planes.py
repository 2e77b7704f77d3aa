"""Obstacles as half-planes: for each stage of the plan the nearest ones, on the side it takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.problem import check_count, check_not_negative, check_positive

Vector = NDArray[np.float64]

_NONE = -1.0
_SAME = 1e-9
_LEAN = 0.36


class HalfPlanes(NamedTuple):
    """Where the position p may be at the stages 1 … N: n·p ≥ b, in m.

    Attributes:
        normals: n (N, K, 2), zero where there is none.
        offsets: b (N, K).
    """

    normals: Vector
    offsets: Vector


def around_discs(
    discs: ArrayLike,
    positions: ArrayLike,
    dt: float,
    count: int,
    *,
    clearance: float,
    velocities: ArrayLike | None = None,
    guess: ArrayLike | None = None,
) -> HalfPlanes:
    """Return half-planes that touch the discs nearest to a plan at each of its stages.

    A normal points from the centre to the plan, and ahead of a disc it leans by up to 20° to the
    side on which the guess passes, so that the plan slides past instead of stopping in front.
    Where the plan is inside a disc it is first moved out to that side.

    Args:
        discs: Centres x, y and radii (M, 3) in m.
        positions: The plan (N+1, 2) in m, as `RealTimeIteration.forecast` has it.
        dt: Time between two positions in seconds.
        count: Half-planes K of a stage.
        clearance: Distance to keep from the discs in m, the robot's radius included.
        velocities: Velocities (M, 2) of the discs in m/s; zero where omitted.
        guess: Path (N+1, 2) whose sides are taken, as the policy's; the plan where omitted.

    Raises:
        ValueError: An argument is out of range, of a wrong shape or not finite.
    """
    check_positive("dt", dt)
    check_count("count", count)
    check_not_negative("clearance", clearance)
    plan = _checked("positions", positions, 2)
    path = plan if guess is None else _checked("guess", guess, 2)
    if not len(plan) == len(path) > 1:
        raise ValueError(
            f"positions holds {len(plan)}, guess {len(path)}: as many, at least 2, are wanted"
        )
    circles = _checked("discs", discs, 3)
    if np.any(circles[:, 2] < 0.0):
        raise ValueError(f"discs has the radii {circles[:, 2].tolist()}: each must be at least 0")
    N, M = len(plan) - 1, len(circles)
    planes = HalfPlanes(np.zeros((N, count, 2)), np.full((N, count), _NONE))
    if M == 0:
        return planes
    # Coordinate by coordinate: NumPy takes several times as long over short last axes.
    cx, cy = circles[:, 0], circles[:, 1]
    if velocities is not None:
        speeds = _checked("velocities", velocities, 2)
        if len(speeds) != M:
            raise ValueError(f"velocities holds {len(speeds)}, discs {M}: as many are wanted")
        times = dt * np.arange(1, N + 1)[:, None]
        cx, cy = cx + times * speeds[:, 0], cy + times * speeds[:, 1]
    radii = np.maximum(circles[:, 2] + clearance, _SAME)
    ahead_x, ahead_y, side = _passing(path, cx, cy)
    aside_x, aside_y = -side * ahead_y, side * ahead_x
    x, y = plan[1:, :1] - cx, plan[1:, 1:] - cy
    # Inside a disc the plan is moved sideways onto its circle.
    beyond = radii * radii - (x * x + y * y)
    if beyond.max() > 0.0:
        along = x * aside_x + y * aside_y
        reach = np.sqrt(np.maximum(along * along + beyond, 0.0)) - along
        reach *= beyond > 0.0
        x, y = x + reach * aside_x, y + reach * aside_y
    distance = np.sqrt(x * x + y * y)
    x, y = x / distance, y / distance
    lean = _LEAN * np.maximum(-(x * ahead_x + y * ahead_y), 0.0)
    x, y = x + lean * aside_x, y + lean * aside_y
    length = np.sqrt(x * x + y * y)
    x, y = x / length, y / length
    offsets = x * cx + y * cy + radii
    found = min(count, M)
    nearest = np.argsort(distance - radii, axis=1, kind="stable")[:, :found]
    # By disc, not by distance: rows then mean the same from tick to tick.
    nearest.sort(axis=1)
    rows = np.arange(N)[:, None]
    planes.normals[:, :found, 0] = x[rows, nearest]
    planes.normals[:, :found, 1] = y[rows, nearest]
    planes.offsets[:, :found] = offsets[rows, nearest]
    return planes


def _passing(path: Vector, cx: Vector, cy: Vector) -> tuple[Vector, Vector, Vector]:
    """Return of the path where it is nearest to each centre: its direction x and y, its side.

    They are (M,) each; the side is 1 where it passes on the left or in doubt, -1 on the right.
    """
    x, y = path[1:, :1] - cx, path[1:, 1:] - cy
    nearest = (x * x + y * y).argmin(axis=0)
    steps = path[1:] - path[:-1]
    lengths = np.sqrt(steps[:, 0] ** 2 + steps[:, 1] ** 2)
    moving = np.flatnonzero(lengths > _SAME)
    if not moving.size:
        ahead_x, ahead_y = np.ones(len(nearest)), np.zeros(len(nearest))
    else:
        closest = nearest
        if moving.size < len(lengths):
            closest = moving[np.abs(moving[:, None] - nearest).argmin(axis=0)]
        ahead_x, ahead_y = (steps[closest] / lengths[closest, None]).T
    each = np.arange(len(nearest))
    passed = y[nearest, each] * ahead_x - x[nearest, each] * ahead_y
    return ahead_x, ahead_y, np.where(passed < -_SAME, -1.0, 1.0)


def _checked(name: str, given: ArrayLike, columns: int) -> Vector:
    values = np.asarray(given, dtype=np.float64)
    if values.size == 0:
        values = values.reshape(0, columns)
    if values.ndim != 2 or values.shape[1] != columns:
        raise ValueError(f"{name} has shape {values.shape}: (k, {columns}) is wanted")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return values
