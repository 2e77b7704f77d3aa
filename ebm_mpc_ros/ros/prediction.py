"""mpc/prediction: the plan as a path whose poses are stamped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path

from ebm_mpc_ros.ros.messages import to_time

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Prediction:
    """One message, filled anew each time: making its poses takes longer than a solve."""

    def __init__(self, frame: str, dt: float, horizon: int) -> None:
        """Make the message for `horizon` + 1 poses in `frame`, `dt` s apart."""
        self._step = round(dt * 1e9)
        self._path = Path(poses=[PoseStamped() for _ in range(horizon + 1)])
        for stamped in (self._path, *self._path.poses):
            stamped.header.frame_id = frame

    def message(self, stamp: int, poses: NDArray[np.float64]) -> Path:
        """Return x, y, yaw (N+1, 3) from `stamp` (ns) on; the same message at each call."""
        self._path.header.stamp = to_time(stamp)
        for k, (stamped, (x, y, yaw)) in enumerate(
            zip(self._path.poses, poses.tolist(), strict=True)
        ):
            stamped.header.stamp = to_time(stamp + k * self._step)
            position, orientation = stamped.pose.position, stamped.pose.orientation
            position.x, position.y = x, y
            orientation.z, orientation.w = math.sin(0.5 * yaw), math.cos(0.5 * yaw)
        return self._path
