"""ekf_node: fuses odomN and imuN into odometry/filtered."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import TransformStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu

from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.messages import to_odometry, to_quaternion, to_vector
from ebm_mpc_ros.ros.node import ManagedNode, spin
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ebm_mpc_ros.ros.parameters import Parameter

_STEP_BACK = 0.5
_WARNING_TIME = 5_000_000_000


class EkfNode(ManagedNode):
    """Thin around `Estimator`: subscriptions in, a timer that fuses and publishes."""

    _estimator: Estimator

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("ekf_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:
        """Return robot_localization's parameters for the inputs given."""
        return estimator_parameters(given)

    def configure(self, values: dict[str, Any]) -> None:
        """Build the estimator and subscribe to its inputs."""
        self._transforms = Transforms(self, publish=values["publish_tf"])
        self._estimator = Estimator(values, self._transforms.lookup)
        self._last_stamp = -1
        self._last_time = 0
        self._published = 0
        self._held_back = ""
        self._drops = self._warn_until = 0
        for name, topic in self._estimator.topics.items():
            self.listen(
                Odometry if name.startswith("odom") else Imu,
                topic,
                partial(self._receive, name),
                qos.sensor(values[f"{name}_queue_size"]),
            )
        if values["use_control"]:
            self.listen(
                TwistStamped if values["enable_stamped_cmd_vel"] else Twist,
                "cmd_vel",
                lambda message: self._estimator.command(message, self.now),
                qos.sensor(10),
            )
        self._publisher = self.advertise(Odometry, "odometry/filtered", qos.OUTPUT)
        self.every(1.0 / values["frequency"], self._tick)
        self._reset_on_jump = values["reset_on_time_jump"]

    def deactivate(self) -> None:
        """Forget the estimate: what comes after a pause is a new start."""
        self._estimator.reset()

    def condition(self) -> Condition:
        """Say which input is silent, or what was dropped."""
        if self._held_back:
            return Condition(Level.ERROR, f"no estimate: {self._held_back}")
        dropped = self._estimator.filter.dropped
        if self.steady_now < self._warn_until:
            source, reason = max(dropped, key=dropped.__getitem__)
            return Condition(Level.WARN, f"messages dropped, most so far: {source}: {reason}")
        return Condition(Level.OK, "estimating")

    def figures(self) -> dict[str, object]:
        """Count messages by input and reason, and say how consistent the innovations are."""
        estimator = self._estimator
        values: dict[str, object] = {"published": self._published}
        for name, state in estimator.inputs.items():
            values[f"{name} received"] = state.received
        for (name, reason), count in sorted(estimator.filter.dropped.items()):
            values[f"{name} dropped: {reason}"] = count
        for name, statistics in sorted(estimator.filter.consistency.items()):
            low, high = statistics.bounds()
            values[f"{name} NIS/dof"] = f"{statistics.ratio:.3f} ({low:.3f} to {high:.3f})"
        values["resets"] = estimator.filter.resets
        return values

    def _receive(self, name: str, message: Any) -> None:
        self._estimator.receive(name, message, self.now)

    def _tick(self) -> None:
        now = self.now
        if now < self._last_time - _STEP_BACK * 1e9 and self._reset_on_jump:
            self.get_logger().warning("the clock jumped back: starting over")
            self._estimator.reset()
            self._last_stamp = -1
        self._last_time = now
        estimate = self._estimator.advance(now)
        reasons = self._estimator.held_back(now)
        self._held_back = "; ".join(reasons)
        drops = self._estimator.filter.dropped.total()
        if drops > self._drops:
            self._drops, self._warn_until = drops, self.steady_now + _WARNING_TIME
        if estimate is None:
            self._held_back = self._held_back or self._why_none()
        elif not reasons and estimate.stamp != self._last_stamp:
            self._last_stamp = estimate.stamp
            self._publish(estimate)
        self.report()

    def _why_none(self) -> str:
        for name, state in self._estimator.inputs.items():
            if state.last_problem:
                return f"{name} ({self._estimator.topics[name]}): {state.last_problem}"
        return "no message yet on " + ", ".join(self._estimator.topics.values())

    def _publish(self, estimate: Any) -> None:
        estimator = self._estimator
        odometry = estimator.odometry(estimate)
        message = to_odometry(odometry, estimator.world_frame, estimator.base_frame)
        self._publisher.publish(message)
        self._published += 1
        if self._transforms.broadcasts:
            transform = TransformStamped(header=message.header, child_frame_id=estimator.base_frame)
            transform.transform.translation = to_vector(odometry.position)
            transform.transform.rotation = to_quaternion(odometry.quaternion)
            self._transforms.broadcast(transform)


def main() -> None:
    """Run the node."""
    sys.exit(spin(EkfNode))


if __name__ == "__main__":
    main()
