"""The qualities of service of the graph."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Kept for whoever comes later: plan and obstacles."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Only the latest counts: estimates and plans where they are read."""

OUTPUT = QoSProfile(depth=10)
"""What nodes publish: reliable, so that any subscriber gets it."""


def sensor(depth: int) -> QoSProfile:
    """Return a sensor's subscription: best effort, which matches any publisher."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
