"""policy/samples: chains as lines, coloured by energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros.messages import to_time

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.outcome import Plan

_WIDTH = 0.01


def to_samples(stamp: int, frame: str, plan: Plan, count: int) -> MarkerArray:
    """Return `count` chains, spread over the ranks of their energies: green low, red high."""
    order = np.argsort(plan.sample_energies)
    chosen = order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]
    message = MarkerArray()
    for rank, index in enumerate(chosen):
        share = rank / max(len(chosen) - 1, 1)
        marker = Marker(type=Marker.LINE_STRIP, action=Marker.ADD, ns="samples", id=rank)
        marker.header.frame_id = frame
        marker.header.stamp = to_time(stamp)
        marker.scale.x = _WIDTH
        marker.color = ColorRGBA(r=share, g=1.0 - share, b=0.2, a=0.6)
        marker.pose.orientation.w = 1.0
        marker.points = [Point(x=x, y=y) for x, y in plan.sample_states[index, :, :2].tolist()]
        message.markers.append(marker)
    return message
