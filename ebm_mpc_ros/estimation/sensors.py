"""How an input is fused: masks, thresholds, and what a covariance must be.

Masks, frames and the meaning of covariances are robot_localization's: a mask selects axes of the
sensor, and the robot's coordinates that these have a part in are fused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.ekf import Matrix, Measurement, Vector
from ebm_mpc_ros.models import CANONICAL_STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.models import Model

STANDARD_GRAVITY = 9.80665
PLANAR_ZEROS = ("z", "roll", "pitch", "vz", "vroll", "vpitch", "az")
"""What two_d_mode holds at zero."""
_STATES = len(CANONICAL_STATES)
# Below this a rotated axis has no part in another: a right angle is often given with seven digits.
_NO_PART = 1e-6
_PLANAR_VARIANCE = 1e-6
# Rounding of a covariance that is singular, as of fully correlated axes.
_SEMIDEFINITE = 1e-9


class BadMeasurementError(ValueError):
    """A message can't be used; its text is the reason, without numbers, to be counted by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SensorSettings:
    """How one input is fused.

    Attributes:
        name: The input, odom0 or imu1, say.
        model: The robot; outputs that it lacks are left out.
        mask: Fifteen booleans in the order of `CANONICAL_STATES`, in the sensor's axes.
        pose_threshold: Rejection of pose measurements, sigmas.
        twist_threshold: Rejection of twist measurements, sigmas.
        acceleration_threshold: Rejection of accelerations, sigmas.
        differential: Fuse the rate of change of poses.
        relative: Fuse poses as seen from the first.
        planar: Leave out what two_d_mode holds at zero.
        remove_gravity: Whether an IMU's acceleration contains gravity, which is then removed.
        gravity: m/s².
        default_variance: Variances (15,) in the sensor's axes that replace a message's zeros; None
            where there are none.
    """

    name: str
    model: Model
    mask: tuple[bool, ...]
    pose_threshold: float = np.inf
    twist_threshold: float = np.inf
    acceleration_threshold: float = np.inf
    differential: bool = False
    relative: bool = False
    planar: bool = False
    remove_gravity: bool = False
    gravity: float = STANDARD_GRAVITY
    default_variance: Vector | None = None

    def __post_init__(self) -> None:
        """Check lengths and ranges.

        Raises:
            ValueError: The mask or the variances haven't fifteen entries, or a number is out of
                range.
        """
        if len(self.mask) != _STATES:
            raise ValueError(
                f"{self.name}_config has {len(self.mask)} entries: must have {_STATES}"
            )
        for of in ("pose_threshold", "twist_threshold", "acceleration_threshold"):
            if not getattr(self, of) > 0.0:
                raise ValueError(f"{self.name} {of} = {getattr(self, of)}: must be above 0")
        if not 0.0 <= self.gravity < np.inf:
            raise ValueError(f"gravity = {self.gravity}: must be finite, at least 0")
        variance = self.default_variance
        if variance is not None and not (variance.shape == (_STATES,) and (variance >= 0.0).all()):
            raise ValueError(f"{self.name}_variance must be {_STATES} numbers, at least 0")

    def takes(self, canonical: range) -> bool:
        """Return whether the mask takes any of that range."""
        return any(self.mask[i] for i in canonical)

    def outputs(self, canonical: Sequence[int]) -> list[int]:
        """Return those canonical indices that the model has and that aren't held at zero."""
        names = self.model.output_names
        return [
            i
            for i in canonical
            if CANONICAL_STATES[i] in names
            and not (self.planar and CANONICAL_STATES[i] in PLANAR_ZEROS)
        ]

    def rows(self, canonical: Sequence[int]) -> tuple[int, ...]:
        """Return the model's output rows of canonical indices."""
        return tuple(self.model.output_names.index(CANONICAL_STATES[i]) for i in canonical)


class Projection:
    """From the axes of a sensor to the fused coordinates: z = M values, R = M C Mᵀ.

    Entries of values and covariance that M has no use for are never looked at.
    """

    def __init__(
        self,
        sensor: SensorSettings,
        first: int,
        rotation: Matrix,
        *,
        mask_rotation: Matrix | None = None,
        shift: int = 0,
    ) -> None:
        """Select by the mask.

        Args:
            sensor: Its mask and model.
            first: Canonical index of the part's first axis.
            rotation: Rotation of the part's axes (d, d) into the world's or base_link's.
            mask_rotation: Rotation of the mask where it is another.
            shift: From the masked coordinates to the fused ones: 6 from a pose to its rate.
        """
        size = len(rotation)
        by = rotation if mask_rotation is None else mask_rotation
        masked = by * np.array(sensor.mask[first : first + size], dtype=float)
        touched = np.flatnonzero(np.linalg.norm(masked, axis=1) >= _NO_PART)
        canonical = sensor.outputs([first + shift + int(i) for i in touched])
        self.axes = [i - first - shift for i in canonical]
        """Which of the part's axes (k) are fused."""
        self.rows = sensor.rows(canonical)
        """The model's output rows (k) of these."""
        self.matrix = rotation[self.axes]
        """M (k, d)."""
        self._used = np.flatnonzero((np.abs(self.matrix) >= _NO_PART).any(axis=0))
        self._block = np.ix_(self._used, self._used)
        self._M = np.ascontiguousarray(self.matrix[:, self._used])
        self._sensor, self._first = sensor, first
        self._seen = b""
        self._spread = np.zeros((0, 0))

    def values(self, values: Vector) -> Vector:
        """Return M v.

        Raises:
            BadMeasurementError: An entry in use is not finite.
        """
        z: Vector = self._M.dot(values[self._used])
        if not math.isfinite(float(z.sum())):
            raise BadMeasurementError("values not finite")
        return z

    def covariance(self, covariance: Matrix) -> Matrix:
        """Return M C Mᵀ, with the input's own variances where the message has zeros.

        Raises:
            BadMeasurementError: It is not finite, not symmetric or not positive definite.
        """
        seen = covariance.tobytes()
        if seen != self._seen:
            C = self._checked(covariance[self._block])
            self._spread = self._M @ C @ self._M.T
            self._seen = seen
        return self._spread

    def _checked(self, C: Matrix) -> Matrix:
        if not np.isfinite(C).all():
            raise BadMeasurementError("covariance not finite")
        if np.abs(C - C.T).max() > 1e-6 * np.abs(C).max():
            raise BadMeasurementError("covariance not symmetric")
        unknown = np.flatnonzero(C.diagonal() == 0.0)
        axes, variance = self._first + self._used[unknown], self._sensor.default_variance
        if variance is not None:
            C[unknown, unknown] = variance[axes]
        else:
            # An axis that only a tilt brings in may be known exactly.
            for name in (CANONICAL_STATES[axis] for axis in axes if self._sensor.mask[axis]):
                raise BadMeasurementError(
                    f"variance of {name} is 0 and {self._sensor.name}_variance not set"
                )
        if np.linalg.eigvalsh(C)[0] < -_SEMIDEFINITE * C.diagonal().max():
            raise BadMeasurementError("covariance not positive definite")
        return C


def planar_constraint(model: Model, stamp: int) -> Measurement:
    """Return the measurement of zeros that two_d_mode fuses with every message."""
    rows = tuple(i for i, name in enumerate(model.output_names) if name in PLANAR_ZEROS)
    k = len(rows)
    return Measurement(stamp, "two_d_mode", rows, np.zeros(k), np.eye(k) * _PLANAR_VARIANCE)


def unit(quaternion: Vector) -> Vector:
    """Return a message's quaternion (4,) at unit length.

    Raises:
        BadMeasurementError: It is not finite, or too far from unit length to be a rotation.
    """
    norm = math.sqrt(float(quaternion.dot(quaternion)))
    if not math.isfinite(norm):
        raise BadMeasurementError("quaternion not finite")
    if abs(norm - 1.0) > 0.1:
        raise BadMeasurementError("quaternion not of unit length")
    return quaternion / norm
