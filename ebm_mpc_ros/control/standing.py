"""Whether something gets anywhere."""

from __future__ import annotations

import math

_STEP = 0.02
_PATIENCE = 2_000_000_000
_GAP = 500_000_000


class Standing:
    """Whether a distance has stayed the same, within 2 cm, for 2 s.

    Attributes:
        distance: What it has stayed at in m.
    """

    def __init__(self) -> None:
        self.distance = math.inf
        self._since = self._last = 0

    def seen(self, distance: float, now: int) -> bool:
        """Take the distance (m) at a time (ns); a gap of more than 0.5 s starts it anew."""
        moved = not abs(distance - self.distance) <= _STEP
        if moved or not 0 <= now - self._last <= _GAP:
            self.distance, self._since = distance, now
        self._last = now
        return now - self._since >= _PATIENCE
