"""nav_msgs/Path: points, and the headings and times that it tells or leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import plausible, stamp_of

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import Transform

Floats = NDArray[np.float64]


class Signature(NamedTuple):
    """What tells a path from others at a glance: stamp (ns), frame, length, and three poses."""

    stamp: int
    frame: str
    length: int
    poses: bytes


class PathMessage(NamedTuple):
    """Points (k, 2) in m, headings (k,) in rad and stamps (k,) in ns, None where it has none."""

    points: Floats
    headings: Floats | None
    stamps: list[int] | None

    def is_again(self, other: PathMessage) -> bool:
        """Whether the other path is this one, sent again."""
        if self.headings is None or other.headings is None:
            alike = self.headings is other.headings
        else:
            alike = np.array_equal(self.headings, other.headings)
        return alike and self.stamps == other.stamps and np.array_equal(self.points, other.points)


def signature(message: Any) -> Signature:
    """Return a path's signature, with its first, its middle and its last pose."""
    poses = message.poses
    shown = [poses[0], poses[len(poses) // 2], poses[-1]] if poses else []
    return Signature(
        stamp_of(message), message.header.frame_id, len(poses), _numbers(shown).tobytes()
    )


def from_path(message: Any, frame: Transform) -> PathMessage:
    """Return a path in the parent of `frame`, the pose of the message's own.

    Orientations that are all the identity, or not all of unit length, tell no heading. Stamps
    that are all one, as Nav2's planners set them, tell no time.

    Raises:
        ValueError: A point is not finite, or absurdly far.
    """
    numbers = _numbers(message.poses)
    points = numbers[:, :3]
    if not plausible(points):
        raise ValueError("a point is not finite, or absurdly far")
    stamps = [stamp_of(pose) for pose in message.poses]
    return PathMessage(
        (points @ frame.matrix.T + frame.translation)[:, :2],
        _headings(numbers[:, 3:], frame),
        stamps if len(set(stamps)) > 1 else None,
    )


def _numbers(poses: Any) -> Floats:
    """Return positions and quaternions (k, 7) of PoseStamped: one pass, for plans are long."""
    numbers: list[float] = []
    for stamped in poses:
        position, attitude = stamped.pose.position, stamped.pose.orientation
        numbers += (position.x, position.y, position.z)
        numbers += (attitude.x, attitude.y, attitude.z, attitude.w)
    return np.array(numbers, dtype=float).reshape(-1, 7)


def _headings(attitudes: Floats, frame: Transform) -> Floats | None:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(attitudes, axis=1)
    if not np.all(np.abs(lengths - 1.0) < 0.1) or not np.any(attitudes[:, :3]):
        return None
    return np.asarray(rotation.heading(rotation.multiply(frame.quaternion, attitudes)))
