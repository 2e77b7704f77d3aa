"""What was fused in the last seconds, and the belief after each of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Belief, Measurement

# Bounds the memory, and what a late measurement can cost.
_MOST_ENTRIES = 20_000


class Estimate(NamedTuple):
    """The belief at a stamp (ns)."""

    stamp: int
    belief: Belief


@dataclass(slots=True)
class Entry:
    """A measurement, and whether its innovation has been counted."""

    measurement: Measurement
    counted: bool = False


class History:
    """Fused measurements in the order of their stamps, from a base that is certain."""

    def __init__(self, length: int) -> None:
        """Remember `length` ns; 0 for the last belief alone."""
        self._length = length
        self._base: Estimate | None = None
        self._entries: list[Entry] = []
        self._estimates: list[Estimate] = []

    @property
    def last(self) -> Estimate | None:
        """The belief after the last entry."""
        return self._estimates[-1] if self._estimates else self._base

    def restart(self, base: Estimate | None) -> None:
        """Forget everything and go on from `base`."""
        self._base = base
        self._entries.clear()
        self._estimates.clear()

    def forgets(self, stamp: int) -> bool:
        """Return whether a measurement of that stamp comes too late to be put in its place."""
        return bool(self._length) and self._base is not None and stamp < self._base.stamp

    def before(self, stamp: int) -> Estimate | None:
        """Return the belief after the last entry up to `stamp` (ns)."""
        k = bisect_right(self._estimates, stamp, key=_stamp)
        if k:
            return self._estimates[k - 1]
        return self._base if self._base is not None and self._base.stamp <= stamp else None

    def rewind(self, measurement: Measurement) -> list[Entry]:
        """Go back to before `measurement` is due and return the entries that are to come again."""
        k = len(self._entries)
        while k and self._entries[k - 1].measurement.stamp >= measurement.stamp:
            k -= 1
        again = self._entries[k:]
        del self._entries[k:], self._estimates[k:]
        return again

    def append(self, entry: Entry, estimate: Estimate) -> None:
        """Add what was fused last, and let go of what is older than the history."""
        if not self._length:
            self._base = estimate
            return
        self._entries.append(entry)
        self._estimates.append(estimate)
        old = bisect_right(self._estimates, estimate.stamp - self._length, key=_stamp)
        old = max(old, len(self._estimates) - _MOST_ENTRIES)
        if old > 0:
            self._base = self._estimates[old - 1]
            del self._entries[:old], self._estimates[:old]


def _stamp(estimate: Estimate) -> int:
    return estimate.stamp
