"""What an input has sent so far, and which of its stamps can be taken."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_REMEMBERED = 1024


@dataclass(slots=True)
class InputState:
    """An input's record.

    Attributes:
        received: Messages that have arrived.
        last_usable: Stamp (ns) of the last message that could be used.
        last_problem: Why the last message could not; empty where it could.
    """

    received: int = 0
    last_usable: int | None = None
    last_problem: str = ""
    _newest: int = 0
    _stamps: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def stamp_problem(self, stamp: int, *, late: bool) -> str:
        """Return why a message of that stamp (ns) can't follow what came; empty if it can.

        With `late` it may be older than others before it, but not the same.
        """
        if stamp > self._newest:
            return ""
        if stamp in self._stamps:
            return "stamp repeated"
        return "" if late else "stamp before the previous message's"

    def note(self, stamp: int, problem: str) -> None:
        """Take a message of an acceptable stamp (ns), and why it can't be used otherwise."""
        self._stamps.append(stamp)
        self._newest = max(self._newest, stamp)
        self.last_problem = problem
        if not problem:
            self.last_usable = stamp
