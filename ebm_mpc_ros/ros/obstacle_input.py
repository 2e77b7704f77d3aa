"""obstacles: cylinders from a MarkerArray."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.estimation.frames import UnknownFrameError, bare
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.conversion import plausible, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode
    from ebm_mpc_ros.ros.transforms import Transforms


_Key = tuple[str, int]

_TOLD = 10_000_000_000


class _Circle(NamedTuple):
    x: float
    y: float
    radius: float
    expiry: int | None


class _Ignored(NamedTuple):
    reason: str
    expiry: int | None


class ObstacleInput:
    """The obstacles that stand: added, deleted and expired as their markers say.

    They are heard while the node is not active too: most are told once.
    """

    def __init__(self, node: ManagedNode, transforms: Transforms, frame: str) -> None:
        """Subscribe; markers in another frame than `frame` need tf2."""
        self.dropped: Counter[str] = Counter()
        """Which markers were not taken, and how often."""
        self._node, self._transforms, self._frame = node, transforms, frame
        self._circles: dict[_Key, _Circle] = {}
        self._ignored: dict[_Key, _Ignored] = {}
        node.listen(MarkerArray, "obstacles", self._take, qos.CHANGES, always=True)

    def circles(self) -> NDArray[np.float64]:
        """Return the obstacles (M, 3) now: x, y, radius in m."""
        self._expire(self._circles)
        return np.array([circle[:3] for circle in self._circles.values()]).reshape(-1, 3)

    @property
    def ignored(self) -> str:
        """Why an obstacle is ignored; empty where none is.

        One in an unknown frame is for as long as it stands; what can't be an obstacle at all is
        told for 10 s.
        """
        self._expire(self._ignored)
        return next((each.reason for each in self._ignored.values()), "")

    def _expire(self, markers: dict[_Key, _Circle] | dict[_Key, _Ignored]) -> None:
        now = self._node.now
        over = [k for k, m in markers.items() if m.expiry is not None and now > m.expiry]
        for key in over:
            del markers[key]

    def _take(self, message: Any) -> None:
        for marker in message.markers:
            key = (marker.ns, marker.id)
            if marker.action == Marker.DELETEALL:
                self._circles.clear()
                self._ignored.clear()
            elif marker.action == Marker.DELETE:
                self._circles.pop(key, None)
                self._ignored.pop(key, None)
            else:
                self._add(key, marker)

    def _add(self, key: _Key, marker: Any) -> None:
        now = self._node.now
        if marker.type != Marker.CYLINDER:
            self._ignore(key, "not a cylinder", now + _TOLD)
            return
        lifetime = marker.lifetime.sec * 1_000_000_000 + marker.lifetime.nanosec
        expiry = now + lifetime if lifetime else None
        position = vector(marker.pose.position)
        try:
            if bare(marker.header.frame_id) != self._frame:
                frame = self._transforms.lookup(self._frame, marker.header.frame_id)
                position = frame.matrix @ position + frame.translation
        except UnknownFrameError as error:
            self._ignore(key, str(error), expiry)
            return
        circle = (float(position[0]), float(position[1]), 0.5 * marker.scale.x)
        if not (plausible(circle) and circle[2] > 0.0):
            self._ignore(key, "not finite, absurdly far, or of no radius", now + _TOLD)
            return
        self._circles[key] = _Circle(*circle, expiry)
        self._ignored.pop(key, None)

    def _ignore(self, key: _Key, reason: str, expiry: int | None) -> None:
        self.dropped[reason] += 1
        self._ignored[key] = _Ignored(reason, expiry)
