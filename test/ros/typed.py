"""The plain messages of `estimating` as those of a bag."""

import numpy as np
from estimating import SECOND, header
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
KINDS = {
    "odom": "nav_msgs/msg/Odometry",
    "pose": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "twist": "geometry_msgs/msg/TwistWithCovarianceStamped",
    "imu": "sensor_msgs/msg/Imu",
    "navsat": "sensor_msgs/msg/NavSatFix",
    "cmd_vel": "geometry_msgs/msg/TwistStamped",
    "set_pose": "geometry_msgs/msg/PoseWithCovarianceStamped",
}


def typed(kind, plain):
    """Return a rosbags message; fields that the plain one lacks are zeros."""
    _, fields = STORE.fielddefs[kind]
    values = {name: _field(of, getattr(plain, name, None)) for name, of in fields}
    return STORE.types[kind](**values)


def _field(of, plain):
    node, what = of
    if node == Nodetype.NAME:
        return typed(what, plain)
    if node == Nodetype.BASE:
        if what[0] == "string":
            return plain or ""
        return (float if what[0].startswith("float") else int)(plain or 0)
    length = what[1] or 0
    return np.asarray(np.zeros(length) if plain is None else plain, float)


def for_input(name, plain):
    """Return the message that an input such as odom0, cmd_vel or set_pose takes."""
    kind = KINDS[name.rstrip("0123456789")]
    if name == "cmd_vel" and not hasattr(plain, "twist"):
        kind = "geometry_msgs/msg/Twist"
    return typed(kind, plain)


def serialized(message):
    return bytes(STORE.serialize_cdr(message, message.__msgtype__))


def static_transform(parent, child, transform, stamp=SECOND):
    """Return a /tf_static of one transform."""
    plain = header(stamp, parent)
    x, y, z = map(float, transform.translation)
    types = STORE.types
    pose = types["geometry_msgs/msg/Transform"](
        types["geometry_msgs/msg/Vector3"](x, y, z),
        types["geometry_msgs/msg/Quaternion"](*map(float, transform.quaternion)),
    )
    stamped = types["geometry_msgs/msg/TransformStamped"](
        typed("std_msgs/msg/Header", plain), child, pose
    )
    return types["tf2_msgs/msg/TFMessage"]([stamped])
