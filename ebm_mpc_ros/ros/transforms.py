"""tf2, where it is installed; without it nothing is looked up and nothing is sent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError, bare
from ebm_mpc_ros.ros.conversion import quaternion, vector

try:
    import tf2_ros
    from rclpy.time import Time
except ImportError:
    tf2_ros = None


class Transforms:
    """A node's transform listener and broadcaster."""

    def __init__(self, node: Any, *, publish: bool) -> None:
        """Listen to /tf and /tf_static until the node's clean-up; broadcast if `publish`."""
        self._buffer = self._listener = self._broadcaster = None
        self._known: dict[tuple[str, str], Transform] = {}
        if tf2_ros is not None:
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, node)
            self._broadcaster = tf2_ros.TransformBroadcaster(node) if publish else None
            node.at_clean_up(self._listener.unregister)

    @property
    def broadcasts(self) -> bool:
        """Whether `broadcast` sends anything."""
        return self._broadcaster is not None

    def broadcast(self, transform: Any) -> None:
        """Send a geometry_msgs/TransformStamped."""
        if self._broadcaster is not None:
            self._broadcaster.sendTransform(transform)

    def clear(self) -> None:
        """Forget what moves: its stamps may be ahead of a clock that has jumped back."""
        if self._buffer is not None:
            self._buffer.clear()

    def lookup(self, target: str, source: str, stamp: int = 0) -> Transform:
        """Return the pose of `source` in `target` at `stamp` (ns), at 0 the latest.

        Equal poses are one object, by which a caller may know that nothing has changed.

        Raises:
            UnknownFrameError: They are not connected at that time, or tf2 is not installed.
        """
        if self._buffer is None:
            raise UnknownFrameError(
                f"no transform from {source!r} to {target!r} in static_transforms, and no tf2"
            )
        names = bare(target), bare(source)
        try:
            found = self._buffer.lookup_transform(*names, Time(nanoseconds=stamp)).transform
        except tf2_ros.TransformException as error:
            raise UnknownFrameError(f"no transform from {source!r} to {target!r}") from error
        pose = Transform(vector(found.translation), quaternion(found.rotation))
        known = self._known.get(names)
        if known is None or not all(map(np.array_equal, known, pose)):
            self._known[names] = known = pose
        return known
