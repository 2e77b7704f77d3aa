"""Stamps and twists of a bag's messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.ros.conversion import stamp_of

if TYPE_CHECKING:
    from ebm_mpc_ros.learning.bags import Bag


def stamp_or(message: Any, arrival: int) -> int:
    """Return a message's stamp, or, of one that has none, its time of arrival, in ns."""
    return (stamp_of(message) if hasattr(message, "header") else 0) or arrival


def six(twist: Any) -> list[float]:
    """Return the components of a Twist."""
    linear, angular = twist.linear, twist.angular
    return [linear.x, linear.y, linear.z, angular.x, angular.y, angular.z]


def twists(bag: Bag, topic: str) -> tuple[list[int], list[list[float]]]:
    """Return stamps (ns) and twists of a topic of Twist, TwistStamped or Odometry.

    Raises:
        BagError: The topic is missing, or a message is damaged.
    """
    stamps, rows = [], []
    for _, arrival, message in bag.messages([topic]):
        twist = message
        # Odometry wraps its twist twice, for its covariance.
        while hasattr(twist, "twist"):
            twist = twist.twist
        stamps.append(stamp_or(message, arrival))
        rows.append(six(twist))
    return stamps, rows
