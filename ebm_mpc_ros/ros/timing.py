"""Figures of the last ticks, for diagnostics. No rclpy here."""

from __future__ import annotations

from collections import deque

import numpy as np

_WINDOW = 10_000_000_000
_LATE = 1.5


class Window:
    """The last numbers of something that happens each period."""

    def __init__(self, size: int = 1000) -> None:
        """Keep the last `size` numbers."""
        self._numbers: deque[float] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: float) -> None:
        """Add a number."""
        self._numbers.append(number)

    def quantile(self, q: float) -> float:
        """Return a quantile; NaN before the first number."""
        return float(np.quantile(self._numbers, q)) if self._numbers else float("nan")


class Timing(Window):
    """The last durations of something that happens each period, added in s."""

    def quantile(self, q: float) -> float:
        """Return a quantile in ms; NaN before the first duration."""
        return 1e3 * super().quantile(q)


class Deadline:
    """Whether ticks that should come every period begin and end in time."""

    def __init__(self, period: float) -> None:
        """Expect a tick every `period` seconds."""
        self.ticks = 0
        self.late = 0
        """Ticks that began more than half a period late."""
        self.overruns = 0
        """Ticks that took longer than a period."""
        self.misses = 0
        """Ticks that were one of these, or both."""
        self._period = round(period * 1e9)
        self._recent: deque[int] = deque()
        self._last: int | None = None
        self._is_late = False

    @property
    def share(self) -> float:
        """Share of the ticks of the last 10 s that missed their deadline, at most 1."""
        return min(1.0, len(self._recent) * self._period / _WINDOW)

    def pause(self) -> None:
        """Take the next tick for a first one."""
        self._last = None

    def begin(self, now: int) -> int:
        """Note that a tick begins (ns); return the periods since the last, at least 1."""
        gap = self._period if self._last is None else now - self._last
        self._last = now
        self.ticks += 1
        self._is_late = gap > _LATE * self._period
        self.late += self._is_late
        return max(1, round(gap / self._period))

    def end(self, duration: float) -> None:
        """Note that the tick took `duration` s."""
        assert self._last is not None  # noqa: S101  it has begun
        over = duration * 1e9 > self._period
        self.overruns += over
        if self._is_late or over:
            self.misses += 1
            self._recent.append(self._last)
        while self._recent and not 0 <= self._last - self._recent[0] <= _WINDOW:
            self._recent.popleft()
