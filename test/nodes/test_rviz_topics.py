"""RViz's subscriptions match what the running graph publishes: type, reliability, durability."""

import pytest
import yaml
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import default_params_file, simulation_graph


def wanted(topic):
    return QoSProfile(
        depth=topic["Depth"],
        reliability=ReliabilityPolicy[topic["Reliability Policy"].upper().replace(" ", "_")],
        durability=DurabilityPolicy[topic["Durability Policy"].upper().replace(" ", "_")],
    )


@pytest.mark.timeout(150)
def test_every_topic_that_rviz_shows_is_published_so_that_rviz_hears_it(start):
    graph = simulation_graph(
        controller="policy_mpc", course="corridor", seed=0, params_file=default_params_file()
    )
    _, observer = start(*graph, namespace="robot1")
    content = yaml.safe_load((share_directory() / "rviz" / "ebm_mpc_ros.rviz").read_text())
    displays = content["Visualization Manager"]["Displays"]
    topics = [d["Topic"] for d in displays if d["Enabled"] and "Topic" in d]

    def publishers(topic):
        return observer.node.get_publishers_info_by_topic(f"robot1/{topic['Value']}")

    observer.wait_for(lambda: all(map(publishers, topics)), "a publisher of every topic")
    for topic in topics:
        (publisher,) = publishers(topic)
        compatible, reason = qos_check_compatible(publisher.qos_profile, wanted(topic))
        assert compatible != QoSCompatibility.ERROR, reason
