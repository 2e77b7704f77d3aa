"""Two robots in two namespaces on one domain, as processes over DDS."""

import pytest
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock

from ebm_mpc_ros.tools.graph import NodeSpec, default_params_file, simulation_graph

ROBOTS = ("robot1", "robot2")
pytestmark = pytest.mark.timeout(150)


def graph(course, **arguments):
    return simulation_graph(
        controller="mpc", course=course, seed=0, params_file=default_params_file(), **arguments
    )


def test_two_robots_drive_their_own_courses_side_by_side(start):
    first, observer = start(*graph("corridor", use_sim_time=False), namespace="robot1")
    second, _ = start(*graph("slalom", use_sim_time=False), namespace="robot2", beside=first)
    for robot in ROBOTS:
        for topic in ("ground_truth/odom", "odometry/filtered"):
            observer.listen(Odometry, f"{robot}/{topic}")
    observer.listen(Clock, "/clock")

    def pose(robot, topic):
        heard = observer.heard[f"{robot}/{topic}"]
        return heard[-1].pose.pose.position if heard else None

    def far(robot):
        truth = observer.heard[f"{robot}/ground_truth/odom"]
        return truth and abs(pose(robot, "ground_truth/odom").x - truth[0].pose.pose.position.x) > 2

    observer.wait_for(lambda: all(map(far, ROBOTS)), "both to drive 2 m")
    for robot in ROBOTS:
        estimated, true = pose(robot, "odometry/filtered"), pose(robot, "ground_truth/odom")
        assert abs(estimated.x - true.x) < 0.3
        assert abs(estimated.y - true.y) < 0.3
    assert first.dead() == second.dead() == {}
    assert not observer.heard["/clock"]


def test_diagnostics_tell_the_robots_apart(start):
    idle = [NodeSpec(name="mpc_node", params_files=[default_params_file()])]
    first, observer = start(*idle, namespace="robot1")
    start(*idle, namespace="robot2", beside=first)
    for robot in ROBOTS:
        observer.wait_for_condition(f"{robot}/mpc_node", "not enabled")
    heard = [status for array in observer.heard["/diagnostics"] for status in array.status]
    assert {(s.name, s.hardware_id) for s in heard} == {
        (f"{robot}/mpc_node", robot) for robot in ROBOTS
    }
    assert observer.node.count_publishers("/diagnostics") == len(ROBOTS)


def test_a_second_clock_is_reported(start):
    simulator = NodeSpec(name="simulator_node", parameters={"course": "corridor"})
    first, observer = start(simulator, namespace="robot1")
    start(simulator, namespace="robot2", beside=first)
    for robot in ROBOTS:
        observer.wait_for_condition(f"{robot}/simulator_node", "/clock has another publisher")


def test_a_simulator_can_follow_the_clock_of_another(start):
    course = {"course": "corridor"}
    first, observer = start(NodeSpec(name="simulator_node", parameters=course), namespace="robot1")
    following = NodeSpec(
        name="simulator_node", parameters={**course, "publish_clock": False, "use_sim_time": True}
    )
    start(following, namespace="robot2", beside=first)
    observer.listen(Odometry, "robot2/ground_truth/odom")
    observer.listen(Clock, "/clock")

    def stamps():
        heard = list(observer.heard["robot2/ground_truth/odom"])
        return [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in heard]

    observer.wait_for(
        lambda: observer.heard["/clock"] and stamps() and stamps()[-1] - stamps()[0] > 1.0,
        "a second of truth, and a clock",
    )
    clock = observer.heard["/clock"][-1].clock
    assert stamps() == sorted(stamps())
    assert abs(stamps()[-1] - (clock.sec + clock.nanosec * 1e-9)) < 0.2


def test_a_simulator_by_the_systems_clock_has_its_rate(start):
    _, observer = start(
        NodeSpec(
            name="simulator_node",
            parameters={"course": "corridor", "rate": 0.5, "publish_clock": False},
        )
    )
    observer.wait_for_condition("simulator_node", "must be 1 without publish_clock")
