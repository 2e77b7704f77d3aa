"""Which time a message is of: its stamp, or where it has none that can be, when it arrived."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Stamps = NDArray[np.int64]

LOST = 10_000_000_000
"""ns; a stamp that is farther from what its arrival says is of no clock."""
# A median of so many bears a few stamps that are lost.
_TOGETHER = 9


class Clock:
    """The clock that stamps are of, read by that of arrivals; both are ns.

    The two may be hours apart, and one slower than the other, as in a simulation.

    Args:
        stamps: Those of one topic (k,).
        arrivals: When each arrived (k,).
    """

    def __init__(self, stamps: Stamps, arrivals: Stamps) -> None:
        order = np.argsort(arrivals, kind="stable")
        together = max(1, min(_TOGETHER, len(order)))
        count = len(order) // together
        groups = order[: count * together].reshape(count, together)
        self._zero = int(arrivals.min()) if count else 0
        self._knots = np.median(arrivals[groups] - self._zero, axis=1)
        self._ahead = np.median(arrivals[groups] - stamps[groups], axis=1)
        between = np.ptp(self._knots) if count else 0.0
        self._drift = (self._ahead[-1] - self._ahead[0]) / between if between else 0.0

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
        lost = (np.abs(stamps - expected) > LOST) & (stamps != 0)
        return np.where(lost | (stamps == 0), expected, stamps), int(lost.sum())
