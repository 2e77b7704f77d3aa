"""What a panel of a report is made of. Numbers are rounded to what a figure can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.tools.report_numbers import peaks, thinned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

Floats = NDArray[np.float64]
Draw = Literal["line", "step", "points"]

BUDGET = 1600
"""Points that a line is drawn with at most."""
_GAP, _SHORTEST_GAP = 10.0, 1.0

# Indices of the page's colours, by what is drawn.
ESTIMATE, TRUTH, ODOMETRY, COMMAND, PLAN, FORECAST, POLICY, OTHER = range(8)

FORECASTS = {"policy": ("policy's plan", POLICY), "prediction": ("MPC's prediction", FORECAST)}
"""Names and colours of what tells where the robot is to be, by role."""


@dataclass
class Chart:
    """Lines over time, or over another axis.

    Attributes:
        title: What it shows.
        y: Name and unit of the vertical axis.
        x: Name and unit of the horizontal axis; empty for the run's time.
        log: Whether the vertical axis is logarithmic.
        zero: Whether 0 is always in view.
        series: What is drawn, as the page takes it.
        notes: What a reader must know of it.
    """

    title: str
    y: str
    x: str = ""
    log: bool = False
    zero: bool = False
    series: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def line(
        self,
        name: str,
        x: Floats,
        y: Floats,
        colour: int,
        draw: Draw = "line",
        *,
        dashed: bool = False,
    ) -> Self:
        """Add a line, with a gap where nothing came for long, or points."""
        if draw == "points":
            kept = self._thinned(name, y)
        else:
            x, y = _with_gaps(x, y)
            kept, every = peaks(y, BUDGET)
            if every > 1:
                words = f"{name}: the least and the most of every {every} of {len(y):,} points."
                self.notes.append(words)
        self.series.append(
            {
                "name": name,
                "draw": draw,
                "colour": colour,
                "dashed": dashed,
                "x": numbers(x[kept], 3),
                "y": numbers(y[kept]),
            }
        )
        return self

    def band(self, name: str, x: Floats, low: Floats, high: Floats, colour: int) -> Self:
        """Add the area between two lines."""
        kept, _ = peaks(high, BUDGET)
        self.series.append(
            {
                "name": name,
                "draw": "band",
                "colour": colour,
                "x": numbers(x[kept], 3),
                "y": numbers(low[kept]),
                "high": numbers(high[kept]),
            }
        )
        return self

    def level(self, name: str, y: float) -> Self:
        """Add a limit."""
        self.series.append({"name": name, "draw": "level", "colour": OTHER, "x": [], "y": [y]})
        return self

    @property
    def spoken(self) -> str:
        """What it is called where it can't be seen."""
        names = ", ".join(series["name"] for series in self.series)
        return f"{self.title}. {self.y} over {self.x or 'time (s)'}: {names}."

    def _thinned(self, name: str, y: Floats) -> NDArray[np.int64]:
        """Return which points to draw: some regularly, so that they lie as all do, and peaks."""
        regular, step = thinned(len(y), BUDGET)
        if step == 1:
            return regular
        extremes, every = peaks(y, BUDGET // 2)
        self.notes.append(
            f"{name}: every {ordinal(step)} of {len(y):,} points, and the least and the most of "
            f"every {every}."
        )
        return np.union1d(regular, extremes)


@dataclass(frozen=True)
class Strip:
    """What went on from when to when, a row for each of several.

    Attributes:
        title: What it shows.
        rows: Names, and the spans of each: from, to (s), level, text.
    """

    title: str
    rows: list[tuple[str, list[tuple[float, float, int, str]]]]

    @property
    def spoken(self) -> str:
        """What it is called where it can't be seen."""
        return f"{self.title}, over time (s): {', '.join(name for name, _ in self.rows)}."


@dataclass(frozen=True)
class Table:
    """Rows of text; a number in the first column is a time in s that the page can go to."""

    head: Sequence[str]
    rows: Sequence[tuple[float, Sequence[str]]]


@dataclass(frozen=True)
class Panel:
    """Figures on one subject, or why there are none.

    Attributes:
        key: Its name in links.
        title: Its subject.
        words: What a reader must know to read it; of a panel that is missing, what it needs.
        figures: Charts, strips and tables.
    """

    key: str
    title: str
    words: str
    figures: Sequence[Chart | Strip | Table] = ()


def numbers(values: Any, decimals: int | None = None) -> list[float | None]:
    """Return numbers for the page; None for those that are not finite.

    Without `decimals` each keeps four significant digits, no less than ones, and what tells it from
    the others: a ten-thousandth of their span.
    """
    array = np.asarray(values, dtype=float)
    finite = np.isfinite(array)
    if decimals is not None:
        digits = np.full(array.size, decimals)
    elif finite.any():
        span = float(np.ptp(array[finite]))
        size = np.abs(np.where(finite & (array != 0.0), array, 1.0))
        digits = np.maximum(3 - np.floor(np.log10(size)).astype(int), 0)
        if span > 0.0:
            digits = np.maximum(digits, 4 - int(np.floor(np.log10(span))))
    else:
        return [None] * array.size
    return [
        round(value, places) if there else None
        for value, places, there in zip(
            array.tolist(), digits.tolist(), finite.tolist(), strict=True
        )
    ]


def ordinal(number: int) -> str:
    """Return 1st, 2nd and so on."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 // 10 != 1 else 0, "th")
    return f"{number}{ending}"


def _with_gaps(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the line with NaN where the next point is much later than the others are."""
    steps = np.diff(x)
    if not steps.size:
        return x, y
    gaps = np.flatnonzero(steps > max(_SHORTEST_GAP, _GAP * float(np.median(steps)))) + 1
    return np.insert(x, gaps, 0.5 * (x[gaps - 1] + x[gaps])), np.insert(y, gaps, np.nan)
