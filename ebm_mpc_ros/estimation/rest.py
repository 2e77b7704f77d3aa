"""The bias of a gyro, measured while the robot stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.time import nanoseconds

Vector = NDArray[np.float64]


class RestDetector:
    """The robot stands once its wheels and its commands have said zero for a while."""

    def __init__(self, *, speed: float = 1e-3, settle: float = 0.3, memory: float = 0.5) -> None:
        """Count slower than `speed` (m/s or rad/s) for `settle` s as standing.

        Silence says nothing: `memory` s after the last word the robot may be moving again.
        """
        self._speed, self._settle, self._memory = speed, nanoseconds(settle), nanoseconds(memory)
        self._since: int | None = None
        self._last = 0

    def note(self, stamp: int, *speeds: float) -> None:
        """Note measured or commanded speeds (m/s, rad/s) at `stamp` (ns)."""
        if not all(abs(speed) <= self._speed for speed in speeds):
            self._since = None
        elif self._since is None or stamp - self._last > self._memory:
            self._since = stamp
        self._last = stamp

    @property
    def moving(self) -> bool:
        """Whether the last word was of motion."""
        return self._since is None and self._last > 0

    def at_rest(self, stamp: int) -> bool:
        """Return whether the robot stands at `stamp` (ns)."""
        if self._since is None or stamp - self._last > self._memory:
            return False
        return stamp - self._since >= self._settle


class GyroBias:
    """Running mean of a gyro at rest, to be taken off its readings."""

    def __init__(self, *, needed: int = 100, window: int = 2000, largest: float = 0.1) -> None:
        """Know the bias after `needed` samples; weigh the last `window` about equally.

        A reading beyond `largest` (rad/s) on any axis is no bias: somebody turns the robot.
        """
        self.bias: Vector = np.zeros(3)
        """Bias (3,) in the sensor's axes, rad/s."""
        self.samples = 0
        self._needed, self._window, self._largest = needed, window, largest

    @property
    def known(self) -> bool:
        """Whether enough samples at rest have been seen."""
        return self.samples >= self._needed

    def corrected(self, rate: Vector, *, at_rest: bool) -> Vector:
        """Return the angular velocity (3,) without the bias, learning it while at rest."""
        if at_rest and np.abs(rate).max() <= self._largest:
            self.samples += 1
            self.bias = self.bias + (rate - self.bias) / min(self.samples, self._window)
        return rate - self.bias
