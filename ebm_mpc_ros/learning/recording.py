"""What a bag tells of a drive, as arrays by stamp."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.errors import UserError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

Floats = NDArray[np.float64]
Stamps = NDArray[np.int64]

# ns; what comes late by more than this was stamped by a clock that jumped.
_LATE = 500_000_000


class DataError(UserError):
    """Recorded data can't be learned from."""


class Track(NamedTuple):
    """Values (k, n) at rising stamps (k,) in ns."""

    stamps: Stamps
    values: Floats


class Goal(NamedTuple):
    """Where to go from a stamp (ns) on: points (k, 2) of a path in m, or one pose (1, 3).

    `headings` (k,) in rad tell which way a path is driven, None where they are not known.
    """

    stamp: int
    places: Floats
    headings: Floats | None = None


class Obstacles(NamedTuple):
    """The circles (M, 3), x, y, radius in m, that stand from a stamp (ns) on."""

    stamp: int
    circles: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """A drive, in one frame.

    Attributes:
        name: The bag's.
        states: States (k, state_size) of the robot's model.
        commands: Commanded twists (k, 6); None where the drive is told by `twists`.
        twists: Measured twists (k, 6) of base_link.
        goals: In the order of stamps; without any the goal is where the robot then drove.
        obstacles: In the order of stamps.
        inputs: Topic of the commands or twists, for the sentences.
        base: Frame of the robot that the twists are in.
        dropped: How many samples were not finite and so left out, by topic.
    """

    name: str
    states: Track
    commands: Track | None = None
    twists: Track | None = None
    goals: tuple[Goal, ...] = ()
    obstacles: tuple[Obstacles, ...] = ()
    inputs: str = ""
    base: str = ""
    dropped: Mapping[str, int] = field(default_factory=dict)


def track(
    what: str,
    stamps: Sequence[int],
    rows: Sequence[Sequence[float]],
    *,
    dropped: Counter[str] | None = None,
) -> Track:
    """Return values by stamp, in order, late ones in their place, repeated ones left out.

    Args:
        what: Where they come from, for the sentences.
        stamps: ns, as they came.
        rows: Values of each.
        dropped: Where to count, by `what`, values that are not finite and so left out; without it
            one of them refuses all.

    Raises:
        DataError: There are none, a value is not finite, or the clock jumped back.
    """
    times, values = np.array(stamps, dtype=np.int64), np.array(rows, dtype=float)
    if not len(times):
        raise DataError(f"{what}: no messages")
    good = np.isfinite(values).all(axis=1)
    if not good.all() and dropped is None:
        bad = np.flatnonzero(~good)
        since = (times[bad[0]] - times[0]) * 1e-9
        raise DataError(
            f"{what}: {len(bad)} of {len(times)} samples not finite, the first one {since:.2f} s "
            "after the start; bad_samples: drop leaves them out"
        )
    if dropped is not None and not good.all():
        dropped[what] += int(np.count_nonzero(~good))
    times, values = times[good], values[good]
    if not len(times):
        raise DataError(f"{what}: no finite sample")
    back = np.maximum.accumulate(times) - times
    if back.max() > _LATE:
        raise DataError(
            f"{what}: stamps jump back by {back.max() * 1e-9:.1f} s: split the bag there"
        )
    times, first = np.unique(times, return_index=True)
    return Track(times, values[first])
