"""How the pictures of docs/one_energy.md look: light, for both of GitHub's themes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib as mpl
from PIL import Image

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

# Okabe and Ito's, which stay apart for the colour-blind.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A8A8A"
WIDTH = 8.6
"""Of a picture in inches; GitHub shows it about as wide."""
_DPI, _COLOURS = 150, 96
_SMALL, _NORMAL = 9.0, 10.0
_LEGEND = 0.3  # inches

mpl.rcParams.update(
    {
        "font.size": _SMALL,
        "axes.titlesize": _NORMAL,
        "axes.labelsize": _SMALL,
        "legend.fontsize": _SMALL,
        "legend.frameon": False,
        "legend.markerscale": 2.0,
        "xtick.labelsize": _SMALL,
        "ytick.labelsize": _SMALL,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
    }
)


def legend(figure: Figure, handles: list[Artist], labels: list[str]) -> None:
    """Put a legend of one row below all axes; matplotlib has "outside" from 3.7 on only."""
    room = _LEGEND / figure.get_figheight()
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)  # noqa: S101
    engine.set(rect=(0.0, room, 1.0, 1.0 - room))
    made = figure.legend(handles, labels, loc="lower center", ncols=len(labels), borderaxespad=0.2)
    for line in made.get_lines():
        line.set_alpha(1.0)


def save(figure: Figure, path: Path) -> None:
    """Write a picture, small and without a date or a version, and close it."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=_DPI)
    plt.close(figure)
    image = Image.open(buffer).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
