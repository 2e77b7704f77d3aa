"""Gazebo's graph over DDS, with a stand-in for Gazebo: it drives on such messages, and stops."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry

from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.simulation.gazebo import compose_world
from ebm_mpc_ros.tools.graph import default_params_file, gazebo_graph

pytestmark = pytest.mark.timeout(120)

FAKE = Path(__file__).with_name("fake_gazebo.py")
COURSE = "corridor"
BASE_DECELERATION = 2.0
TIMEOUT = 0.2


@pytest.fixture
def gazebo(start, tmp_path):
    """The graph and the stand-in on a corridor: (processes, observer)."""
    specs = gazebo_graph(controller="mpc", course=COURSE, seed=0, params_file=default_params_file())
    processes, observer = start(*specs)
    observer.listen(Odometry, "ground_truth/odom")
    observer.listen(Odometry, "odometry/filtered")
    observer.listen(TwistStamped, "cmd_vel")
    world = tmp_path / "world.sdf"
    world.write_text(compose_world(load_course(COURSE)))
    source = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": str(processes.domain),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(source), os.environ.get("PYTHONPATH")])),
    }
    process = subprocess.Popen([sys.executable, str(FAKE), str(world)], env=environment)
    yield processes, observer
    process.kill()
    process.wait()


def seconds(stamp):
    return stamp.sec + stamp.nanosec * 1e-9


def truth(observer):
    """Stamps (s), positions along the corridor (m) and speeds (m/s)."""
    messages = list(observer.heard["ground_truth/odom"])
    return np.array(
        [
            (seconds(m.header.stamp), m.pose.pose.position.x, m.twist.twist.linear.x)
            for m in messages
        ]
    ).T.reshape(3, -1)


def errors(observer):
    """Distances (m) of the estimates from the truth at their stamps."""
    by_stamp = {seconds(m.header.stamp): m for m in list(observer.heard["ground_truth/odom"])}
    return [
        np.hypot(
            m.pose.pose.position.x - true.pose.pose.position.x,
            m.pose.pose.position.y - true.pose.pose.position.y,
        )
        for m in list(observer.heard["odometry/filtered"])
        if (true := by_stamp.get(seconds(m.header.stamp))) is not None
    ]


def wait_for_distance(observer, distance):
    observer.wait_for(
        lambda: truth(observer)[1].max(initial=0.0) > distance, f"{distance} m of driving"
    )


def test_it_drives_past_the_obstacle_and_is_estimated(gazebo):
    processes, observer = gazebo
    wait_for_distance(observer, 6.0)
    assert not processes.dead()
    positions = [
        (m.pose.pose.position.x, m.pose.pose.position.y)
        for m in list(observer.heard["ground_truth/odom"])
    ]
    x, y, radius = load_course(COURSE).obstacles[0]
    assert min(np.hypot(a - x, b - y) for a, b in positions) > radius + 0.2
    observer.wait_for(lambda: len(errors(observer)) > 100, "estimates to compare with the truth")
    assert max(errors(observer)) < 0.1
    observer.wait_for_condition("ekf_node", "estimating")
    observer.wait_for_condition("relay_node", "handing on")
    assert observer.values("relay_node")["commands refused"] == "0"


def test_the_robot_stops_when_the_controller_is_killed(gazebo):
    processes, observer = gazebo
    wait_for_distance(observer, 1.0)
    os.kill(processes.pid("mpc_node"), signal.SIGKILL)
    observer.wait_for(lambda: abs(truth(observer)[2][-1]) < 0.005, "the robot to stand", 10.0)
    stamps, _, speeds = truth(observer)
    last = seconds(observer.heard["cmd_vel"][-1].header.stamp)
    stamps, speeds = stamps[stamps >= last] - last, speeds[stamps >= last]
    stands = stamps[np.argmax(np.abs(speeds) < 0.02)]
    # One watch of the relay, the way to the base, and what a busy machine adds to them.
    assert stands <= TIMEOUT + speeds.max() / BASE_DECELERATION + 0.2
    observer.wait_for_condition("relay_node", "no cmd_vel for 0.2 s")
