"""Bags to train on, settings, and `python -m ebm_mpc_ros train` on them."""

import numpy as np
import yaml
from driving import MODEL, START, drive
from replaying import tool

from ebm_mpc_ros.learning.bags import BagWriter
from ebm_mpc_ros.models import rotation

ODOMETRY, TWIST = "nav_msgs/msg/Odometry", "geometry_msgs/msg/TwistStamped"
PATH, MARKERS = "nav_msgs/msg/Path", "visualization_msgs/msg/MarkerArray"
QUICK = {
    "look_ahead": 0.5,
    "network": {"hidden": 8, "wells": 2, "weights": 3},
    "training": {
        "steps": 150,
        "check_every": 50,
        "warm_up": 2,
        "batch_size": 32,
        "learning_rate": 0.01,
    },
}
TRANSITION = {
    "kind": "transition",
    "network": {"hidden": 8},
    "training": QUICK["training"],
}


class Messages:
    """Makes messages of a bag's types."""

    def __init__(self, writer):
        self._types = writer.types.types

    def of(self, kind, *fields):
        package, name = kind.split("/")
        return self._types[f"{package}/msg/{name}"](*fields)

    def header(self, stamp, frame="odom"):
        time = self.of("builtin_interfaces/Time", int(stamp) // 10**9, int(stamp) % 10**9)
        return self.of("std_msgs/Header", time, frame)

    def xyz(self, x, y, z, kind="Vector3"):
        return self.of(f"geometry_msgs/{kind}", float(x), float(y), float(z))

    def twist(self, six):
        return self.of("geometry_msgs/Twist", self.xyz(*six[:3]), self.xyz(*six[3:]))

    def pose(self, x, y, yaw):
        q = rotation.from_rpy(np.array(0.0), np.array(0.0), np.array(float(yaw)))
        attitude = self.of("geometry_msgs/Quaternion", *map(float, q))
        return self.of("geometry_msgs/Pose", self.xyz(x, y, 0, "Point"), attitude)

    def odometry(self, stamp, outputs, frame="odom", base="base_link"):
        x, y, yaw, speed, rate = outputs
        zeros = np.zeros(36)
        return self.of(
            "nav_msgs/Odometry",
            self.header(stamp, frame),
            base,
            self.of("geometry_msgs/PoseWithCovariance", self.pose(x, y, yaw), zeros),
            self.of(
                "geometry_msgs/TwistWithCovariance", self.twist([speed, 0, 0, 0, 0, rate]), zeros
            ),
        )

    def command(self, stamp, six):
        return self.of("geometry_msgs/TwistStamped", self.header(stamp, ""), self.twist(six))

    def path(self, stamp, places, frame="odom"):
        poses = [
            self.of("geometry_msgs/PoseStamped", self.header(0, frame), self.pose(*place))
            for place in places
        ]
        return self.of("nav_msgs/Path", self.header(stamp, frame), poses)

    def cylinder(self, stamp, x, y, radius, action=0, lifetime=0.0, number=0, frame="odom"):
        whole = int(lifetime)
        span = self.of("builtin_interfaces/Duration", whole, int((lifetime - whole) * 1e9))
        colour = self.of("std_msgs/ColorRGBA", 0.0, 0.0, 0.0, 1.0)
        image = self.of("sensor_msgs/CompressedImage", self.header(0, ""), "", np.zeros(0, "u1"))
        mesh = self.of("visualization_msgs/MeshFile", "", np.zeros(0, "u1"))
        return self.of(
            "visualization_msgs/Marker",
            self.header(stamp, frame),
            "obstacles",
            number,
            3,
            action,
            self.pose(x, y, 0.0),
            self.xyz(2 * radius, 2 * radius, 1),
            colour,
            span,
            False,
            *([], []),
            *("", image, []),
            "",
            *("", mesh, False),
        )

    def markers(self, *markers):
        return self.of("visualization_msgs/MarkerArray", list(markers))


def write_bag(
    path, *, without=(), frame="odom", base="base_link", alter=None, model=MODEL, **rates
):
    """Write a drive with its plan and one obstacle; returns the path.

    Args:
        path: The bag's folder.
        without: Topics to leave out.
        frame: Of plan and obstacles.
        base: Frame of the robot.
        alter: Changes the arrays of the drive before they are written.
        model: The robot.
        **rates: Of `drive`.
    """
    recording = drive(model=model, **rates)
    states, commands = recording.states, recording.commands
    if alter:
        alter(states, commands)
    ahead = drive(duration=rates.get("duration", 10.0) + 2.0, model=model).states.values
    with BagWriter(path) as writer:
        make = Messages(writer)

        def write(topic, kind, stamp, message):
            if topic not in without:
                writer.write(topic, kind, int(stamp), message)

        write("/plan", PATH, START, make.path(START, ahead[::20, :3], frame))
        circle = make.cylinder(START, 2.0, 1.0, 0.2, frame=frame)
        write("/obstacles", MARKERS, START, make.markers(circle))
        events = [(s, "/ground_truth/odom", model.h(v)) for s, v in zip(*states, strict=True)]
        events += [(s, "/cmd_vel", v) for s, v in zip(*commands, strict=True)]
        for stamp, topic, values in sorted(events, key=lambda event: event[:2]):
            if topic == "/cmd_vel":
                write(topic, TWIST, stamp, make.command(stamp, values))
            else:
                write(topic, ODOMETRY, stamp, make.odometry(stamp, values, base=base))
    return path


def settings(path, base=QUICK, **changes):
    """Write a settings file and return its path; None takes a setting out."""
    given = {name: value for name, value in (base | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(given))
    return path


def train(bags, config, out, *arguments, run=tool):
    return run("train", "--bag", *bags, "--config", config, "--out", out, *arguments)
