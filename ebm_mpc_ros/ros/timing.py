"""Times of the last periods, for diagnostics."""

from __future__ import annotations

from collections import deque

import numpy as np


class Timing:
    """The last durations of something that happens each period, in s."""

    def __init__(self, window: int = 1000) -> None:
        """Keep the last `window` durations."""
        self._durations: deque[float] = deque(maxlen=window)

    def add(self, duration: float) -> None:
        """Add a duration in s."""
        self._durations.append(duration)

    def quantile(self, q: float) -> float:
        """Return a quantile in ms; NaN before the first."""
        return float(np.quantile(self._durations, q)) * 1e3 if self._durations else float("nan")
