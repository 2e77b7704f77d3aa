"""Stamps are integer nanoseconds; intervals are seconds."""

from __future__ import annotations


def seconds(nanoseconds: int) -> float:
    """Return an interval of nanoseconds in seconds."""
    return nanoseconds * 1e-9


def nanoseconds(interval: float) -> int:
    """Return an interval of seconds in nanoseconds."""
    return round(interval * 1e9)
