"""simulation.launch.py: comes up, drives, in a namespace too."""

import launch_pytest
import pytest
from conftest import Listener, described
from nav_msgs.msg import Odometry

from ebm_mpc_ros.tools.graph import SHIPPED_POLICY


@launch_pytest.fixture
def simulation():
    return described("simulation")


@launch_pytest.fixture
def namespaced():
    return described("simulation", namespace="robot1", controller="mpc", course="slalom")


@launch_pytest.fixture
def trained():
    return described("simulation", checkpoint=SHIPPED_POLICY, controller="policy")


def moves(message):
    return message.twist.twist.linear.x > 0.4


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=simulation)
def test_the_simulated_robot_drives():
    with Listener() as listener:
        listener.wait_for(Odometry, "/ground_truth/odom", moves)


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=namespaced)
def test_it_drives_in_a_namespace():
    with Listener() as listener:
        listener.wait_for(Odometry, "/robot1/ground_truth/odom", moves)


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=trained)
def test_it_drives_by_a_trained_policy():
    with Listener() as listener:
        listener.wait_for(Odometry, "/ground_truth/odom", moves)
