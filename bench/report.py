"""What every benchmark shares: its options, its progress, its table, its verdict."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402  the package is found from here on
from rich.progress import Progress  # noqa: E402
from rich.table import Table  # noqa: E402

Item = TypeVar("Item")
_REDRAWN_EVERY = 0.25  # s


@dataclass(frozen=True)
class Figure:
    """One measured figure, the bar it is held to if there is one, and what it is beside a peer."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    beside: str = ""

    @property
    def met(self) -> bool:
        """Whether the bar is met; without a bar it is."""
        return self.at_most is None or self.value <= self.at_most


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser with what all take. From here on Ctrl-C prints one line."""
    sys.excepthook = _excepthook
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="less than two minutes; says what is left out"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 and name each bar missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the figures and their bars to FILE"
    )
    return parser


def shown(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield the items, with a bar on stderr where that is a terminal.

    It is drawn between items alone: no thread takes time from what is measured.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from items
        return
    with Progress(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    ) as bar:
        task, drawn = bar.add_task(what, total=len(items)), -math.inf
        for item in items:
            if time.monotonic() - drawn > _REDRAWN_EVERY:
                bar.refresh()
                drawn = time.monotonic()
            yield item
            bar.advance(task)


def wait(seconds: float, what: str) -> None:
    """Let so many seconds go by, with a bar."""
    end = time.monotonic() + seconds
    steps = max(1, round(seconds))
    for step in shown(range(steps), what):
        time.sleep(max(0.0, end - (steps - 1 - step) * seconds / steps - time.monotonic()))


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def conclude(title: str, figures: list[Figure], arguments: argparse.Namespace) -> int:
    """Print the table, write what is asked for; return 1 with --check where a bar is missed."""
    table = Table("figure", "value", "bar", "beside", title=title, title_justify="left")
    for figure in figures:
        bar = "" if figure.at_most is None else f"<= {figure.at_most:g} {figure.unit}"
        style = None if figure.met else "bold red"
        table.add_row(
            figure.name, f"{figure.value:.4g} {figure.unit}", bar, figure.beside, style=style
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps({"title": title, "figures": [asdict(f) for f in figures]}, indent=1) + "\n",
            encoding="utf-8",
        )
    if arguments.picture is not None:
        from report_picture import draw  # noqa: PLC0415

        draw(arguments.picture, title, figures)
    missed = [figure for figure in figures if not figure.met]
    for figure in missed:
        print(f"missed: {figure.name} is {figure.value:.4g}, the bar is {figure.at_most:g}")
    return 1 if missed and arguments.check else 0
