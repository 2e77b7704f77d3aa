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
    centres = np.broadcast_to(circles[:, :2], (N, M, 2))
    if velocities is not None:
        speeds = _checked("velocities", velocities, 2)
        if len(speeds) != M:
            raise ValueError(f"velocities holds {len(speeds)}, discs {M}: as many are wanted")
        centres = centres + dt * np.arange(1, N + 1)[:, None, None] * speeds
    radii = np.maximum(circles[:, 2] + clearance, _SAME)
    ahead, aside = _passing(path, centres)
    away = _moved_out(plan[1:, None] - centres, radii, aside)
    distance = np.hypot(away[..., 0], away[..., 1])
    normals = away / distance[..., None]
    before = np.maximum(-np.sum(normals * ahead, axis=-1), 0.0)
    normals = normals + _LEAN * before[..., None] * aside
    normals /= np.hypot(normals[..., 0], normals[..., 1])[..., None]
    offsets = np.sum(normals * centres, axis=-1) + radii
    nearest = np.argsort(distance - radii, axis=1, kind="stable")[:, :count]
    # By disc, not by distance: rows then mean the same from tick to tick.
    nearest.sort(axis=1)
    found = nearest.shape[1]
    planes.normals[:, :found] = np.take_along_axis(normals, nearest[..., None], axis=1)
    planes.offsets[:, :found] = np.take_along_axis(offsets, nearest, axis=1)
    return planes


def _passing(path: Vector, centres: Vector) -> tuple[Vector, Vector]:
    """Return two unit vectors (M, 2) of the path where it is nearest to each centre.

    One is its direction there, the other points to the side on which it passes, left in doubt.
    """
    away = path[1:, None] - centres
    nearest = np.argmin(np.sum(away * away, axis=-1), axis=0)
    steps = np.diff(path, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    moving = np.flatnonzero(lengths > _SAME)
    ahead = np.tile([1.0, 0.0], (len(nearest), 1))
    if moving.size:
        closest = moving[np.argmin(np.abs(moving[:, None] - nearest), axis=0)]
        ahead = steps[closest] / lengths[closest, None]
    left = np.stack([-ahead[:, 1], ahead[:, 0]], axis=-1)
    passed = away[nearest, np.arange(len(nearest))]
    sign = np.where(np.sum(passed * left, axis=-1) < -_SAME, -1.0, 1.0)
    return ahead, sign[:, None] * left


def _moved_out(away: Vector, radii: Vector, aside: Vector) -> Vector:
    """Return `away` (N, M, 2), sideways on the circle where it is inside."""
    beyond = radii**2 - np.sum(away * away, axis=-1)
    along = np.sum(away * aside, axis=-1)
    reach = np.where(beyond > 0.0, np.sqrt(np.maximum(along**2 + beyond, 0.0)) - along, 0.0)
    moved: Vector = away + reach[..., None] * aside
    return moved


def _checked(name: str, given: ArrayLike, columns: int) -> Vector:
    values = np.asarray(given, dtype=np.float64)
    if values.size == 0:
        values = values.reshape(0, columns)
    if values.ndim != 2 or values.shape[1] != columns:
        raise ValueError(f"{name} has shape {values.shape}: (k, {columns}) is wanted")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds a number that is not finite")
    return values
