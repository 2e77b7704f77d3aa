"""The robot's input u, recovered from the velocity commands it was sent."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.time import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


class Command(NamedTuple):
    """A velocity command (6,), linear (m/s) and angular (rad/s), and its stamp (ns)."""

    stamp: int
    twist: Vector


class CommandHistory:
    """Velocity commands by stamp; the input u is their rate of change.

    A command sent at t[k] asks for the change cmd[k] - cmd[k-1] within one period of the sender,
    so u = (cmd[k] - cmd[k-1]) / (t[k] - t[k-1]) over that long after t[k], and zero afterwards.
    Where jitter makes two such spans overlap their inputs add, so that u over time integrates to
    exactly what was commanded.
    """

    def __init__(self, *, longest_period: float = 0.25, memory: float = 2.0) -> None:
        """Remember `memory` seconds; commands further apart than `longest_period` give no u."""
        self._longest_period = int(longest_period * 1e9)
        self._memory = int(memory * 1e9)
        self._commands: list[Command] = []

    def __len__(self) -> int:
        """Return how many commands are remembered."""
        return len(self._commands)

    def add(self, stamp: int, twist: Sequence[float] | Vector) -> None:
        """Add a command (6,) at `stamp` (ns); one not newer than the last is ignored."""
        if self._commands and stamp <= self._commands[-1].stamp:
            return
        self._commands.append(Command(stamp, np.array(twist, dtype=float)))
        if stamp - self._commands[0].stamp > self._memory:
            old = bisect_right(self._commands, stamp - self._memory, key=_stamp)
            # What came before the window is still in force at its beginning.
            del self._commands[: max(0, old - 2)]

    def clear(self) -> None:
        """Forget all commands."""
        self._commands.clear()

    def latest(self, stamp: int) -> Command | None:
        """Return the last command at or before `stamp` (ns)."""
        k = bisect_right(self._commands, stamp, key=_stamp)
        return self._commands[k - 1] if k else None

    def average(self, start: int, end: int) -> Vector:
        """Return the mean rate of change (6,) between two stamps (ns): m/s², rad/s²."""
        mean = np.zeros(6)
        commands = self._commands
        if end <= start:
            return mean
        first = bisect_right(commands, start - self._longest_period, key=_stamp)
        for k in range(max(1, first), len(commands)):
            stamp, twist = commands[k]
            if stamp >= end:
                break
            period = stamp - commands[k - 1].stamp
            overlap = min(end, stamp + period) - max(start, stamp)
            if period <= self._longest_period and overlap > 0:
                change = (twist - commands[k - 1].twist) / seconds(period)
                mean += change * (overlap / (end - start))
        return mean


def _stamp(command: Command) -> int:
    return command.stamp
