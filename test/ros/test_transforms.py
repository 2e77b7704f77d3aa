"""tf2 behind the node's transforms, played by a stand-in: the real one is not always there."""

from types import SimpleNamespace

import numpy as np
import pytest
from estimating import SECOND, xyz

from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.ros import transforms
from ebm_mpc_ros.ros.estimate_output import Broadcast
from ebm_mpc_ros.ros.messages import to_transform
from ebm_mpc_ros.ros.transforms import Transforms


class TransformError(Exception):
    pass


class Buffer:
    """Knows the poses of frame imu in base_link by stamp; 0 is the latest."""

    def __init__(self):
        self.poses, self.asked = {}, []

    def clear(self):
        self.poses.clear()

    def lookup_transform(self, target, source, time):
        self.asked.append((target, source, time.nanoseconds))
        stamp = time.nanoseconds or max(self.poses, default=0)
        if stamp not in self.poses or (target, source) != ("base_link", "imu"):
            raise TransformError("can't")
        pose = SimpleNamespace(translation=xyz(self.poses[stamp]), rotation=xyz((0, 0, 0, 1)))
        return SimpleNamespace(transform=pose)


class Node:
    def __init__(self):
        self.ends = []

    def at_clean_up(self, action):
        self.ends.append(action)


@pytest.fixture
def tf2(monkeypatch):
    """The stand-in for tf2_ros, and what was sent through it."""
    sent = []
    stand_in = SimpleNamespace(
        Buffer=Buffer,
        TransformListener=lambda buffer, node: SimpleNamespace(unregister=lambda: None),
        TransformBroadcaster=lambda node: SimpleNamespace(sendTransform=sent.append),
        TransformException=TransformError,
        sent=sent,
    )
    monkeypatch.setattr(transforms, "tf2_ros", stand_in)
    monkeypatch.setattr(
        transforms, "Time", lambda nanoseconds=0: SimpleNamespace(nanoseconds=nanoseconds), False
    )
    return stand_in


def test_a_pose_is_that_at_the_stamp(tf2):
    made = Transforms(Node(), publish=False)
    made._buffer.poses = {SECOND: (1, 0, 0), 2 * SECOND: (2, 0, 0)}
    np.testing.assert_array_equal(made.lookup("/base_link", "/imu", SECOND).translation, [1, 0, 0])
    np.testing.assert_array_equal(made.lookup("base_link", "imu").translation, [2, 0, 0])
    assert made._buffer.asked == [("base_link", "imu", SECOND), ("base_link", "imu", 0)]


@pytest.mark.parametrize("names", [("base_link", "imu", 3 * SECOND), ("base_link", "gps", 0)])
def test_what_tf2_does_not_know_is_an_unknown_frame(tf2, names):
    made = Transforms(Node(), publish=False)
    made._buffer.poses = {SECOND: (1, 0, 0)}
    with pytest.raises(UnknownFrameError, match=f"no transform from '{names[1]}' to 'base_link'"):
        made.lookup(*names)


def test_equal_poses_are_one_object(tf2):
    made = Transforms(Node(), publish=False)
    made._buffer.poses = {SECOND: (1, 0, 0), 2 * SECOND: (1, 0, 0), 3 * SECOND: (2, 0, 0)}
    first = made.lookup("base_link", "imu", SECOND)
    assert made.lookup("base_link", "imu", 2 * SECOND) is first
    assert made.lookup("base_link", "imu", 3 * SECOND) is not first


def test_what_moves_is_forgotten_when_asked(tf2):
    made = Transforms(Node(), publish=False)
    made._buffer.poses = {SECOND: (1, 0, 0)}
    made.clear()
    with pytest.raises(UnknownFrameError):
        made.lookup("base_link", "imu", SECOND)


def test_a_pose_is_sent_where_that_is_wanted(tf2):
    node = Node()
    assert not Transforms(node, publish=False).broadcasts
    made = Transforms(node, publish=True)
    assert made.broadcasts
    pose = Transform(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 0.0]))
    made.broadcast(to_transform(Broadcast("odom", "base_link", pose, 5 * SECOND + 7)))
    (message,) = tf2.sent
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (5, 7)
    assert (message.transform.translation.y, message.transform.rotation.z) == (2.0, 1.0)
    assert len(node.ends) == 2


def test_without_tf2_nothing_is_known_and_nothing_sent(monkeypatch):
    monkeypatch.setattr(transforms, "tf2_ros", None)
    made = Transforms(Node(), publish=True)
    assert not made.broadcasts
    made.clear()
    made.broadcast(object())
    with pytest.raises(UnknownFrameError, match="in static_transforms, and no tf2"):
        made.lookup("base_link", "imu")
