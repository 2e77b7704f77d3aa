"""What every benchmark shares: its options, its table, its verdict."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402  the package is found from here on
from rich.table import Table  # noqa: E402


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
    """Return a parser with --quick, --check and --json."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="less than two minutes; says what is left out"
    )
    parser.add_argument("--check", action="store_true", help="exit 1 and name each bar missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def conclude(title: str, figures: list[Figure], arguments: argparse.Namespace) -> int:
    """Print the table, write the JSON; return 1 with --check where a bar is missed."""
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
    missed = [figure for figure in figures if not figure.met]
    for figure in missed:
        print(f"missed: {figure.name} is {figure.value:.4g}, the bar is {figure.at_most:g}")
    return 1 if missed and arguments.check else 0
