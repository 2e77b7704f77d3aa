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


class _Circle(NamedTuple):
    x: float
    y: float
    radius: float
    expiry: int | None


class ObstacleInput:
    """The obstacles that stand: added, deleted and expired as their markers say."""

    def __init__(self, node: ManagedNode, transforms: Transforms, frame: str) -> None:
        """Subscribe; markers in another frame than `frame` need tf2."""
        self.dropped: Counter[str] = Counter()
        self._node, self._transforms, self._frame = node, transforms, frame
        self._circles: dict[tuple[str, int], _Circle] = {}
        node.listen(MarkerArray, "obstacles", self._take, qos.CHANGES)

    def circles(self) -> NDArray[np.float64]:
        """Return the obstacles (M, 3) now: x, y, radius in m."""
        now = self._node.now
        for key, circle in list(self._circles.items()):
            if circle.expiry is not None and now > circle.expiry:
                del self._circles[key]
        return np.array([circle[:3] for circle in self._circles.values()]).reshape(-1, 3)

    def _take(self, message: Any) -> None:
        for marker in message.markers:
            key = (marker.ns, marker.id)
            if marker.action == Marker.DELETEALL:
                self._circles.clear()
            elif marker.action == Marker.DELETE:
                self._circles.pop(key, None)
            else:
                self._add(key, marker)

    def _add(self, key: tuple[str, int], marker: Any) -> None:
        if marker.type != Marker.CYLINDER:
            self.dropped["not a cylinder"] += 1
            return
        position = vector(marker.pose.position)
        try:
            if bare(marker.header.frame_id) != self._frame:
                frame = self._transforms.lookup(self._frame, marker.header.frame_id)
                position = frame.matrix @ position + frame.translation
        except UnknownFrameError as error:
            self.dropped[str(error)] += 1
            return
        circle = (float(position[0]), float(position[1]), 0.5 * marker.scale.x)
        if not (plausible(circle) and circle[2] > 0.0):
            self.dropped["not finite, absurdly far, or of no radius"] += 1
            return
        lifetime = marker.lifetime.sec * 1_000_000_000 + marker.lifetime.nanosec
        self._circles[key] = _Circle(*circle, self._node.now + lifetime if lifetime else None)
