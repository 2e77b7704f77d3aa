"""When starting a node again is no help."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.errors import CANT_START

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch import LaunchContext

_MOST_DEATHS = 5
_SOON = 60.0


def giving_up() -> Callable[[Any, LaunchContext], None]:
    """Return a handler of a node's exits that fails where another start can't help."""
    deaths: deque[float] = deque(maxlen=_MOST_DEATHS)

    def exited(event: Any, context: LaunchContext) -> None:
        if context.is_shutdown:
            return
        deaths.append(time.monotonic())
        if event.returncode == CANT_START:
            raise RuntimeError(f"{event.process_name} can't start: see what it says above")
        if len(deaths) == _MOST_DEATHS and deaths[-1] - deaths[0] < _SOON:
            raise RuntimeError(
                f"{event.process_name} has died {_MOST_DEATHS} times within {_SOON:g} s"
            )

    return exited
