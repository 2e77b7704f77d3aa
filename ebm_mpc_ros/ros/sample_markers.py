"""policy/samples: chains as lines, coloured by energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros.messages import to_time

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.outcome import Plan

_WIDTH = 0.01
# s; of a policy that is silent none are shown.
_LIFETIME = 1


def to_samples(stamp: int, frame: str, plan: Plan) -> MarkerArray:
    """Return a plan's samples as lines: green low in energy, red high."""
    message = MarkerArray()
    for rank, places in enumerate(plan.sample_states[:, :, :2].tolist()):
        share = rank / max(len(plan.sample_states) - 1, 1)
        marker = Marker(type=Marker.LINE_STRIP, action=Marker.ADD, ns="samples", id=rank)
        marker.header.frame_id = frame
        marker.header.stamp = to_time(stamp)
        marker.lifetime = Duration(sec=_LIFETIME)
        marker.scale.x = _WIDTH
        marker.color = ColorRGBA(r=share, g=1.0 - share, b=0.2, a=0.6)
        marker.pose.orientation.w = 1.0
        marker.points = [Point(x=x, y=y) for x, y in places]
        message.markers.append(marker)
    return message
