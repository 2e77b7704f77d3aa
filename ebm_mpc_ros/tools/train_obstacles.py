"""The obstacles that stood during a recorded drive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.estimation.frames import UnknownFrameError, bare
from ebm_mpc_ros.learning.recording import DataError, Obstacles
from ebm_mpc_ros.ros.conversion import stamp_of, vector
from ebm_mpc_ros.ros.obstacle_ledger import NOT_A_CYLINDER, ObstacleLedger

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ebm_mpc_ros.learning.bags import Bag

_TYPE = "visualization_msgs/msg/MarkerArray"


def read_obstacles(bag: Bag, path: Path, topic: str, frame: str) -> tuple[Obstacles, ...]:
    """Return which circles stood from when on, as the markers were added, deleted and expired.

    Markers other than cylinders are none of ours, as in the nodes.

    Raises:
        UserError: The topic is missing or of another type, or a marker can't be used.
    """
    found = bag.topic(topic).type
    if found != _TYPE:
        raise DataError(f"{path}: {topic} is {found}: must be {_TYPE}")

    def position(marker: Any) -> NDArray[np.float64]:
        own = bare(marker.header.frame_id)
        if own != frame:
            raise UnknownFrameError(f"in frame {own!r}, the states are in {frame!r}")
        return vector(marker.pose.position)

    ledger = ObstacleLedger(position)
    history: list[Obstacles] = []

    def expire(until: float) -> None:
        while (end := ledger.next_expiry) is not None and end < until:
            ledger.expire(end + 1)
            history.append(Obstacles(end, ledger.circles))

    for _, arrival, message in bag.messages([topic]):
        stamp = min([stamp_of(marker) or arrival for marker in message.markers], default=arrival)
        stamp = max(stamp, history[-1].stamp) if history else stamp
        expire(stamp)
        reasons = [r for r in ledger.take(message.markers, stamp) if r != NOT_A_CYLINDER]
        if reasons:
            raise DataError(f"{path}: {topic}: a cylinder is {reasons[0]}")
        history.append(Obstacles(stamp, ledger.circles))
    expire(np.inf)
    return tuple(history)
