"""Real processes on a private ROS domain, and an observer that sees what they say."""

import os
import random
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.signals import SignalHandlerOptions  # noqa: E402

from ebm_mpc_ros.ros import qos  # noqa: E402
from ebm_mpc_ros.tools.processes import Processes  # noqa: E402

HERE = Path(__file__).resolve()
sys.path += [
    str(HERE.parent),
    *(str(HERE.parents[1] / room) for room in ("ros", "learning", "tools")),
]

from ekf_bench import Bench  # noqa: E402

PATIENCE = 40.0


class Observer:
    """A node of the test's own that keeps every message it hears."""

    def __init__(self, domain):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = Node("observer", context=self.context)
        self.heard = defaultdict(list)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._closing = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.listen(DiagnosticArray, "/diagnostics")

    def _spin(self):
        while not self._closing:
            self._executor.spin_once(timeout_sec=0.05)

    def listen(self, kind, topic, *, latched=False):
        best_effort = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
        quality = qos.LATCHED if latched else best_effort
        self.node.create_subscription(kind, topic, self.heard[topic].append, quality)

    def wait_for(self, condition, what, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            result = condition()
            if result:
                return result
            time.sleep(0.02)
        pytest.fail(f"waited {patience} s for {what}; last diagnostics: {self.conditions()}")

    def wait_for_message(self, topic, patience=PATIENCE):
        self.wait_for(lambda: self.heard[topic], f"a message on {topic}", patience)
        return self.heard[topic][-1]

    def conditions(self):
        """The last message of each node's diagnostics, by the node's name."""
        latest = {}
        for array in list(self.heard["/diagnostics"]):
            for status in array.status:
                latest[status.name] = status.message
        return latest

    def wait_for_condition(self, node, words, patience=PATIENCE):
        return self.wait_for(
            lambda: words in self.conditions().get(node, ""), f"{node} to say {words!r}", patience
        )

    def values(self, node):
        latest = {}
        for array in list(self.heard["/diagnostics"]):
            for status in array.status:
                if status.name == node:
                    latest = {value.key: value.value for value in status.values}
        return latest

    def close(self):
        self._closing = True
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def start(tmp_path):
    """A function that starts node specs and returns (processes, observer).

    With `beside`, processes that run already, they share its domain.
    """
    opened = []
    before = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

    def begin(*specs, namespace="", beside=None):
        domain = None if beside is None else beside.domain
        logs = tmp_path / f"logs{len(opened)}"
        processes = Processes(specs, logs, domain=domain, namespace=namespace)
        observer = Observer(processes.domain)
        opened.append(observer)
        opened.append(processes.__enter__())
        return processes, observer

    yield begin
    for item in reversed(opened):
        if isinstance(item, Observer):
            item.close()
        else:
            item.__exit__(None, None, None)
    if before is None:
        del os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"]
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = before


@pytest.fixture
def running(tmp_path, monkeypatch):
    """A function that returns the bench of a running node with those parameters."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = []

    def run(**parameters):
        path = tmp_path / "parameters.yaml"
        path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
        rclpy.init(
            args=["--ros-args", "--params-file", str(path)],
            domain_id=random.SystemRandom().choice(range(2, 102)),
            signal_handler_options=SignalHandlerOptions.NO,
        )
        bench = Bench()
        made.append(bench)
        bench.start()
        return bench

    yield run
    for bench in made:
        bench.close()
    rclpy.try_shutdown()
