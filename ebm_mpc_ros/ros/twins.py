"""One topic heard by two subscriptions of different durability."""

from __future__ import annotations

from collections import deque

_REMEMBERED = 4


class Twins:
    """Tells which messages are heard a second time: each by the subscription that was later."""

    def __init__(self) -> None:
        """Nothing has been heard."""
        self._single: deque[tuple[bytes, int]] = deque(maxlen=_REMEMBERED)

    def second(self, message: bytes, subscription: int) -> bool:
        """Return whether the other of the subscriptions 0 and 1 has heard this, serialised."""
        other = (message, 1 - subscription)
        if other in self._single:
            self._single.remove(other)
            return True
        self._single.append((message, subscription))
        return False
