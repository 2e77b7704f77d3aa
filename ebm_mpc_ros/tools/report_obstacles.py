"""Which obstacles stood when, from their markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.ros.obstacle_ledger import ObstacleLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Obstacle(NamedTuple):
    """A circle (m) that stood, from and to in s."""

    x: float
    y: float
    radius: float
    begin: float
    end: float


class Obstacles:
    """Collects the circles that a ledger of markers has, with the times (ns) they stood.

    Args:
        position: As an `ObstacleLedger` takes it.
    """

    def __init__(self, position: Callable[[Any], Floats]) -> None:
        self._ledger = ObstacleLedger(position)
        self._now = 0
        self._standing: dict[tuple[float, float, float], int] = {}
        self._gone: list[tuple[tuple[float, float, float], int, int]] = []

    def take(self, markers: Iterable[Any], now: int) -> list[str]:
        """Do what markers say; return why those that can't be used can't."""
        self._now = max(self._now, now)
        self._let_expire(self._now)
        reasons = self._ledger.take(markers, self._now)
        self._note(self._now)
        return reasons

    def stood(self, start: int, end: int) -> list[Obstacle]:
        """Return the circles that stood between two times, in s from the first."""
        self._let_expire(end)
        all_of_them = [*self._gone, *((c, begin, end) for c, begin in self._standing.items())]
        return [
            Obstacle(*circle, max(0.0, (begin - start) * 1e-9), (until - start) * 1e-9)
            for circle, begin, until in all_of_them
            if until > start
        ]

    def _let_expire(self, now: int) -> None:
        while (expiry := self._ledger.next_expiry) is not None and expiry < now:
            self._ledger.expire(expiry + 1)
            self._note(expiry)

    def _note(self, now: int) -> None:
        there = {(x, y, r) for x, y, r in self._ledger.circles.tolist()}
        for circle in [c for c in self._standing if c not in there]:
            self._gone.append((circle, self._standing.pop(circle), now))
        for circle in there:
            self._standing.setdefault(circle, now)
