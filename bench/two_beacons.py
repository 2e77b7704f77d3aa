"""A robot that hears its distance to two beacons: on which side of their line is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.models.diff_drive import DiffDrive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

BEACONS = np.array([[0.0, 0.0], [8.0, 0.0]])
DT = 0.1
TURN, STEPS = 30, 45
"""In which step the robot begins to turn off, and how many there are."""
PROCESS_NOISE = np.diag([1e-3, 1e-3, 2e-3, 0.01, 0.01])
_DEVIATION = np.array([0.05, 0.05, 0.02, 0.02])
_SPREAD = np.diag([0.25, 4.0, 0.01, 0.01, 0.01])


class Ranging(DiffDrive):
    """A differential drive that measures its distances to the beacons and its speeds."""

    output_names = ("range0", "range1", "vx", "vyaw")

    def h(self, x: Any, v: Any = None) -> Any:
        """Return distances and speeds (…, 4)."""
        ranges = np.linalg.norm(x[..., None, :2] - BEACONS, axis=-1)
        z = np.concatenate([ranges, x[..., 3:5]], axis=-1)
        return z if v is None else z + v

    def H(self, x: Any) -> Any:
        """Return ∂h/∂δ (…, 4, 5)."""
        apart = x[..., None, :2] - BEACONS
        H = np.zeros((*x.shape[:-1], 4, 5))
        H[..., :2, :2] = apart / np.linalg.norm(apart, axis=-1)[..., None]
        H[..., 2, 3] = H[..., 3, 4] = 1.0
        return H

    def innovation(self, z: Any, x: Any) -> Any:
        """Return z - h(x)."""
        return z - self.h(x)


class Moment(NamedTuple):
    """A step's number, the input that led to it, where the robot is and what it measures."""

    k: int
    u: Vector
    truth: Vector
    measurement: Measurement


def prior(side: float) -> Belief:
    """Return what is known at the start, about `side` m from the beacons' line."""
    return Belief(np.array([1.0, side, 0.0, 1.0, 0.0]), _SPREAD)


def drive(seed: int) -> Iterator[Moment]:
    """Drive along the beacons' line, 2 m to the left of it, then turn off to the left."""
    model, rng = Ranging(), np.random.default_rng(seed)
    truth = np.array([1.0, 2.0, 0.0, 1.0, 0.0])
    for k in range(STEPS):
        u = np.array([0.0, 1.0 if TURN <= k < TURN + 10 else 0.0])
        if k:
            truth = model.f(truth, u, DT)
        z = model.h(truth) + _DEVIATION * rng.standard_normal(4)
        measurement = Measurement(k, "ranges", (0, 1, 2, 3), z, np.diag(_DEVIATION**2))
        yield Moment(k, u, truth, measurement)
