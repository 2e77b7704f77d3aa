"""Which of a bag's topics a live replay plays, and under which names."""

import pytest
import yaml
from recorded_run import RunWriter
from replaying import HUSKY, mask

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import OWN_CLOCK, bag_play, replay_graph
from ebm_mpc_ros.tools.replay_topics import topics_read_live

WHEELS = {"odom0": "wheel/odometry", "odom0_config": mask("vx", "vyaw"), "model": "diff_drive"}


@pytest.fixture
def recorded(tmp_path):
    """Write a bag of a robot that drove by our graph, in that namespace."""

    def recorded(space="", *, stamped=True):
        path = tmp_path / "bag"
        with RunWriter(path, space) as bag:
            bag.clock(0.0)
            bag.odometry("wheel/odometry", 0.0)
            bag.odometry("odometry/filtered", 0.0)
            bag.imu(0.0, 0.0)
            if stamped:
                bag.command(0.0, 1.0)
            else:
                bag.unstamped_command(0.0, 1.0)
        return path

    return recorded


@pytest.fixture
def layer(tmp_path):
    """Write a parameter file."""

    def layer(node="/**/ekf_node", **given):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(yaml.safe_dump({node: {"ros__parameters": given}}))
        return path

    return layer


def test_only_what_the_estimator_reads_is_played(recorded, layer):
    topics = topics_read_live(recorded(), [layer(**WHEELS)], "")
    assert topics == {"wheel/odometry": "/wheel/odometry"}


def test_the_layers_say_what_that_is(recorded, layer):
    inertial = layer(imu0="/imu/data", imu0_config=mask("vyaw"))
    others = layer("/**/mpc_node", max_speed=0.5)
    topics = topics_read_live(recorded(), [layer(**WHEELS), others, inertial], "")
    assert topics == {"wheel/odometry": "/wheel/odometry", "/imu/data": "/imu/data"}


def test_commands_are_played_where_the_estimator_predicts_with_them(recorded, layer):
    topics = topics_read_live(recorded(), [layer(**WHEELS, use_control=True)], "")
    assert topics == {"wheel/odometry": "/wheel/odometry", "cmd_vel": "/cmd_vel"}


def test_a_recording_of_a_namespace_is_played_in_it(recorded, layer):
    topics = topics_read_live(recorded("/robot1"), [layer(**WHEELS, use_control=True)], "/robot1")
    assert topics == {
        "wheel/odometry": "/robot1/wheel/odometry",
        "cmd_vel": "/robot1/cmd_vel",
    }


def test_the_huskys_own(layer):
    file = share_directory() / "config" / "husky.yaml"
    assert set(topics_read_live(HUSKY, [file], "/robot1").values()) == {
        "/husky_velocity_controller/odom",
        "/imu/data",
    }


def test_commands_of_a_type_that_the_node_does_not_hear_are_a_mistake(recorded, layer):
    bag = recorded(stamped=False)
    with pytest.raises(UserError, match=r"/cmd_vel is geometry_msgs/msg/Twist in .*TwistStamped$"):
        topics_read_live(bag, [layer(**WHEELS, use_control=True)], "")
    params = layer(**WHEELS, use_control=True, enable_stamped_cmd_vel=False)
    assert "cmd_vel" in topics_read_live(bag, [params], "")


@pytest.mark.parametrize("topic", ["odometry/filtered", "/robot1/odometry/filtered"])
def test_what_the_node_itself_publishes_is_no_input(recorded, layer, topic):
    params = layer(**WHEELS | {"odom0": topic})
    with pytest.raises(UserError, match=r"odom0: .*/filtered is what ekf_node itself publishes"):
        topics_read_live(recorded("/robot1"), [params], "/robot1")


def test_a_missing_topic_is_named(recorded, layer):
    with pytest.raises(UserError, match="no topic /wheels; it has /clock, /cmd_vel, "):
        topics_read_live(recorded(), [layer(**WHEELS | {"odom0": "wheels"})], "")


def test_nothing_is_played_under_its_own_name(tmp_path):
    topics = {"wheels": "/wheels", "cmd_vel": "/cmd_vel", "/tf_static": "/tf_static"}
    estimator, player = replay_graph(
        bag=tmp_path,
        topics=topics,
        params_file=tmp_path / "robot.yaml",
        rate=1.0,
        with_player=True,
    )
    assert player.parameters["topics"] == sorted(topics.values())
    assert dict(player.remap) == {
        **{topic: f"replayed{topic}" for topic in topics.values()},
        "/clock": "clock",
    }
    assert dict(estimator.remap) == {
        "wheels": "replayed/wheels",
        "cmd_vel": "replayed/cmd_vel",
        "/tf_static": "replayed/tf_static",
        "/clock": "clock",
    }
    line = player.command()
    assert line.index("/tf_static:=replayed/tf_static") < line.index("/tf_static:=tf_static")


@pytest.mark.parametrize("namespace", ["", "/robot1"])
def test_ros2_bag_plays_the_same(tmp_path, namespace):
    line = bag_play(tmp_path, ["/imu", "/cmd_vel"], 0.5, namespace)
    assert line[:4] == ["ros2", "bag", "play", str(tmp_path)]
    assert line[line.index("--rate") + 1] == "0.5"
    assert line[line.index("--topics") + 1 : line.index("--remap")] == ["/cmd_vel", "/imu"]
    assert line[line.index("--remap") + 1 :] == [
        f"/cmd_vel:={namespace}/replayed/cmd_vel",
        f"/imu:={namespace}/replayed/imu",
        f"{OWN_CLOCK[0]}:={namespace}/clock",
    ]
