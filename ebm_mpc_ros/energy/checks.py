"""Checks of settings: each names the field, its value and what is allowed."""

from __future__ import annotations

import math


def check_least(settings: object, **least: int) -> None:
    """Raise ValueError unless the fields named are at least the numbers given."""
    for name, lowest in least.items():
        value = getattr(settings, name)
        if value < lowest:
            raise ValueError(f"{name} is {value}, allowed is {lowest} or more")


def check_positive(settings: object, *names: str) -> None:
    """Raise ValueError unless the fields named are above 0 and finite."""
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}, allowed are positive numbers")


def check_not_negative(settings: object, *names: str) -> None:
    """Raise ValueError unless the fields named are at least 0; infinite is allowed."""
    for name in names:
        value = getattr(settings, name)
        if not value >= 0:
            raise ValueError(f"{name} is {value}, allowed are numbers from 0 up")


def check_share(settings: object, name: str) -> None:
    """Raise ValueError unless the field named is from 0 to 1."""
    value = getattr(settings, name)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}, allowed is 0 to 1")
