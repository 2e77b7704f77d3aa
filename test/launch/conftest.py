"""Launch files under launch_pytest: a private domain, and a listener of the tests' own."""

import os
import time

import pytest

launch_pytest = pytest.importorskip("launch_pytest")
rclpy = pytest.importorskip("rclpy")
domain_coordinator = pytest.importorskip("domain_coordinator")

from ament_index_python.packages import (  # noqa: E402
    PackageNotFoundError,
    get_package_share_directory,
)
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402

from launch import LaunchDescription  # noqa: E402


def pytest_collection_modifyitems(items):
    """Skip where the package isn't installed: a launch file starts installed executables."""
    try:
        get_package_share_directory("ebm_mpc_ros")
    except PackageNotFoundError:
        skip = pytest.mark.skip(reason="ebm_mpc_ros is not installed in a sourced workspace")
        for item in items:
            if "test/launch" in str(item.path):
                item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def domain():
    """A ROS domain of this run's own, set before anything of ROS starts."""
    with domain_coordinator.domain_id() as number:
        os.environ["ROS_DOMAIN_ID"] = str(number)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
        yield number


def described(name, **arguments):
    """Return a launch description that includes launch/NAME.launch.py and is then ready."""
    share = get_package_share_directory("ebm_mpc_ros")
    source = PythonLaunchDescriptionSource(f"{share}/launch/{name}.launch.py")
    include = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return LaunchDescription([include, launch_pytest.actions.ReadyToTest()])


class Listener:
    """Hears topics for as long as its context lasts."""

    def __enter__(self):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("listener", context=self.context)
        self.executor = rclpy.executors.SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        return self

    def __exit__(self, *_):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def wait_for(self, kind, topic, condition, patience=60.0):
        """Return the first message on `topic` that meets the condition."""
        found = []

        def check(message):
            if condition(message):
                found.append(message)

        quality = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        subscription = self.node.create_subscription(kind, topic, check, quality)
        deadline = time.monotonic() + patience
        while not found and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.1)
        self.node.destroy_subscription(subscription)
        assert found, f"nothing on {topic} met the condition within {patience} s"
        return found[0]
