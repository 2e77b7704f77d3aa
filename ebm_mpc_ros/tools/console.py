"""Where tools write to: rich's console on stderr, so that stdout stays for results."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


@contextmanager
def progress(
    title: str, unit: str, total: float, *, shown: bool = True
) -> Iterator[Callable[[float], None]]:
    """Show a progress bar on a terminal; yields a function that takes how much is done."""
    columns = (
        TextColumn(title),
        BarColumn(bar_width=36),
        TextColumn(f"{{task.completed:.0f}} of {{task.total:.0f}} {unit}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal)) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done: bar.update(task, completed=min(done, total))


def command(*arguments: str) -> str:
    """Return the command line of a tool, by this Python, to be copied from the terminal."""
    python, here = Path(sys.executable), Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return shlex.join((str(shown), "-m", "ebm_mpc_ros", *arguments))
