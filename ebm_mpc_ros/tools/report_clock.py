"""Which time a message is of: its stamp, or where it has none that can be, when it arrived."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Stamps = NDArray[np.int64]

# ns; a stamp that is farther from what its arrival says is of no clock.
_LOST = 10_000_000_000
# A median of so many bears a few stamps that are lost.
_TOGETHER = 9
# ns; stamps that fall by less only jitter. Of so many before and after, one each may be lost.
_JITTER, _BESIDE = 500_000_000, 4


class Clock:
    """The clock that stamps are of, read by that of arrivals; both are ns.

    The two may be hours apart, and one slower than the other, as in a simulation. Where it was set
    back, or the simulation started over, the same stamps come twice: it is that of the longest
    stretch in which it wasn't.

    Args:
        stamps: Those of one topic (k,).
        arrivals: When each arrived (k,).

    Attributes:
        set_back: How often it was set back.
        tolerance: ns; a stamp that is farther from what its arrival says is of another clock.
    """

    def __init__(self, stamps: Stamps, arrivals: Stamps) -> None:
        order = np.argsort(arrivals, kind="stable")
        starts, falls = _set_back(stamps[order])
        self.set_back = len(starts)
        self.tolerance = int(min([_LOST, *(falls // 2)]))
        edges = np.array([0, *starts, len(order)])
        longest = int(np.argmax(np.diff(edges)))
        ends = arrivals[order[starts]].tolist()
        self._begin, self._end = ([None, *ends][longest], [*ends, None][longest])
        order = order[edges[longest] : edges[longest + 1]]
        together = max(1, min(_TOGETHER, len(order)))
        count = len(order) // together
        groups = order[: count * together].reshape(count, together)
        self._zero = int(arrivals.min()) if count else 0
        self._knots = np.median(arrivals[groups] - self._zero, axis=1)
        self._ahead = np.median(arrivals[groups] - stamps[groups], axis=1)
        between = np.ptp(self._knots) if count else 0.0
        self._drift = (self._ahead[-1] - self._ahead[0]) / between if between else 0.0

    def covers(self, arrivals: Stamps) -> NDArray[np.bool_]:
        """Return which arrivals (k,) are of the stretch whose clock it is."""
        covered = np.ones(len(arrivals), np.bool_)
        if self._begin is not None:
            covered &= arrivals >= self._begin
        if self._end is not None:
            covered &= arrivals < self._end
        return covered

    def at(self, arrivals: Stamps) -> Stamps:
        """Return the stamps (k,) that go with arrivals (k,); the same where nothing is known."""
        if not len(self._knots):
            return arrivals
        since = (arrivals - self._zero).astype(np.float64)
        beyond = since - np.clip(since, self._knots[0], self._knots[-1])
        ahead = np.interp(since, self._knots, self._ahead) + self._drift * beyond
        stamps: Stamps = arrivals - np.rint(ahead).astype(np.int64)
        return stamps

    def resolved(self, stamps: Stamps, arrivals: Stamps) -> tuple[Stamps, int]:
        """Return the times (k,) of messages, and how many of their stamps are of no clock.

        Args:
            stamps: Theirs (k,); 0 where there is none.
            arrivals: When they arrived (k,).
        """
        expected = self.at(arrivals)
        lost = (np.abs(stamps - expected) > self.tolerance) & (stamps != 0)
        return np.where(lost | (stamps == 0), expected, stamps), int(lost.sum())


def _set_back(stamps: Stamps) -> tuple[NDArray[np.intp], Stamps]:
    """Return where stamps (k,) in the order of their arrivals fall, and by how much."""
    if len(stamps) < 2 * _BESIDE:
        return np.empty(0, np.intp), np.empty(0, np.int64)
    beside = np.lib.stride_tricks.sliding_window_view(stamps, 2 * _BESIDE)
    before, after = np.sort(beside[:, :_BESIDE]), np.sort(beside[:, _BESIDE:])
    falls = before[:, 1] - after[:, -2]
    found = np.flatnonzero(falls > _JITTER)
    around = np.split(found, np.flatnonzero(np.diff(found) > 1) + 1) if len(found) else []
    steepest = np.array([each[np.argmax(falls[each])] for each in around], np.intp)
    return steepest + _BESIDE, falls[steepest]
