"""A bag through the live estimator, as replay.launch.py starts it, over DDS."""

from pathlib import Path

import pytest
import yaml
from estimating import mask
from nav_msgs.msg import Odometry
from recorded_run import RunWriter
from rosgraph_msgs.msg import Clock

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import NodeSpec, replay_graph
from ebm_mpc_ros.tools.replay_topics import topics_read_live

HUSKY = Path(__file__).parents[1] / "data" / "husky.bag"
CONFIG = share_directory() / "config" / "husky.yaml"
EVERYBODYS = {"/diagnostics", "/parameter_events", "/rosout"}
pytestmark = pytest.mark.timeout(150)


@pytest.fixture
def drive(tmp_path):
    """A bag of a robot that our graph drove, with all that must not come back to life."""
    path = tmp_path / "bag"
    with RunWriter(path) as bag:
        for k in range(1000):
            time = k / 20
            bag.clock(time)
            bag.odometry("wheel/odometry", time, time, speed=1.0)
            bag.odometry("odometry/filtered", time, time, speed=1.0, frame="recorded")
            bag.imu(time, 0.1)
            bag.command(time, 1.0, 0.1)
    return path


@pytest.fixture
def parameters(tmp_path):
    path = tmp_path / "robot.yaml"
    given = {
        "model": "diff_drive",
        "use_control": True,
        "odom0": "wheel/odometry",
        "odom0_config": mask("vx", "vyaw"),
        "imu0": "/imu/data",
        "imu0_config": mask("vyaw"),
    }
    path.write_text(yaml.safe_dump({"/**/ekf_node": {"ros__parameters": given}}))
    return path


def graph(bag, params_file, namespace="", **arguments):
    return replay_graph(
        bag=bag,
        topics=topics_read_live(bag, [params_file], namespace),
        params_file=params_file,
        with_player=True,
        **{"rate": 5.0} | arguments,
    )


def published(observer):
    """Names of the topics that the nodes of the graph publish on."""
    node = observer.node
    return {
        topic
        for topic, _ in node.get_topic_names_and_types()
        for end in node.get_publishers_info_by_topic(topic)
        if end.node_name != node.get_name()
    }


@pytest.mark.parametrize("namespace", ["", "robot1"])
def test_a_robot_beside_a_replay_hears_nothing_of_its_recording(
    start, drive, parameters, namespace
):
    space = f"/{namespace}" if namespace else ""
    _, observer = start(*graph(drive, parameters, space), namespace=namespace)
    estimates = f"{space}/odometry/filtered"
    observer.listen(Odometry, estimates)
    observer.listen(Clock, f"{space}/clock")
    observer.wait_for(lambda: len(observer.heard[estimates]) > 20, "estimates")
    assert {message.header.frame_id for message in observer.heard[estimates]} == {"odom"}
    assert observer.heard[estimates][-1].twist.twist.linear.x > 0.5
    observer.wait_for(lambda: observer.heard[f"{space}/clock"], "the namespace's clock")
    observer.wait_for_condition(f"{space}/ekf_node".lstrip("/"), "estimating")
    assert not any("cmd_vel" in key for key in observer.values(f"{space}/ekf_node".lstrip("/")))
    recorded = {f"{space}/replayed/{name}" for name in ("cmd_vel", "imu/data", "wheel/odometry")}
    observer.wait_for(
        lambda: all(observer.node.count_subscribers(topic) == 1 for topic in recorded),
        "the estimator to listen to what is played, and nobody else",
    )
    observer.wait_for(lambda: recorded <= published(observer), "the player")
    own = {topic for topic in published(observer) if not topic.endswith("/transition_event")}
    assert own - {f"{space}/tf"} == recorded | EVERYBODYS | {estimates, f"{space}/clock"}


def test_a_player_that_is_not_told_what_to_play_plays_nothing(start, drive):
    _, observer = start(NodeSpec(name="player_node", parameters={"bag": str(drive)}))
    observer.wait_for_condition("player_node", "parameter topics is empty: name what to play")
    assert "/cmd_vel" not in published(observer)


def test_the_replay_of_the_event_log_gives_the_live_estimates_to_the_bit(start, tmp_path, capfd):
    log = tmp_path / "log"
    processes, observer = start(*graph(HUSKY, CONFIG, rate=10.0, event_log=str(log)))
    observer.listen(Odometry, "odometry/filtered")
    heard = observer.heard["odometry/filtered"]
    observer.wait_for(lambda: len(heard) > 200, "estimates")
    processes.__exit__(None, None, None)
    assert set(processes.dead().values()) == {0}

    assert main(["replay", str(log), "--out", str(tmp_path / "out")]) == 0
    assert ", 0 of them not the same bits as the live node's" in " ".join(
        capfd.readouterr().err.split()
    )
    with open_bag(tmp_path / "out" / "estimate") as bag:
        again = {key(message) for _, _, message in bag.messages(["/odometry/filtered"])}
    assert len(again) > 200
    assert {key(message) for message in heard} <= again


def key(message):
    """An estimate's stamp and all of its numbers."""
    stamp, pose, twist = message.header.stamp, message.pose, message.twist
    place, attitude, moving = pose.pose.position, pose.pose.orientation, twist.twist
    return (
        (stamp.sec, stamp.nanosec),
        *((vector.x, vector.y, vector.z) for vector in (place, moving.linear, moving.angular)),
        (attitude.x, attitude.y, attitude.z, attitude.w),
        tuple(pose.covariance),
        tuple(twist.covariance),
    )
