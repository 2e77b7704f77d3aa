"""The processes of a training, and the signals that end it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ebm_mpc_ros.errors import UserError

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
        if alone:
            restore()

    alone = _workers() < 2
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in former:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end what is done as Ctrl-C does, so that it cleans up behind it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


@contextmanager
def processes() -> Iterator[bool]:
    """Join the other processes where torchrun has started several; yields whether first of them."""
    if _workers() < 2:
        yield True
        return
    from torch import distributed  # noqa: PLC0415

    try:
        distributed.init_process_group("gloo")
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"WORLD_SIZE is {_workers()}, and the other processes can't be joined: {reason}; "
            "torchrun sets what it takes"
        ) from error
    try:
        yield distributed.get_rank() == 0
    finally:
        distributed.destroy_process_group()


def _workers() -> int:
    """Return how many processes torchrun has started.

    Raises:
        UserError: What it sets is no number.
    """
    told = os.environ.get("WORLD_SIZE", "1")
    if not told.isdecimal() or int(told) < 1:
        raise UserError(f"WORLD_SIZE is {told!r}, must be a whole number from 1 up")
    return int(told)
