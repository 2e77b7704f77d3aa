"""A node's two clocks: whether its own stands still, and the time that a robot's base has."""

from __future__ import annotations

from typing import Protocol

_FROZEN = 500_000_000


class Clocks(Protocol):
    """What has a clock of its own and the steady one, both in ns, such as a node."""

    @property
    def now(self) -> int:
        """Its own clock."""

    @property
    def steady_now(self) -> int:
        """The steady one."""


class StandstillWatch:
    """Whether a node's clock stands still: it has not moved for 0.5 s of the steady one.

    It knows what it sees when it is asked: ask often.
    """

    def __init__(self, clocks: Clocks) -> None:
        """Watch from now on."""
        self._clocks = clocks
        self._seen, self._moved_at = clocks.now, clocks.steady_now

    def stands_still(self) -> bool:
        """Return whether the clock stands still."""
        now, steady = self._clocks.now, self._clocks.steady_now
        if now != self._seen:
            self._seen, self._moved_at = now, steady
        return steady - self._moved_at > _FROZEN


class BaseTime:
    """Time in ns as a base has it: the steady clock's, in a simulation the node's.

    In a simulation it goes on with the steady clock while the node's stands still, and waits where
    the node's jumps back.
    """

    def __init__(self, clocks: Clocks, *, simulated: bool) -> None:
        """Begin at 0."""
        self.stands_still = False
        """Whether, at the last reading, the clock of a simulation stood still."""
        self._clocks, self._simulated = clocks, simulated
        self._watch = StandstillWatch(clocks)
        self._now, self._steady = clocks.now, clocks.steady_now
        self._time = 0

    def read(self, *, blocked: bool = False) -> int:
        """Return the time; `blocked` says that a clock that has not moved could not."""
        now, steady = self._clocks.now, self._clocks.steady_now
        self.stands_still = self._simulated and self._watch.stands_still()
        if not self._simulated or self.stands_still or (blocked and now == self._now):
            self._time += steady - self._steady
        else:
            self._time += max(0, now - self._now)
        self._now, self._steady = now, steady
        return self._time
