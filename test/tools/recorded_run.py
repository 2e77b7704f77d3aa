"""Small bags of a made-up run, and what a page made of one says."""

import json
import math
import re
from html.parser import HTMLParser

import numpy as np

from ebm_mpc_ros.learning.bags import BagWriter

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
NASTY = "<script>alert('x')</script>&\"'<img src=x onerror=alert(1)>"


class RunWriter:
    """A bag being written; times are s from the start of the run."""

    def __init__(self, path, space=""):
        self._bag = BagWriter(path)
        self._types = self._bag.types.types
        self._space = space
        self.arrival_offset = 0.0
        """How much later than its stamp, in s, the recorder's clock has a message."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bag.close()

    def odometry(self, topic, time, x=0.0, y=0.0, yaw=0.0, speed=0.0, variance=0.01, frame="odom"):
        covariance = (variance * np.eye(6)).ravel()
        pose = self._make("geometry_msgs/msg/PoseWithCovariance", self._pose(x, y, yaw), covariance)
        twist = self._make(
            "geometry_msgs/msg/TwistWithCovariance", self._twist(speed, 0.1), covariance
        )
        self._write(
            topic,
            "nav_msgs/msg/Odometry",
            time,
            self._header(time, frame),
            "base_link",
            pose,
            twist,
        )

    def imu(self, time, rate):
        square = (0.01 * np.eye(3)).ravel()
        turning = self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, rate)
        nothing = self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, 9.81)
        level = self._make("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0)
        fields = (level, square, turning, square, nothing, square)
        self._write(
            "imu/data", "sensor_msgs/msg/Imu", time, self._header(time, "base_link"), *fields
        )

    def command(self, time, speed, turn=0.0, topic="cmd_vel", sideways=0.0):
        kind = "geometry_msgs/msg/TwistStamped"
        header = self._header(time, "base_link")
        self._write(topic, kind, time, header, self._twist(speed, turn, sideways))

    def unstamped_command(self, time, speed):
        twist = self._twist(speed, 0.0)
        self._write("cmd_vel", "geometry_msgs/msg/Twist", time, twist.linear, twist.angular)

    def clock(self, time):
        kind = "rosgraph_msgs/msg/Clock"
        self._write("/clock", kind, time, self._header(time).stamp)

    def path(self, topic, time, places, step=0.0, frame="odom"):
        kind = "geometry_msgs/msg/PoseStamped"
        poses = [
            self._make(kind, self._header(time + k * step), self._pose(x, y))
            for k, (x, y) in enumerate(places)
        ]
        self._write(topic, "nav_msgs/msg/Path", time, self._header(time, frame), poses)

    def trajectory(self, time, places, step, frame="odom"):
        package = "trajectory_msgs/msg/MultiDOFJointTrajectory"
        points = [
            self._make(
                f"{package}Point",
                [
                    self._make(
                        "geometry_msgs/msg/Transform",
                        self._make("geometry_msgs/msg/Vector3", x, y, 0.0),
                        self._make("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0),
                    )
                ],
                [],
                [],
                self._make(
                    "builtin_interfaces/msg/Duration", int(k * step), round(k * step % 1 * SECOND)
                ),
            )
            for k, (x, y) in enumerate(places)
        ]
        header = self._header(time, frame)
        self._write("policy/plan", package, time, header, ["base_link"], points)

    def obstacle(self, time, x, y, radius, *, delete=False, frame="odom"):
        kind = "visualization_msgs/msg/Marker"
        nothing = np.zeros(0, np.uint8)
        marker = self._types[kind](
            header=self._header(time, frame),
            ns="",
            id=0,
            type=3,
            action=2 if delete else 0,
            pose=self._pose(x, y),
            scale=self._make("geometry_msgs/msg/Vector3", 2 * radius, 2 * radius, 1.0),
            color=self._make("std_msgs/msg/ColorRGBA", 0.0, 0.0, 0.0, 1.0),
            lifetime=self._make("builtin_interfaces/msg/Duration", 0, 0),
            frame_locked=False,
            points=[],
            colors=[],
            texture_resource="",
            texture=self._make("sensor_msgs/msg/CompressedImage", self._header(time), "", nothing),
            uv_coordinates=[],
            text="",
            mesh_resource="",
            mesh_file=self._make("visualization_msgs/msg/MeshFile", "", nothing),
            mesh_use_embedded_materials=False,
        )
        self._write("obstacles", "visualization_msgs/msg/MarkerArray", time, [marker])

    def status(self, time, node, level=0, message="driving", **values):
        package = "diagnostic_msgs/msg"
        pairs = [
            self._make(f"{package}/KeyValue", key.replace("_", " "), str(value))
            for key, value in values.items()
        ]
        status = self._make(f"{package}/DiagnosticStatus", level, node, message, "ebm", pairs)
        kind = f"{package}/DiagnosticArray"
        self._write("/diagnostics", kind, time, self._header(time), [status])

    def _make(self, kind, *fields):
        return self._types[kind](*fields)

    def _header(self, time, frame="odom"):
        stamp = START + round(time * SECOND)
        stamp = self._make("builtin_interfaces/msg/Time", stamp // SECOND, stamp % SECOND)
        return self._make("std_msgs/msg/Header", stamp, frame)

    def _pose(self, x, y, yaw=0.0):
        return self._make(
            "geometry_msgs/msg/Pose",
            self._make("geometry_msgs/msg/Point", x, y, 0.0),
            self._make(
                "geometry_msgs/msg/Quaternion", 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)
            ),
        )

    def _twist(self, speed, turn, sideways=0.0):
        return self._make(
            "geometry_msgs/msg/Twist",
            self._make("geometry_msgs/msg/Vector3", speed, sideways, 0.0),
            self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, turn),
        )

    def _write(self, topic, kind, time, *fields):
        full = topic if topic.startswith("/") else f"{self._space}/{topic}"
        arrival = START + round((time + self.arrival_offset) * SECOND)
        self._bag.write(full, kind, arrival, self._make(kind, *fields))


def whole_run(path, seconds=4.0, space="", nasty=""):
    """Write a run along x at 1 m/s that has all that a report shows."""
    with RunWriter(path, space) as bag:
        bag.path("plan", 0.0, [(0.0, 0.0), (5.0, 0.0)])
        bag.obstacle(0.0, 2.0, 1.0, 0.3)
        for k in range(int(seconds * 20) + 1):
            time = k / 20
            bag.odometry("ground_truth/odom", time, time, speed=1.0)
            bag.odometry("odometry/filtered", time, time, 0.1, speed=1.0)
            bag.odometry("wheel/odometry", time, time, 0.1 * time, speed=1.0)
            bag.imu(time, 0.05)
            bag.command(time, min(2.0, 0.5 * time))
            ahead = [(time + j / 10, 0.1) for j in range(6)]
            bag.path("mpc/prediction", time, ahead, step=0.1)
            bag.trajectory(time, [(x, 0.3) for x, _ in ahead], 0.1)
            if k % 20 == 0:
                amiss = 1.0 < time < 3.0
                bag.status(
                    time,
                    f"{space.lstrip('/')}/mpc_node".lstrip("/"),
                    2 if amiss else 0,
                    f"stopping: no plan{nasty}" if amiss else "driving",
                    tick_median_ms="1.5",
                    tick_p99_ms="4.5",
                )
                bag.status(
                    time,
                    f"{space.lstrip('/')}/ekf_node{nasty}".lstrip("/"),
                    **{"imu0 NIS/dof": "0.900 (0.800 to 1.200)"},
                )
    return path


class _Words(HTMLParser):
    """Collects tags, attributes and the words of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self._inside = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._inside = tag

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.words.append(data.strip())


class Said:
    """A page: `text`, `tags`, `attributes`, and `figures` as its script gets them."""

    def __init__(self, path):
        self.html = path.read_text(encoding="utf-8")
        found = _Words()
        found.feed(self.html)
        self.text = " ".join(filter(None, found.words))
        self.tags, self.attributes = found.tags, found.attributes
        (block,) = re.findall(r'id="report-data">(.*?)</script>', self.html, re.DOTALL)
        self.data = json.loads(block)

    def figures(self, *names):
        """Return the figures whose spoken name begins so."""
        return [f for f in self.data["figures"] if f["spoken"].startswith(names)]

    def figure(self, name):
        (found,) = self.figures(f"{name}.") or self.figures(name)
        return found

    def series(self, figure, name):
        (found,) = [s for s in self.figure(figure)["series"] if s["name"] == name]
        return found
