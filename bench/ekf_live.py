"""ekf_node as a process over DDS: its CPU on a real robot's bag, and a long run at high rates.

Peers in the same run: two bare rclpy nodes with the same subscriptions, timer and empty callbacks,
one on rclpy's own executor and one on the package's.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from report import ROOT, Figure, conclude, options, shown
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu
from usage import cpu_seconds, resident_mb

from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.ros.messages import to_time

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOMAIN = "99"
_BAG = ROOT / "test" / "data" / "husky.bag"
_HUSKY = ROOT / "config" / "husky.yaml"
_CLOCK = 0.01
_TYPES = {"sensor_msgs/msg/Imu": Imu, "nav_msgs/msg/Odometry": Odometry}
# robot_localization's ekf_node on this bag at 1x, as others measured it on another machine.
_PEER = (3.7, 4.6)
_BARE = """
import sys
import rclpy
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data as quality
from sensor_msgs.msg import Imu
from ebm_mpc_ros.ros.executor import NodeExecutor

rclpy.init()
node = Node("bare", parameter_overrides=[Parameter("use_sim_time", value=True)])
node.create_subscription(Imu, "/imu/data", lambda message: None, quality)
node.create_subscription(
    Odometry, "/husky_velocity_controller/odom", lambda message: None, quality
)
publisher = node.create_publisher(Odometry, "bare", 10)
node.create_timer(1 / 30, lambda: publisher.publish(Odometry()))
if sys.argv[1] == "own":
    executor = NodeExecutor(node)
    while True:
        executor.spin_once(0.1)
executor = SingleThreadedExecutor()
executor.add_node(node)
executor.spin()
"""
_SOAK = """
/**/ekf_node:
  ros__parameters:
    frequency: 50.0
    odom0: /wheel
    odom0_config: [false, false, false, false, false, false, true, true, true,
                   false, false, true, false, false, false]
    odom0_queue_size: 100
    imu0: /imu
    imu0_config: [false, false, false, true, true, true, false, false, false,
                  true, true, true, true, true, true]
    imu0_queue_size: 100
    imu0_remove_gravitational_acceleration: true
"""


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of the long run (default 10)")
    arguments = parser.parse_args()
    window, minutes = (15.0, 0.5) if arguments.quick else (90.0, arguments.minutes)
    if arguments.quick:
        print("--quick: 15 s of the bag in place of 90 s, a long run of 30 s")
    os.environ["ROS_DOMAIN_ID"] = _DOMAIN
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    rclpy.init()
    try:
        figures = [*_on_the_bag(window), *_long_run(60.0 * minutes)]
    finally:
        rclpy.try_shutdown()
    return conclude("ekf_node as a process", figures, arguments)


def _on_the_bag(window: float) -> list[Figure]:
    """Play the bag at 1x with a 100 Hz clock and measure the nodes that listen."""
    node = rclpy.create_node("bench_player")
    clock = node.create_publisher(Clock, "/clock", 10)
    with open_bag(_BAG) as bag, contextlib.ExitStack() as stack:
        topics = ["/imu/data", "/husky_velocity_controller/odom"]
        publishers = {t: node.create_publisher(_TYPES[bag.topic(t).type], t, 10) for t in topics}
        ekf = stack.enter_context(_ekf(_HUSKY))
        bare = stack.enter_context(_process([sys.executable, "-c", _BARE, "rclpy"]))
        own = stack.enter_context(_process([sys.executable, "-c", _BARE, "own"]))
        while any(publisher.get_subscription_count() < 3 for publisher in publishers.values()):
            time.sleep(0.1)
        messages = bag.raw_messages(topics)
        start = time.monotonic()
        settle = 5.0
        print(f"husky.bag for {settle + window:.0f} s ...", file=sys.stderr, flush=True)
        before: dict[int, float] = {}
        pending = next(messages)
        tick = 0
        while (elapsed := time.monotonic() - start) < settle + window:
            if not before and elapsed > settle:
                before = {pid: cpu_seconds(pid) for pid in (ekf.pid, bare.pid, own.pid)}
                measured_from = time.monotonic()
            now = bag.start_time + round(elapsed * 1e9)
            while pending[1] <= now:
                topic, _, kind, raw = pending
                publishers[topic].publish(bag.to_cdr(raw, kind))
                pending = next(messages)
            clock.publish(Clock(clock=to_time(now)))
            tick += 1
            time.sleep(max(0.0, start + tick * _CLOCK - time.monotonic()))
        span = time.monotonic() - measured_from
        share = {pid: 100.0 * (cpu_seconds(pid) - before[pid]) / span for pid in before}
        memory = resident_mb(ekf.pid)
    node.destroy_node()
    return [
        Figure(
            "husky.bag at 1x, CPU",
            share[ekf.pid],
            "% of a core",
            2.0 * _PEER[0],
            f"robot_localization {_PEER[0]} to {_PEER[1]} elsewhere",
        ),
        Figure("bare rclpy, its executor", share[bare.pid], "% of a core"),
        Figure("bare rclpy, our executor", share[own.pid], "% of a core"),
        Figure(
            "ekf_node / bare rclpy",
            share[ekf.pid] / share[bare.pid],
            "x",
            beside=f"{memory:.0f} MB",
        ),
    ]


def _long_run(seconds: float) -> list[Figure]:
    """Send 200 Hz of IMU and 50 Hz of odometry, best effort, and count what arrived."""
    node = rclpy.create_node("bench_sensors")
    quality = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
    imus = node.create_publisher(Imu, "/imu", quality)
    wheels = node.create_publisher(Odometry, "/wheel", quality)
    said: dict[str, str] = {}

    def listen(message: Any) -> None:
        for status in message.status:
            if status.name.endswith("ekf_node"):
                said.update({pair.key: pair.value for pair in status.values})

    node.create_subscription(DiagnosticArray, "/diagnostics", listen, 100)
    stopping = threading.Event()
    listener = threading.Thread(target=_spin, args=(node, stopping), daemon=True)
    listener.start()
    with tempfile.TemporaryDirectory() as folder:
        params = Path(folder) / "soak.yaml"
        params.write_text(_SOAK, encoding="utf-8")
        with _ekf(params) as ekf:
            while not (imus.get_subscription_count() and wheels.get_subscription_count()):
                time.sleep(0.1)
            time.sleep(1.0)
            sent, memory, share = _send(node, imus, wheels, seconds, ekf.pid)
            time.sleep(2.5)
            stopping.set()
            listener.join()
    node.destroy_node()
    lost = sum(count - int(said.get(f"{name} received", 0)) for name, count in sent.items())
    dropped = sum(int(value) for key, value in said.items() if " dropped: " in key)
    after_a_minute = [mb for at, mb in memory if at >= min(60.0, 0.5 * seconds)]
    return [
        Figure("200 + 50 Hz: messages lost", lost, "", 0, f"of {sum(sent.values())}"),
        Figure("200 + 50 Hz: messages dropped", dropped, "", 0),
        Figure(
            "200 + 50 Hz: growth after the first minute",
            after_a_minute[-1] - after_a_minute[0],
            "MB",
            1.0,
            f"{after_a_minute[-1]:.0f} MB",
        ),
        Figure("200 + 50 Hz: CPU", share, "% of a core"),
    ]


def _send(
    node: Any, imus: Any, wheels: Any, seconds: float, pid: int
) -> tuple[dict[str, int], list[tuple[float, float]], float]:
    """Return messages sent by input, (time, MB) of the process, and its CPU in % of a core."""
    imu, wheel = Imu(), Odometry()
    imu.header.frame_id = wheel.child_frame_id = "base_link"
    wheel.header.frame_id = "odom"
    imu.linear_acceleration.z = 9.80665
    for covariance in (
        imu.orientation_covariance,
        imu.angular_velocity_covariance,
        imu.linear_acceleration_covariance,
    ):
        covariance[::4] = 1e-3
    wheel.twist.covariance[::7] = 1e-3
    wheel.twist.twist.linear.x = 1.0
    sent = {"imu0": 0, "odom0": 0}
    memory: list[tuple[float, float]] = []
    cpu, start = cpu_seconds(pid), time.monotonic()
    for k in shown(range(round(200.0 * seconds)), "the long run"):
        time.sleep(max(0.0, start + 0.005 * k - time.monotonic()))
        stamp = node.get_clock().now().to_msg()
        imu.header.stamp = stamp
        imus.publish(imu)
        sent["imu0"] += 1
        if k % 4 == 0:
            wheel.header.stamp = stamp
            wheels.publish(wheel)
            sent["odom0"] += 1
        if k % 200 == 0:
            memory.append((time.monotonic() - start, resident_mb(pid)))
    elapsed = time.monotonic() - start
    return sent, memory, 100.0 * (cpu_seconds(pid) - cpu) / elapsed


def _spin(node: Any, stopping: threading.Event) -> None:
    while not stopping.is_set():
        rclpy.spin_once(node, timeout_sec=0.2)


def _ekf(params: Path) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "ebm_mpc_ros.nodes.ekf", "--ros-args", "-r"]
    return _process([*command, "__node:=ekf_node", "--params-file", str(params)])


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603  no shell
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
