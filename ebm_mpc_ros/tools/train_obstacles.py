"""The obstacles that stood during a recorded drive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.learning.recording import DataError, Obstacles
from ebm_mpc_ros.ros.conversion import plausible, stamp_of, vector

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ebm_mpc_ros.learning.bags import Bag

_TYPE = "visualization_msgs/msg/MarkerArray"
# visualization_msgs/Marker.
_CYLINDER = 3
_DELETE, _DELETE_ALL = 2, 3

Circle = tuple[float, float, float]


def read_obstacles(bag: Bag, path: Path, topic: str, frame: str) -> tuple[Obstacles, ...]:
    """Return which circles stood from when on, as the markers were added, deleted and expired.

    Markers other than cylinders are none of ours, as in the nodes.

    Raises:
        UserError: The topic is missing or of another type, or a marker can't be used.
    """
    found = bag.topic(topic).type
    if found != _TYPE:
        raise DataError(f"{path}: {topic} is {found}: must be {_TYPE}")
    standing = _Standing(f"{path}: {topic}", frame)
    for _, arrival, message in bag.messages([topic]):
        standing.take(arrival, message.markers)
    standing.expire(np.inf)
    return tuple(standing.history)


class _Standing:
    """The circles that stand, and which ones stood from when on."""

    def __init__(self, what: str, frame: str) -> None:
        self.history: list[Obstacles] = []
        self._what, self._frame = what, frame
        self._circles: dict[tuple[str, int], tuple[Circle, int | None]] = {}

    def take(self, arrival: int, markers: Sequence[Any]) -> None:
        stamp = min([stamp_of(marker) or arrival for marker in markers], default=arrival)
        stamp = max(stamp, self.history[-1].stamp) if self.history else stamp
        self.expire(stamp)
        for marker in markers:
            key = (marker.ns, marker.id)
            if marker.action == _DELETE_ALL:
                self._circles.clear()
            elif marker.action == _DELETE:
                self._circles.pop(key, None)
            elif marker.type == _CYLINDER:
                lifetime = marker.lifetime.sec * 1_000_000_000 + marker.lifetime.nanosec
                circle = _circle(marker, self._what, self._frame)
                self._circles[key] = (circle, stamp + lifetime if lifetime else None)
        self._note(stamp)

    def expire(self, until: float) -> None:
        ends = {end for _, end in self._circles.values() if end is not None and end < until}
        for end in sorted(ends):
            for key in [key for key, (_, own) in self._circles.items() if own == end]:
                del self._circles[key]
            self._note(end)

    def _note(self, stamp: int) -> None:
        circles = np.array([circle for circle, _ in self._circles.values()]).reshape(-1, 3)
        self.history.append(Obstacles(stamp, circles))


def _circle(marker: Any, what: str, frame: str) -> Circle:
    own = bare(marker.header.frame_id)
    if own != frame:
        raise DataError(f"{what} is in frame {own!r}, the states are in {frame!r}")
    place = vector(marker.pose.position)
    circle = (float(place[0]), float(place[1]), 0.5 * float(marker.scale.x))
    if not (plausible(circle) and circle[2] > 0.0):
        raise DataError(f"{what}: a cylinder is not finite, absurdly far, or of no radius")
    return circle
