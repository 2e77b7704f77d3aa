"""Messages to arrays. Fields are read by name, so rclpy's and rosbags' messages both do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_FARTHEST = 1e7
_FASTEST = 1e2


def plausible(positions: Any, speeds: Any = ()) -> bool:
    """Return whether all are finite and possible for a robot: 1e7 m, and 1e2 m/s or rad/s."""
    return bool(
        np.all(np.abs(positions) <= _FARTHEST) and np.all(np.abs(np.asarray(speeds)) <= _FASTEST)
    )


def stamp_of(message: Any) -> int:
    """Return a header's stamp in ns."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def vector(v: Any) -> Vector:
    """Return a Vector3 or Point as (3,)."""
    return np.array([v.x, v.y, v.z], dtype=float)


def quaternion(q: Any) -> Vector:
    """Return a Quaternion as (4,) xyzw."""
    return np.array([q.x, q.y, q.z, q.w], dtype=float)


def square(numbers: Any, size: int) -> Vector:
    """Return a row-major covariance as (size, size).

    Raises:
        ValueError: It has another size.
    """
    flat = np.asarray(numbers, dtype=float)
    if flat.size != size * size:
        raise ValueError(f"covariance has {flat.size} numbers: must have {size * size}")
    return flat.reshape(size, size)
