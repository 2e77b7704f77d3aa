"""What the odometry doesn't tell of a car: its steering while it stands."""

import math

import numpy as np
import pytest
from fake_node import FakeNode
from nav_msgs.msg import Odometry

from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.messages import to_time

CAR = load_model("ackermann", {"wheelbase": 0.8})


@pytest.fixture
def node():
    return FakeNode()


def estimate(node, model, speed, rate):
    """An estimate of a robot at that speed and turn rate."""
    made = EstimateInput(node, model, frame="odom", child="base_link", timeout=0.1)
    message = Odometry(child_frame_id="base_link")
    message.header.frame_id = "odom"
    message.header.stamp = to_time(node.now)
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x, message.twist.twist.angular.z = speed, rate
    node.callbacks["odometry/filtered"](message)
    return made


@pytest.mark.parametrize("speed", [0.0, 0.09, -0.09])
def test_a_slow_car_is_steered_as_commanded(node, speed):
    made = estimate(node, CAR, speed, 0.02)
    np.testing.assert_allclose(made.completed((0.5, 0.3)), [0, 0, 0, speed, 0.3])


@pytest.mark.parametrize("speed", [0.5, -0.5])
def test_a_moving_car_is_steered_as_it_turns(node, speed):
    made = estimate(node, CAR, speed, 0.2)
    steering = math.atan(0.8 * 0.2 / speed)
    np.testing.assert_allclose(made.completed((0.5, 0.3)), [0, 0, 0, speed, steering])


def test_without_a_command_the_wheels_of_a_standing_car_are_straight(node):
    np.testing.assert_array_equal(estimate(node, CAR, 0.0, 0.0).completed(), np.zeros(5))


def test_what_is_measured_is_never_taken_from_the_command(node):
    made = estimate(node, load_model("omni"), 0.01, 0.02)
    np.testing.assert_allclose(made.completed((0.5, 0.3, 0.7)), [0, 0, 0, 0.01, 0, 0.02])


def test_the_estimate_itself_stays_as_it_is(node):
    made = estimate(node, CAR, 0.0, 0.0)
    made.completed((0.5, 0.3))[0] = 9.0
    np.testing.assert_array_equal(made.state, np.zeros(5))
