"""mpc/prediction: a path whose poses are stamped."""

import math

import numpy as np

from ebm_mpc_ros.ros.conversion import stamp_of
from ebm_mpc_ros.ros.prediction import Prediction

START = 5_000_000_000


def test_every_pose_has_its_own_stamp():
    message = Prediction("odom", 0.05, 3).message(START, np.zeros((4, 3)))
    assert stamp_of(message) == START
    assert [stamp_of(pose) - START for pose in message.poses] == [0, 50e6, 100e6, 150e6]
    assert {pose.header.frame_id for pose in message.poses} == {"odom"}


def test_the_message_is_filled_anew():
    prediction = Prediction("odom", 0.05, 1)
    prediction.message(START, np.zeros((2, 3)))
    message = prediction.message(START, np.array([[0.0, 0.0, 0.0], [1.0, 2.0, math.pi]]))
    pose = message.poses[1].pose
    assert (pose.position.x, pose.position.y) == (1.0, 2.0)
    assert math.isclose(pose.orientation.z, 1.0)
