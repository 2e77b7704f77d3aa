"""simulation.launch.py: comes up, drives, in a namespace too."""

import launch_pytest
import pytest
from conftest import Listener, described, included, ready
from nav_msgs.msg import Odometry

from ebm_mpc_ros.tools.graph import SHIPPED_POLICY


@launch_pytest.fixture
def simulation():
    return described("simulation")


@launch_pytest.fixture
def namespaced():
    return described("simulation", namespace="robot1", controller="mpc", course="slalom")


@launch_pytest.fixture
def two_robots():
    arguments = {"controller": "mpc", "use_sim_time": "false"}
    return ready(
        included("simulation", namespace="robot1", course="corridor", **arguments),
        included("simulation", namespace="robot2", course="slalom", **arguments),
    )


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


@pytest.mark.timeout(150)
@pytest.mark.launch(fixture=two_robots)
def test_two_robots_drive_side_by_side():
    with Listener() as listener:
        for robot in ("robot1", "robot2"):
            listener.wait_for(Odometry, f"/{robot}/ground_truth/odom", moves)
        listener.wait_for_condition("robot1/mpc_node", "driving")
        listener.wait_for_condition("robot2/mpc_node", "driving")


@pytest.mark.timeout(120)
@pytest.mark.launch(fixture=trained)
def test_it_drives_by_a_trained_policy():
    with Listener() as listener:
        listener.wait_for(Odometry, "/ground_truth/odom", moves)
