"""Which obstacles stand, as their markers say. No rclpy here: bags have such markers too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.frames import UnknownFrameError
from ebm_mpc_ros.ros.conversion import plausible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

NOT_A_CYLINDER = "not a cylinder"
# visualization_msgs/Marker.
_CYLINDER = 3
_DELETE, _DELETE_ALL = 2, 3
# ns; how long it is told what can't be an obstacle at all.
_TOLD = 10_000_000_000

_Key = tuple[str, int]


class _Circle(NamedTuple):
    x: float
    y: float
    radius: float
    expiry: int | None


class _Ignored(NamedTuple):
    reason: str
    expiry: int | None


class ObstacleLedger:
    """The cylinders that stand: added, replaced, deleted and expired as their markers say.

    Times are ns, and of one clock.

    Args:
        position: Returns a marker's position (3,) in the frame of the circles; raises
            `UnknownFrameError`.
    """

    def __init__(self, position: Callable[[Any], Vector]) -> None:
        self._position = position
        self._circles: dict[_Key, _Circle] = {}
        self._ignored: dict[_Key, _Ignored] = {}

    @property
    def circles(self) -> Vector:
        """The obstacles (M, 3): x, y, radius in m."""
        return np.array([circle[:3] for circle in self._circles.values()]).reshape(-1, 3)

    @property
    def ignored(self) -> str:
        """Why an obstacle is ignored; empty where none is.

        One in an unknown frame is for as long as it stands; what can't be an obstacle at all is
        told for 10 s.
        """
        return next((each.reason for each in self._ignored.values()), "")

    @property
    def next_expiry(self) -> int | None:
        """When the first circle expires."""
        return min((c.expiry for c in self._circles.values() if c.expiry is not None), default=None)

    def take(self, markers: Iterable[Any], now: int) -> list[str]:
        """Do what markers say; return why those that can't be used can't."""
        return [reason for marker in markers if (reason := self._take(marker, now))]

    def expire(self, now: int) -> None:
        """Forget what has expired."""
        self._circles = {k: c for k, c in self._circles.items() if _lasts(c, now)}
        self._ignored = {k: i for k, i in self._ignored.items() if _lasts(i, now)}

    def _take(self, marker: Any, now: int) -> str:
        key = (marker.ns, marker.id)
        if marker.action == _DELETE_ALL:
            self._circles.clear()
            self._ignored.clear()
        elif marker.action == _DELETE:
            self._circles.pop(key, None)
            self._ignored.pop(key, None)
        else:
            return self._add(key, marker, now)
        return ""

    def _add(self, key: _Key, marker: Any, now: int) -> str:
        if marker.type != _CYLINDER:
            return self._ignore(key, NOT_A_CYLINDER, now + _TOLD)
        lifetime = marker.lifetime.sec * 1_000_000_000 + marker.lifetime.nanosec
        expiry = now + lifetime if lifetime else None
        try:
            position = self._position(marker)
        except UnknownFrameError as error:
            return self._ignore(key, str(error), expiry)
        circle = (float(position[0]), float(position[1]), 0.5 * marker.scale.x)
        if not (plausible(circle) and circle[2] > 0.0):
            return self._ignore(key, "not finite, absurdly far, or of no radius", now + _TOLD)
        self._circles[key] = _Circle(*circle, expiry)
        self._ignored.pop(key, None)
        return ""

    def _ignore(self, key: _Key, reason: str, expiry: int | None) -> str:
        self._ignored[key] = _Ignored(reason, expiry)
        return reason


def _lasts(entry: _Circle | _Ignored, now: int) -> bool:
    return entry.expiry is None or now <= entry.expiry
