"""Obstacles as their markers say, and those that are ignored."""

import math

import pytest
from builtin_interfaces.msg import Duration
from fake_node import FakeNode, NoTransforms
from visualization_msgs.msg import Marker, MarkerArray

from ebm_mpc_ros.ros.obstacle_input import ObstacleInput


@pytest.fixture
def node():
    return FakeNode()


@pytest.fixture
def obstacles(node):
    return ObstacleInput(node, NoTransforms(), "odom")


def marker(number=0, *, x=1.0, frame="odom", **changes):
    made = Marker(id=number, type=Marker.CYLINDER, **changes)
    made.header.frame_id = frame
    made.pose.position.x = x
    made.scale.x = 0.6
    return made


def send(node, *markers):
    node.callbacks["obstacles"](MarkerArray(markers=list(markers)))


def test_they_are_heard_while_the_node_is_not_active(node, obstacles):
    assert node.always == {"obstacles"}
    send(node, marker(0), marker(1, x=2.0))
    assert obstacles.circles().tolist() == [[1.0, 0.0, 0.3], [2.0, 0.0, 0.3]]


def test_a_bad_marker_is_told_for_ten_seconds(node, obstacles):
    send(node, marker(x=math.nan))
    node.pass_time(9.0)
    assert "not finite" in obstacles.ignored
    node.pass_time(2.0)
    assert obstacles.ignored == ""
    assert obstacles.dropped.total() == 1


def test_a_good_one_of_the_same_id_makes_up_for_it(node, obstacles):
    send(node, marker(x=math.nan))
    send(node, marker())
    assert obstacles.ignored == ""


@pytest.mark.parametrize("action", [Marker.DELETE, Marker.DELETEALL])
def test_an_obstacle_in_an_unknown_frame_is_told_until_it_goes(node, obstacles, action):
    send(node, marker(frame="mars"))
    node.pass_time(3600.0)
    assert "mars" in obstacles.ignored
    send(node, marker(action=action))
    assert obstacles.ignored == ""


def test_an_obstacle_in_an_unknown_frame_is_told_for_its_lifetime(node, obstacles):
    send(node, marker(frame="mars", lifetime=Duration(sec=20)))
    node.pass_time(19.0)
    assert "mars" in obstacles.ignored
    node.pass_time(2.0)
    assert obstacles.ignored == ""
