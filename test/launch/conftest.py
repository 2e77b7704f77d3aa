"""Launch files under launch_pytest: a private domain, a listener, and a `ros2 launch` to end."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

launch_pytest = pytest.importorskip("launch_pytest")
rclpy = pytest.importorskip("rclpy")
domain_coordinator = pytest.importorskip("domain_coordinator")

from ament_index_python.packages import (  # noqa: E402
    PackageNotFoundError,
    get_package_share_directory,
)
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from launch.actions import GroupAction, IncludeLaunchDescription  # noqa: E402
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


def included(name, *before, **arguments):
    """Return launch/NAME.launch.py after other actions, in a scope of its own."""
    share = get_package_share_directory("ebm_mpc_ros")
    source = PythonLaunchDescriptionSource(f"{share}/launch/{name}.launch.py")
    include = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return GroupAction([*before, include])


def ready(*actions):
    """Return a launch description that is ready with these actions."""
    return LaunchDescription([*actions, launch_pytest.actions.ReadyToTest()])


def described(name, **arguments):
    """Return a launch description that includes launch/NAME.launch.py and is then ready."""
    return ready(included(name, **arguments))


class Launched:
    """A `ros2 launch` in a process of its own, whose output is kept."""

    def __init__(self, log, name, **arguments):
        self._log = log
        words = [f"{key}:={value}" for key, value in arguments.items()]
        with log.open("w") as file:
            self.process = subprocess.Popen(
                ["ros2", "launch", "ebm_mpc_ros", f"{name}.launch.py", *words],  # noqa: S607
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # A shell's background jobs ignore the signal, and so would this.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            )

    @property
    def output(self):
        return self._log.read_text()

    def wait_for_line(self, words, patience=60.0):
        """Return the first line of the output that has these words."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for line in self.output.splitlines():
                if words in line:
                    return line
            time.sleep(0.1)
        pytest.fail(f"waited {patience} s for {words!r} in:\n{self.output}")

    def started(self):
        """Return (name, pid) of the processes that were started."""
        return re.findall(r"\[([^]]+)\]: process started with pid \[(\d+)\]", self.output)

    def alive(self):
        """Return the names of the processes that still run."""
        return {name for name, pid in self.started() if Path(f"/proc/{pid}").exists()}

    def interrupt(self, patience=30.0):
        """Interrupt the launch process, and it alone; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(patience)

    def end(self):
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        for _, pid in self.started():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def launched(tmp_path):
    """A function that runs `ros2 launch` on a launch file with arguments."""
    running = []

    def start(name, **arguments):
        running.append(Launched(tmp_path / f"{len(running)}.log", name, **arguments))
        return running[-1]

    yield start
    for one in running:
        one.end()


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

    def wait_until(self, condition, what, patience=60.0):
        """Spin until the condition holds; returns what it says."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            result = condition()
            if result:
                return result
            self.executor.spin_once(timeout_sec=0.1)
        pytest.fail(f"waited {patience} s for {what}")

    def ask(self, kind, name, request, patience=60.0):
        """Call a service, again where DDS has lost the call; return its answer."""
        client = self.node.create_client(kind, name)
        self.wait_until(client.service_is_ready, name, patience)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            future = client.call_async(request)
            self.executor.spin_until_future_complete(future, timeout_sec=5.0)
            if future.done():
                return future.result()
        pytest.fail(f"{name} gave no answer within {patience} s")

    def wait_for_condition(self, node, words, patience=60.0):
        """Wait until a node says those words in /diagnostics."""

        def says(message):
            return any(s.name == node and words in s.message for s in message.status)

        self.wait_for(DiagnosticArray, "/diagnostics", says, patience)
