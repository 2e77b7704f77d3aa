"""obstacles: cylinders from a MarkerArray."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from visualization_msgs.msg import MarkerArray

from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.conversion import vector
from ebm_mpc_ros.ros.obstacle_ledger import ObstacleLedger

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode
    from ebm_mpc_ros.ros.transforms import Transforms


class ObstacleInput:
    """The obstacles that stand, in `frame`.

    They are heard while the node is not active too: most are told once.
    """

    def __init__(self, node: ManagedNode, transforms: Transforms, frame: str) -> None:
        """Subscribe; markers in another frame than `frame` need tf2."""
        self.dropped: Counter[str] = Counter()
        """Which markers were not taken, and how often."""
        self._node, self._transforms, self._frame = node, transforms, frame
        self._ledger = ObstacleLedger(self._position)
        node.listen(MarkerArray, "obstacles", self._take, qos.CHANGES, always=True)

    def circles(self) -> NDArray[np.float64]:
        """Return the obstacles (M, 3) now: x, y, radius in m."""
        self._ledger.expire(self._node.now)
        return self._ledger.circles

    @property
    def ignored(self) -> str:
        """Why an obstacle is ignored; empty where none is."""
        self._ledger.expire(self._node.now)
        return self._ledger.ignored

    def _take(self, message: Any) -> None:
        self.dropped.update(self._ledger.take(message.markers, self._node.now))

    def _position(self, marker: Any) -> NDArray[np.float64]:
        position = vector(marker.pose.position)
        if bare(marker.header.frame_id) == self._frame:
            return position
        frame = self._transforms.lookup(self._frame, marker.header.frame_id)
        return np.asarray(frame.matrix @ position + frame.translation)
