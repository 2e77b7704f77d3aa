"""kill -9 of ekf_node, policy_node and mpc_node in turn: when the robot slows, and when it stands.

Times are simulated, from the /clock at the kill; speeds are true ones.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from report import Figure, conclude, options, shown
from rosgraph_msgs.msg import Clock

from ebm_mpc_ros.tools.graph import default_params_file, simulation_graph
from ebm_mpc_ros.tools.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable

_VICTIMS = ("ekf_node", "policy_node", "mpc_node")
_A_MAX = 1.0
_STANDS = 0.02
_PATIENCE = 60.0


class Watcher:
    """Hears /clock and the true speed on a domain."""

    def __init__(self, domain: int) -> None:
        """Start listening on a thread."""
        self.now = 0.0
        self.speeds: list[tuple[float, float]] = []
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("watcher", context=self._context)
        self._node.create_subscription(Clock, "/clock", self._on_clock, 10)
        self._node.create_subscription(Odometry, "ground_truth/odom", self._on_truth, 100)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._closing = False
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        self._thread.join()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _spin(self) -> None:
        while not self._closing:
            self._executor.spin_once(timeout_sec=0.1)

    def _on_clock(self, message: Clock) -> None:
        self.now = message.clock.sec + message.clock.nanosec * 1e-9

    def _on_truth(self, message: Odometry) -> None:
        stamp = message.header.stamp
        self.speeds.append((stamp.sec + stamp.nanosec * 1e-9, message.twist.twist.linear.x))


def main() -> int:
    """Kill each node a few times and print the worst."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="kills of each node (default 5)")
    arguments = parser.parse_args()
    repeats = 1 if arguments.quick else arguments.repeats
    if arguments.quick:
        print(f"--quick: each node killed once, not {arguments.repeats} times")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    figures = []
    for victim in _VICTIMS:
        results = np.array([_kill(victim) for _ in shown(range(repeats), f"kills of {victim}")])
        slows, stands = results.max(axis=0)
        figures += [
            Figure(f"{victim} killed: fastest after", slows, "s", 0.2),
            Figure(f"{victim} killed: stands after, less v/a_max", stands, "s", 0.2),
        ]
    return conclude(f"kill -9, worst of {repeats}", figures, arguments)


def _kill(victim: str) -> tuple[float, float]:
    """Return when the robot was fastest after the kill, and when it stood less v / a_max (s)."""
    specs = simulation_graph(
        controller="policy_mpc", course="figure_eight", seed=0, params_file=default_params_file()
    )
    with tempfile.TemporaryDirectory() as logs, Processes(specs, Path(logs)) as processes:
        watcher = Watcher(processes.domain)
        try:
            _wait(lambda: watcher.speeds and watcher.speeds[-1][1] > 0.8)
            os.kill(processes.pid(victim), signal.SIGKILL)
            killed = watcher.now
            _wait(lambda: abs(watcher.speeds[-1][1]) < 0.5 * _STANDS)
        finally:
            watcher.close()
    track = np.array(watcher.speeds)
    after = track[track[:, 0] >= killed] - [killed, 0.0]
    stood = after[np.argmax(np.abs(after[:, 1]) < _STANDS), 0]
    slows, stands = after[np.argmax(after[:, 1]), 0], stood - after[:, 1].max() / _A_MAX
    print(f"{victim}: fastest after {slows:.3f} s, stood after {stood:.3f} s", flush=True)
    return float(slows), float(stands)


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the robot did not do in time what was waited for")
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
