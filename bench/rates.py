"""Rates of what happened or not, with their intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEVIATIONS = 1.96


def percent(happened: Sequence[bool]) -> float:
    """Return how often it happened, in %."""
    return 100.0 * sum(happened) / len(happened)


def interval(happened: Sequence[bool]) -> str:
    """Return Wilson's 95 % interval of how often it happens, in %."""
    count, rate = len(happened), sum(happened) / len(happened)
    z2 = _DEVIATIONS**2 / count
    middle = (rate + z2 / 2) / (1 + z2)
    half = _DEVIATIONS * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count)) / (1 + z2)
    return f"[{100 * max(middle - half, 0.0):.1f}, {100 * min(middle + half, 1.0):.1f}] %"
