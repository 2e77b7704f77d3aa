"""course_node: latches the plan and the obstacles of a course."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from nav_msgs.msg import Path
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.course_parameter import COURSE, read_course
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.messages import to_path, to_time
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter
from ebm_mpc_ros.ros.process import spin
from ebm_mpc_ros.simulation.courses import OBSTACLE_HEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ebm_mpc_ros.simulation.courses import Course

COURSE_PARAMETERS = (
    COURSE,
    Parameter(
        name="odom_frame",
        kind="str",
        default="odom",
        description="Frame of the course.",
    ),
    Parameter(
        name="obstacles_shown",
        kind="bool",
        default=True,
        description="Publish the obstacles too.",
    ),
)


class CourseNode(ManagedNode):
    """Publishes `plan` and `obstacles` once, for whoever comes later too."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("course_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return COURSE_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Load the course."""
        self._course = read_course(values["course"])
        self._frame = values["odom_frame"]
        self._with_obstacles = values["obstacles_shown"]
        self._plan = self.advertise(Path, "plan", qos.LATCHED)
        self._obstacles = self.advertise(MarkerArray, "obstacles", qos.LATCHED)

    def activate(self) -> None:
        """Publish."""
        stamp = self.now
        self._plan.publish(to_path(stamp, self._frame, _poses(self._course)))
        message = MarkerArray()
        if self._with_obstacles:
            for number, (x, y, radius) in enumerate(self._course.obstacles.tolist()):
                message.markers.append(self._cylinder(stamp, number, x, y, radius))
        self._obstacles.publish(message)

    def condition(self) -> Condition:
        """Say which course is latched."""
        return Condition(Level.OK, f"course {self._course.name}")

    def figures(self) -> dict[str, object]:
        """Say how large the course is."""
        return {
            "length m": f"{self._course.length:.2f}",
            "obstacles": len(self._course.obstacles),
        }

    def _cylinder(self, stamp: int, number: int, x: float, y: float, radius: float) -> Marker:
        marker = Marker(type=Marker.CYLINDER, action=Marker.ADD, ns="obstacles", id=number)
        marker.header.frame_id = self._frame
        marker.header.stamp = to_time(stamp)
        marker.pose.position.x, marker.pose.position.y = x, y
        marker.pose.position.z = 0.5 * OBSTACLE_HEIGHT
        marker.pose.orientation.w = 1.0
        marker.scale.x = marker.scale.y = 2.0 * radius
        marker.scale.z = OBSTACLE_HEIGHT
        marker.color = ColorRGBA(r=0.8, g=0.3, b=0.1, a=1.0)
        return marker


def _poses(course: Course) -> list[list[float]]:
    """Return x, y, yaw along the course; a closed one ends where it begins."""
    points = course.points
    if course.closed:
        points = np.vstack((points, points[:1]))
    ahead = np.gradient(points, axis=0)
    table: list[list[float]] = np.column_stack(
        (points, np.arctan2(ahead[:, 1], ahead[:, 0]))
    ).tolist()
    return table


def main() -> None:
    """Run the node."""
    sys.exit(spin(CourseNode))


if __name__ == "__main__":
    main()
