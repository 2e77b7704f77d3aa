"""An episode of the simulation as messages of the topics that the demo records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.simulation.sensors import Odometry
from ebm_mpc_ros.simulation.simulation import GroundTruth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.learning.bags import BagWriter
    from ebm_mpc_ros.simulation.courses import Course
    from ebm_mpc_ros.simulation.simulation import Sample

_ODOMETRY, _COMMAND = "nav_msgs/msg/Odometry", "geometry_msgs/msg/TwistStamped"
_PATH, _MARKERS = "nav_msgs/msg/Path", "visualization_msgs/msg/MarkerArray"
_FRAME, _BASE = "odom", "base_link"
_HEIGHT = 0.5
# visualization_msgs/Marker.
_CYLINDER, _ADD = 3, 0
_PLANAR = 0, 1, 5


class _Event(NamedTuple):
    """What is told at a time in s: a topic and what its message is of."""

    time: float
    topic: str
    content: Any


class EpisodeRecorder:
    """Keeps an episode until it is known to be one to learn from, then writes it."""

    def __init__(self) -> None:
        self._events: list[_Event] = []

    def begin(self, time: float, course: Course) -> None:
        """Note the plan and the obstacles, at a time in s."""
        self._events += [_Event(time, "/plan", course), _Event(time, "/obstacles", course)]

    def command(self, time: float, twist: tuple[float, float, float]) -> None:
        """Note a velocity vx, vy, vyaw commanded at a time in s."""
        self._events.append(_Event(time, "/cmd_vel", twist))

    def samples(self, samples: Sequence[Sample]) -> None:
        """Note the true poses and the wheel odometry."""
        for sample in samples:
            if isinstance(sample, GroundTruth):
                self._events.append(_Event(sample.stamp, "/ground_truth/odom", sample))
            elif isinstance(sample, Odometry):
                self._events.append(_Event(sample.stamp, "/wheel/odometry", sample))

    def write(self, writer: BagWriter, start: float) -> float:
        """Write the episode to begin at `start` in s; return how long it lasts."""
        make = _Messages(writer)
        offset = start - self._events[0].time
        for time, topic, content in self._events:
            stamp = round(1e9 * (offset + time))
            kind, message = make.message(topic, stamp, content)
            writer.write(topic, kind, stamp, message)
        return self._events[-1].time - self._events[0].time


class _Messages:
    """Makes messages of rosbags' types."""

    def __init__(self, writer: BagWriter) -> None:
        self._types: Any = writer.types.types

    def message(self, topic: str, stamp: int, content: Any) -> tuple[str, Any]:
        """Return the type and the message of what is told on a topic."""
        header = self._header(stamp)
        if topic == "/plan":
            ahead = np.gradient(content.points, axis=0)
            yaws = np.arctan2(ahead[:, 1], ahead[:, 0])
            poses = [
                self._of("geometry_msgs/PoseStamped", header, self._pose((x, y, 0.0), yaw))
                for (x, y), yaw in zip(content.points, yaws, strict=True)
            ]
            return _PATH, self._of("nav_msgs/Path", header, poses)
        if topic == "/obstacles":
            cylinders = [
                self._cylinder(header, number, *circle)
                for number, circle in enumerate(content.obstacles)
            ]
            return _MARKERS, self._of("visualization_msgs/MarkerArray", cylinders)
        if topic == "/cmd_vel":
            vx, vy, rate = content
            twist = self._twist((vx, vy, 0.0), (0.0, 0.0, rate))
            return _COMMAND, self._of(
                "geometry_msgs/TwistStamped", self._header(stamp, _BASE), twist
            )
        if isinstance(content, GroundTruth):
            pose = self._pose(content.position, content.orientation)
            twist = self._twist(content.linear_velocity, content.angular_velocity)
            return _ODOMETRY, self._odometry(header, pose, np.zeros(36), twist, np.zeros(36))
        x, y, yaw = content.pose
        speed, rate = content.twist
        return _ODOMETRY, self._odometry(
            header,
            self._pose((x, y, 0.0), yaw),
            _spread(content.pose_covariance, _PLANAR),
            self._twist((speed, 0.0, 0.0), (0.0, 0.0, rate)),
            _spread(content.twist_covariance, _PLANAR[::2]),
        )

    def _of(self, kind: str, *fields: Any) -> Any:
        package, name = kind.split("/")
        return self._types[f"{package}/msg/{name}"](*fields)

    def _header(self, stamp: int, frame: str = _FRAME) -> Any:
        return self._of(
            "std_msgs/Header", self._of("builtin_interfaces/Time", *divmod(stamp, 10**9)), frame
        )

    def _xyz(self, values: Any, kind: str = "Vector3") -> Any:
        return self._of(f"geometry_msgs/{kind}", *map(float, values))

    def _twist(self, linear: Any, angular: Any) -> Any:
        return self._of("geometry_msgs/Twist", self._xyz(linear), self._xyz(angular))

    def _pose(self, position: Any, attitude: Any) -> Any:
        """Return a pose; its attitude is a quaternion (4,) or a yaw."""
        if np.ndim(attitude) == 0:
            attitude = rotation.from_rpy(np.array(0.0), np.array(0.0), np.array(attitude))
        quaternion = self._of("geometry_msgs/Quaternion", *map(float, attitude))
        return self._of("geometry_msgs/Pose", self._xyz(position, "Point"), quaternion)

    def _odometry(
        self, header: Any, pose: Any, pose_covariance: Any, twist: Any, twist_covariance: Any
    ) -> Any:
        return self._of(
            "nav_msgs/Odometry",
            header,
            _BASE,
            self._of("geometry_msgs/PoseWithCovariance", pose, pose_covariance),
            self._of("geometry_msgs/TwistWithCovariance", twist, twist_covariance),
        )

    def _cylinder(self, header: Any, number: int, x: float, y: float, radius: float) -> Any:
        nothing = np.zeros(0, dtype=np.uint8)
        image = self._of("sensor_msgs/CompressedImage", header, "", nothing)
        return self._of(
            "visualization_msgs/Marker",
            header,
            "obstacles",
            number,
            _CYLINDER,
            _ADD,
            self._pose((x, y, 0.5 * _HEIGHT), 0.0),
            self._xyz((2.0 * radius, 2.0 * radius, _HEIGHT)),
            self._of("std_msgs/ColorRGBA", 0.8, 0.3, 0.1, 1.0),
            self._of("builtin_interfaces/Duration", 0, 0),
            False,
            [],
            [],
            "",
            image,
            [],
            "",
            "",
            self._of("visualization_msgs/MeshFile", "", nothing),
            False,
        )


def _spread(covariance: NDArray[np.float64], places: Sequence[int]) -> NDArray[np.float64]:
    """Return a covariance of some of six coordinates as the 36 numbers of a message."""
    whole = np.zeros((6, 6))
    whole[np.ix_(places, places)] = covariance
    return whole.ravel()
