"""The graph: how long its start takes, sensor-to-command latency, and CPU and memory of each node.

Peer: a bare rclpy node on rclpy's own executor with the estimator's subscriptions and timer and
empty callbacks, in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import ROOT, Figure, conclude, options, wait
from settled import wait_until_driving
from usage import cpu_seconds, resident_mb

from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.ros.conversion import stamp_of
from ebm_mpc_ros.tools.graph import default_params_file, recorder, simulation_graph
from ebm_mpc_ros.tools.processes import Processes

_BARE = """
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data as quality
from sensor_msgs.msg import Imu

rclpy.init()
node = Node("bare", parameter_overrides=[Parameter("use_sim_time", value=True)])
node.create_subscription(Imu, "imu/data", lambda message: None, quality)
node.create_subscription(Odometry, "wheel/odometry", lambda message: None, quality)
node.create_timer(0.02, lambda: None)
executor = SingleThreadedExecutor()
executor.add_node(node)
executor.spin()
"""


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    window = 15.0 if arguments.quick else 60.0
    if arguments.quick:
        print("--quick: a window of 15 s in place of 60 s")
    with tempfile.TemporaryDirectory() as folder:
        bag = Path(folder) / "bag"
        specs = (
            *simulation_graph(
                controller="policy_mpc",
                course="figure_eight",
                seed=0,
                params_file=default_params_file(),
            ),
            recorder(bag),
        )
        with Processes(specs, Path(folder) / "logs") as processes:
            bare = subprocess.Popen(  # noqa: S603  no shell
                [sys.executable, "-c", _BARE],
                cwd=ROOT,
                env={
                    **os.environ,
                    "ROS_DOMAIN_ID": str(processes.domain),
                    "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                },
            )
            try:
                start = wait_until_driving(processes)
                pids = {spec.name: processes.pid(spec.name) for spec in specs}
                pids["bare"] = bare.pid
                before = {name: cpu_seconds(pid) for name, pid in pids.items()}
                started = time.monotonic()
                wait(window, "watching the graph")
                elapsed = time.monotonic() - started
                share = {
                    name: 100.0 * (cpu_seconds(pid) - before[name]) / elapsed
                    for name, pid in pids.items()
                }
                memory = {name: resident_mb(pid) for name, pid in pids.items()}
            finally:
                bare.kill()
                bare.wait()
        figures = [Figure("start to first command", start, "s", 5.0), *_latencies(bag)]
    peer = share.pop("bare")
    for name, value in share.items():
        figures.append(
            Figure(
                f"{name} CPU",
                value,
                "% of a core",
                beside=f"{value / peer:.2f} x bare rclpy, {memory[name]:.0f} MB",
            )
        )
    figures.append(Figure("bare rclpy CPU", peer, "% of a core", beside=f"{memory['bare']:.0f} MB"))
    return conclude("the graph on the figure-eight", figures, arguments)


def _latencies(bag: Path) -> list[Figure]:
    """Return the age of the newest sensor data in each command, and of plans when they came."""
    newest, plans, commands = 0, [], []
    topics = ["/odometry/filtered", "/policy/plan", "/cmd_vel"]
    with open_bag(bag) as opened:
        for topic, arrival, message in opened.messages(topics):
            if topic == "/odometry/filtered":
                newest = stamp_of(message)
            elif topic == "/policy/plan":
                plans.append((arrival - stamp_of(message)) * 1e-6)
            elif newest:
                commands.append((arrival - newest) * 1e-6)
    return [
        Figure("sensor to command, median", float(np.median(commands)), "ms"),
        Figure("sensor to command, p99", float(np.quantile(commands, 0.99)), "ms", 100.0),
        Figure("sensor to plan, median", float(np.median(plans)), "ms"),
        Figure("sensor to plan, p99", float(np.quantile(plans, 0.99)), "ms", 120.0),
    ]


if __name__ == "__main__":
    sys.exit(main())
