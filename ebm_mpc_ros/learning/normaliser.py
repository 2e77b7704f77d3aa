"""Values to zero mean and unit deviation, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_CONSTANT = 1e-9


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Mean and deviation (n,) by which values are normalised: (value - mean) / deviation.

    Raises:
        ValueError: They are not finite, of two lengths, or a deviation is not above 0.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            values = getattr(self, name)
            if not isinstance(values, Sequence) or not all(map(is_number, values)):
                raise ValueError(f"{name} must be a list of finite numbers")
            object.__setattr__(self, name, tuple(float(value) for value in values))
        if len(self.mean) != len(self.deviation):
            raise ValueError(f"{len(self.mean)} means and {len(self.deviation)} deviations")
        if not all(deviation > 0.0 for deviation in self.deviation):
            raise ValueError("a deviation is not above 0")

    @classmethod
    def identity(cls, size: int) -> Scaling:
        """Return the scaling that changes nothing."""
        return cls(mean=(0.0,) * size, deviation=(1.0,) * size)

    @classmethod
    def of(cls, values: Floats) -> Scaling:
        """Return the scaling of values (k, n); columns that are constant are only shifted."""
        deviation = np.where(constant(values), 1.0, values.std(axis=0))
        return cls(mean=tuple(values.mean(axis=0).tolist()), deviation=tuple(deviation.tolist()))

    def normalise(self, values: Floats) -> Floats:
        """Return values (…, n) normalised."""
        return np.asarray((values - np.array(self.mean)) / np.array(self.deviation))

    def restore(self, values: Floats) -> Floats:
        """Return normalised values (…, n) in their own units."""
        return np.asarray(values * np.array(self.deviation) + np.array(self.mean))


def constant(values: Floats) -> NDArray[np.bool_]:
    """Return which columns (n,) of values (k, n) never change, but for rounding."""
    largest = np.maximum(np.abs(values).max(axis=0), 1.0)
    return np.asarray(np.ptp(values, axis=0) <= _CONSTANT * largest)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite int or float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
