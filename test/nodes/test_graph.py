"""The whole graph as processes over DDS: it drives, and it stops when a part of it dies."""

import os
import signal

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry, Path
from rosgraph_msgs.msg import Clock
from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from ebm_mpc_ros.tools.graph import SHIPPED_POLICY, default_params_file, simulation_graph

A_MAX = 1.0
pytestmark = pytest.mark.timeout(150)


def graph(controller="policy_mpc", course="corridor", checkpoint=""):
    return simulation_graph(
        controller=controller,
        course=course,
        seed=0,
        params_file=default_params_file(),
        checkpoint=checkpoint,
    )


def speeds(observer):
    """Stamps (s) and true speeds."""
    truth = list(observer.heard["ground_truth/odom"])
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in truth]
    return np.array(stamps), np.array([m.twist.twist.linear.x for m in truth])


def wait_for_speed(observer, speed):
    observer.wait_for(
        lambda: observer.heard["ground_truth/odom"] and speeds(observer)[1][-1] > speed,
        f"a speed above {speed} m/s",
    )


def test_the_graph_drives_and_says_what_it_does(start):
    _, observer = start(*graph("policy_mpc", "figure_eight"))
    for kind, topic in (
        (Odometry, "ground_truth/odom"),
        (Odometry, "odometry/filtered"),
        (MultiDOFJointTrajectory, "policy/plan"),
        (MarkerArray, "policy/samples"),
        (Path, "mpc/prediction"),
        (TwistStamped, "cmd_vel"),
    ):
        observer.listen(kind, topic)
    observer.listen(Path, "plan", latched=True)
    observer.listen(MarkerArray, "obstacles", latched=True)
    wait_for_speed(observer, 0.5)

    plan = observer.wait_for_message("policy/plan")
    assert plan.header.frame_id == "odom"
    assert list(plan.joint_names) == ["base_link"]
    assert len(plan.points) == 21
    assert plan.points[1].time_from_start.nanosec == 100_000_000
    estimate = observer.wait_for_message("odometry/filtered")
    assert (estimate.header.frame_id, estimate.child_frame_id) == ("odom", "base_link")
    assert np.linalg.eigvalsh(np.reshape(estimate.pose.covariance, (6, 6))).min() > 0
    assert observer.wait_for_message("policy/samples").markers[0].header.frame_id == "odom"
    assert observer.wait_for_message("mpc/prediction").header.frame_id == "odom"
    assert len(observer.wait_for_message("obstacles").markers) == 1
    assert len(observer.wait_for_message("plan").poses) > 100
    command = observer.wait_for_message("cmd_vel")
    assert command.header.frame_id == "base_link"
    assert abs(command.twist.linear.x) <= 1.15
    observer.wait_for_condition("ekf_node", "estimating")
    observer.wait_for_condition("mpc_node", "driving")
    observer.wait_for_condition("policy_node", "planning")


@pytest.mark.parametrize("controller", ["mpc", "policy"])
def test_the_other_controllers_drive_too(start, controller):
    processes, observer = start(*graph(controller, "slalom"))
    observer.listen(Odometry, "ground_truth/odom")
    wait_for_speed(observer, 0.4)
    names = {spec.name for spec in graph(controller)}
    assert ("mpc_node" in names, "policy_node" in names) == (
        (True, False) if controller == "mpc" else (False, True)
    )
    assert not processes.dead()


@pytest.mark.parametrize("controller", ["policy", "policy_mpc"])
def test_a_trained_policy_drives_too(start, controller):
    processes, observer = start(*graph(controller, checkpoint=SHIPPED_POLICY))
    observer.listen(Odometry, "ground_truth/odom")
    observer.listen(MarkerArray, "policy/samples")
    wait_for_speed(observer, 0.4)
    assert observer.wait_for_message("policy/samples").markers
    assert not processes.dead()


@pytest.mark.parametrize("victim", ["ekf_node", "policy_node", "mpc_node"])
def test_the_robot_stops_when_a_node_is_killed(start, victim):
    processes, observer = start(*graph())
    observer.listen(Odometry, "ground_truth/odom")
    observer.listen(Clock, "/clock")
    wait_for_speed(observer, 0.6)
    os.kill(processes.pid(victim), signal.SIGKILL)
    clock = observer.heard["/clock"][-1].clock
    killed_at = clock.sec + clock.nanosec * 1e-9
    observer.wait_for(lambda: abs(speeds(observer)[1][-1]) < 0.005, "the robot to stand", 10.0)

    stamps, true = speeds(observer)
    after = stamps >= killed_at
    stamps, true = stamps[after] - killed_at, true[after]
    fastest = int(np.argmax(true))
    stands = stamps[np.argmax(np.abs(true) < 0.02)]
    assert stamps[fastest] <= 0.2 + 0.03
    assert stands <= 0.2 + true.max() / A_MAX + 0.03
    still = true[stamps > stands]
    assert np.abs(still).max(initial=0.0) < 0.02


@pytest.mark.parametrize(
    ("victim", "who", "words"),
    [("ekf_node", "mpc_node", "estimate"), ("policy_node", "mpc_node", "policy/plan silent")],
)
def test_the_reason_for_a_stop_is_in_diagnostics(start, victim, who, words):
    processes, observer = start(*graph())
    observer.listen(Odometry, "ground_truth/odom")
    wait_for_speed(observer, 0.3)
    os.kill(processes.pid(victim), signal.SIGKILL)
    observer.wait_for_condition(who, words, patience=5.0)


def test_no_process_is_left(start):
    processes, observer = start(*graph())
    observer.listen(Odometry, "ground_truth/odom")
    wait_for_speed(observer, 0.2)
    pids = [processes.pid(spec.name) for spec in graph()]
    processes.__exit__(None, None, None)
    assert set(processes.dead().values()) == {0}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
