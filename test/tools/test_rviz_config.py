"""RViz is told to show what is there: classes that it has, topics and types of the graph."""

import pytest
import yaml

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import RECORDED, RECORDED_LATCHED

# rviz_default_plugins of Jazzy: its displays' message types, its tools'.
DISPLAYS = {
    "Odometry": "nav_msgs/msg/Odometry",
    "Path": "nav_msgs/msg/Path",
    "MarkerArray": "visualization_msgs/msg/MarkerArray",
    "PoseArray": "geometry_msgs/msg/PoseArray",
    "Grid": None,
    "TF": None,
}
TOOLS = {
    "SetGoal": "geometry_msgs/msg/PoseStamped",
    "SetInitialPose": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "MoveCamera": None,
    "FocusCamera": None,
    "Measure": None,
}
TYPES = dict(text.split() for text in (*RECORDED, *RECORDED_LATCHED)) | {
    "odometry/samples": "geometry_msgs/msg/PoseArray",
    "goal_pose": "geometry_msgs/msg/PoseStamped",
    "set_pose": "geometry_msgs/msg/PoseWithCovarianceStamped",
}
TOPIC = {
    "Depth": range(1, 1000),
    "Durability Policy": ("Volatile", "Transient Local"),
    "Filter size": range(1, 1000),
    "History Policy": ("Keep Last",),
    "Reliability Policy": ("Reliable", "Best Effort"),
}


@pytest.fixture(scope="module")
def manager():
    file = share_directory() / "rviz" / "ebm_mpc_ros.rviz"
    return yaml.safe_load(file.read_text())["Visualization Manager"]


@pytest.mark.parametrize(("key", "table"), [("Displays", DISPLAYS), ("Tools", TOOLS)])
def test_every_class_is_one_of_rviz_and_has_a_topic_of_its_type(manager, key, table):
    for entry in manager[key]:
        package, name = entry["Class"].split("/")
        assert package == "rviz_default_plugins"
        topic = entry.get("Topic", {}).get("Value")
        assert table[name] == (None if topic is None else TYPES[topic])


def test_topics_follow_the_namespace_of_rviz(manager):
    entries = [*manager["Displays"], *manager["Tools"]]
    topics = [entry["Topic"] for entry in entries if "Topic" in entry]
    assert len(topics) >= 10
    for topic in topics:
        assert not topic["Value"].startswith("/")
        for name, value in topic.items():
            assert name == "Value" or value in TOPIC[name]


def test_it_shows_estimate_covariance_plan_samples_prediction_and_obstacles(manager):
    shown = {
        display["Topic"]["Value"]: display
        for display in manager["Displays"]
        if display["Enabled"] and "Topic" in display
    }
    assert shown.keys() == {
        "odometry/filtered",
        "plan",
        "policy/samples",
        "mpc/prediction",
        "obstacles",
    }
    covariance = shown["odometry/filtered"]["Covariance"]
    assert covariance["Value"] is covariance["Position"]["Value"] is True
    assert covariance["Orientation"]["Value"] is True
    assert manager["Global Options"]["Fixed Frame"] == "odom"
