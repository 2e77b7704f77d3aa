"""The qualities of service of the graph."""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Kept for whoever comes later: plan and obstacles."""

CHANGES = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Latched messages each of which counts: obstacles where they are read."""

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Only the latest counts: estimates and plans where they are read."""

NEWEST_RELIABLE = QoSProfile(depth=1)
"""The same where the message comes once: goals, and plans from publishers that don't latch."""

OUTPUT = QoSProfile(depth=10)
"""What nodes publish: reliable, so that any subscriber gets it."""


def sensor(depth: int) -> QoSProfile:
    """Return a sensor's subscription: best effort, which matches any publisher."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
