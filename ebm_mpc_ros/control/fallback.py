"""What to drive where a solve fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.control.solution import Solution

Vector = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FallbackSettings:
    """How long a plan is trusted when no newer one follows.

    Attributes:
        tail_ticks: Periods for which the last plan's next inputs are driven, at least 0.

    Raises:
        ValueError: A field is out of its range.
    """

    tail_ticks: int = 3

    def __post_init__(self) -> None:
        ticks = self.tail_ticks
        if isinstance(ticks, bool) or not isinstance(ticks, int) or ticks < 0:
            raise ValueError(f"tail_ticks is {ticks!r}: it must be a whole number of at least 0")


class Fallback:
    """Inputs from solutions, usable or not: the plan, then its tail, then a stop.

    The tail is that of the last usable plan, one input a period. Once it is used up, and until a
    solution is usable again, there is none: the robot is to be slowed down along its deceleration
    limits, as by `slow_down`. The controller itself drops a plan after repeated failures.

    Args:
        settings: How long to drive the tail.

    Attributes:
        counts: How often solutions were not usable, by how the solve ended; `tail` and `stop` are
            the ticks that were driven so.
        reason: Why the last solution was not usable; empty if it was.
    """

    def __init__(self, settings: FallbackSettings | None = None) -> None:
        self._settings = settings or FallbackSettings()
        self._plan: Vector | None = None
        self._at = 0
        self.counts: Counter[str] = Counter()
        self.reason = ""

    def forget(self) -> None:
        """Drop the last plan, as when the robot stops for another reason; counts remain."""
        self._plan = None
        self.reason = ""

    def take(self, solution: Solution, periods: int = 1) -> Vector | None:
        """Return the input (m,) to apply, or None where the robot is to be stopped.

        Args:
            solution: The controller's answer of this tick.
            periods: Time since the last call, more than one where a tick was late or lost.
        """
        self.reason = solution.reason
        if solution.usable:
            self._plan, self._at = solution.inputs, 0
            first: Vector = solution.inputs[0]
            return first
        self._at += periods
        self.counts[solution.status.value] += 1
        plan = self._plan
        if plan is None or self._at > self._settings.tail_ticks or self._at >= len(plan):
            self._plan = None
            self.counts["stop"] += 1
            return None
        self.counts["tail"] += 1
        following: Vector = plan[self._at]
        return following
