"""Which obstacles stood when, from their markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.ros.conversion import vector
from ebm_mpc_ros.ros.obstacle_ledger import ObstacleLedger

if TYPE_CHECKING:
    from collections.abc import Iterable


class Obstacle(NamedTuple):
    """A circle (m) that stood, from and to in s."""

    x: float
    y: float
    radius: float
    begin: float
    end: float


class Obstacles:
    """Collects the circles that a ledger of markers has, with the times (ns) they stood."""

    def __init__(self) -> None:
        self._ledger = ObstacleLedger(lambda marker: vector(marker.pose.position))
        self._standing: dict[tuple[float, float, float], int] = {}
        self._gone: list[tuple[tuple[float, float, float], int, int]] = []

    def take(self, markers: Iterable[Any], now: int) -> None:
        """Do what markers say."""
        self._let_expire(now)
        self._ledger.take(markers, now)
        self._note(now)

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
