"""Planar states by time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


class Trajectory:
    """Planar states at stamps, linear in between.

    Args:
        stamps: Times (k,) in seconds, increasing.
        states: (x, y, yaw, vx, vy, vyaw) (k, 6); headings are unwrapped.

    Attributes:
        start: First stamp in seconds.
        end: Last stamp in seconds.
        lowest_speed: Lowest vx in m/s, negative where it goes backwards.

    Raises:
        ValueError: A shape is wrong, a number is not finite, or the stamps don't increase.
    """

    def __init__(self, stamps: ArrayLike, states: ArrayLike) -> None:
        self._stamps = np.array(stamps, dtype=np.float64)
        self._states = np.array(states, dtype=np.float64)
        count = self._stamps.size
        if self._stamps.shape != (count,) or self._states.shape != (count, 6) or count == 0:
            raise ValueError(
                f"stamps has shape {self._stamps.shape}, states has shape {self._states.shape}: "
                "(k,) and (k, 6) are wanted, k at least 1"
            )
        if not (np.isfinite(self._stamps).all() and np.isfinite(self._states).all()):
            raise ValueError("stamps or states holds a number that is not finite")
        if np.any(np.diff(self._stamps) <= 0.0):
            raise ValueError("stamps must increase")
        self._states[:, 2] = np.unwrap(self._states[:, 2])
        self.start, self.end = float(self._stamps[0]), float(self._stamps[-1])
        self.lowest_speed = float(np.min(self._states[:, 3]))

    def resample(self, start: float, dt: float, horizon: int) -> Vector:
        """Return the states (horizon+1, 6) from `start` on, `dt` apart.

        Before the first stamp the first pose holds and after the last one the last, both at zero
        speed.
        """
        times = start + dt * np.arange(horizon + 1)
        states = np.empty((horizon + 1, 6))
        for k in range(6):
            states[:, k] = np.interp(times, self._stamps, self._states[:, k])
        states[(times < self.start) | (times > self.end), 3:] = 0.0
        return states
