"""A benchmark's figures as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure as Picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from report import Figure

_WIDE = 100.0
"""Ratio of the largest to the smallest from which an axis is logarithmic."""


def draw(path: Path, title: str, figures: Sequence[Figure]) -> None:
    """Draw the figures, those of a unit beside each other, with the bars that they are held to."""
    units = dict.fromkeys(figure.unit for figure in figures)
    groups = [[figure for figure in figures if figure.unit == unit] for unit in units]
    rows = [len(group) + 1 for group in groups]
    picture = Picture(figsize=(10, 0.6 + 0.34 * sum(rows)), layout="constrained")
    picture.suptitle(title)
    axes = picture.subplots(len(groups), squeeze=False, height_ratios=rows)[:, 0]
    for unit, group, part in zip(units, groups, axes, strict=True):
        _draw_unit(part, unit, group)
    picture.savefig(path, dpi=110)


def _draw_unit(axes: Any, unit: str, group: Sequence[Figure]) -> None:
    colours = [
        "tab:gray" if f.at_most is None else "tab:green" if f.met else "tab:red" for f in group
    ]
    bars = axes.barh(range(len(group)), [figure.value for figure in group], color=colours)
    axes.bar_label(bars, [f"{figure.value:.4g} {unit}" for figure in group], padding=4)
    for row, figure in enumerate(group):
        if figure.at_most is not None:
            axes.vlines(figure.at_most, row - 0.45, row + 0.45, color="black", lw=2.0)
    sizes = [abs(size) for f in group for size in (f.value, f.at_most) if size]
    signed = any(figure.value < 0.0 for figure in group)
    if sizes and not signed and max(sizes) > _WIDE * min(sizes):
        axes.set_xscale("log")
    axes.set_yticks(range(len(group)), [figure.name for figure in group])
    axes.margins(x=0.2)
    axes.invert_yaxis()
