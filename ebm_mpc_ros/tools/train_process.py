"""The processes of a training, and the signals that end it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM end the training after its step; yields whether one has come.

    A second one ends it at once, but not under torchrun, which sends one of its own after Ctrl-C.
    """
    came: list[int] = []

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    def note(number: int, _: object) -> None:
        came.append(number)
        if _workers() < 2:
            restore()

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()


@contextmanager
def processes() -> Iterator[bool]:
    """Join the other processes where torchrun has started several; yields whether first of them."""
    if _workers() < 2:
        yield True
        return
    from torch import distributed  # noqa: PLC0415

    distributed.init_process_group("gloo")
    try:
        yield distributed.get_rank() == 0
    finally:
        distributed.destroy_process_group()


def _workers() -> int:
    """Return how many processes torchrun has started."""
    return int(os.environ.get("WORLD_SIZE", "1"))
