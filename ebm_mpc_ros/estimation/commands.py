"""The robot's input u, recovered from the velocity commands it was sent."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.time import seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CommandHistory:
    """Velocity commands (v, ω) by stamp; u is their rate of change.

    A command sent at t[k] asks for the change cmd[k] - cmd[k-1] within one period of the sender,
    so u = (cmd[k] - cmd[k-1]) / (t[k] - t[k-1]) over that long after t[k], and zero afterwards.
    Where jitter makes two such spans overlap their inputs add, so that u over time integrates to
    exactly what was commanded.
    """

    def __init__(self, *, longest_period: float = 0.25, memory: float = 2.0) -> None:
        """Remember `memory` seconds; commands further apart than `longest_period` give no u."""
        self._longest_period = int(longest_period * 1e9)
        self._memory = int(memory * 1e9)
        self._stamps: list[int] = []
        self._ends: list[int] = []
        self._inputs: list[tuple[float, float]] = []
        self._last: tuple[int, float, float] | None = None

    def add(self, stamp: int, speed: float, yaw_rate: float) -> None:
        """Add a command at `stamp` (ns), m/s and rad/s; one not newer than the last is ignored."""
        if self._last is not None:
            before, last_speed, last_rate = self._last
            period = stamp - before
            if period <= 0:
                return
            if period <= self._longest_period:
                dt = seconds(period)
                self._stamps.append(stamp)
                self._ends.append(stamp + period)
                self._inputs.append(((speed - last_speed) / dt, (yaw_rate - last_rate) / dt))
        self._last = (stamp, speed, yaw_rate)
        if self._stamps and stamp - self._stamps[0] > self._memory:
            old = bisect_right(self._stamps, stamp - self._memory)
            del self._stamps[:old], self._ends[:old], self._inputs[:old]

    def clear(self) -> None:
        """Forget all commands."""
        self._stamps.clear()
        self._ends.clear()
        self._inputs.clear()
        self._last = None

    def average(self, start: int, end: int) -> NDArray[np.float64]:
        """Return the mean input (2,) between two stamps (ns): m/s², rad/s²."""
        mean = np.zeros(2)
        if end <= start:
            return mean
        for i in range(bisect_right(self._stamps, start - self._longest_period), len(self._stamps)):
            if self._stamps[i] >= end:
                break
            overlap = min(end, self._ends[i]) - max(start, self._stamps[i])
            if overlap > 0:
                mean += np.asarray(self._inputs[i]) * (overlap / (end - start))
        return mean
