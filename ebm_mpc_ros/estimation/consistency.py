"""Is the filter as sure as it may be? Normalised innovations against their χ² law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv


@dataclass(slots=True)
class Consistency:
    """Running sums of the normalised innovation squared, NIS = νᵀ S⁻¹ ν ~ χ²(k).

    Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation" (2001),
    section 5.4.
    """

    count: int = 0
    degrees: int = 0
    total: float = 0.0

    def add(self, nis: float, degrees: int) -> None:
        """Add one innovation of `degrees` dimensions; a non-finite NIS is left out."""
        if np.isfinite(nis):
            self.count += 1
            self.degrees += degrees
            self.total += nis

    @property
    def ratio(self) -> float:
        """Mean of NIS over its degrees of freedom; 1 for a consistent filter, NaN before data."""
        return self.total / self.degrees if self.degrees else float("nan")

    def bounds(self, probability: float = 0.95) -> tuple[float, float]:
        """Return the interval in which `ratio` of a consistent filter lies."""
        if not self.degrees:
            return 0.0, float("inf")
        shape = 0.5 * self.degrees
        tail = 0.5 * (1.0 - probability)
        low, high = (float(gammaincinv(shape, p)) / shape for p in (tail, 1.0 - tail))
        return low, high
