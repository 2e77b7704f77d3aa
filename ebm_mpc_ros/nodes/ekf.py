"""ekf_node: fuses odomN, poseN, twistN, imuN and navsatN into odometry/filtered."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import (
    AccelWithCovarianceStamped,
    PoseArray,
    PoseWithCovarianceStamped,
    Twist,
    TwistStamped,
    TwistWithCovarianceStamped,
)
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, NavSatFix
from std_srvs.srv import Empty, SetBool

from ebm_mpc_ros.estimation.frames import UnknownFrameError
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.estimate_output import world_transform
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_health import EstimatorHealth
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters, input_kind
from ebm_mpc_ros.ros.event_log import LoggedEstimator
from ebm_mpc_ros.ros.messages import to_acceleration, to_odometry, to_poses, to_transform
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.process import spin
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ebm_mpc_ros.ros.diagnosis import Condition
    from ebm_mpc_ros.ros.estimate_output import Odometry as Estimated
    from ebm_mpc_ros.ros.event_log import EventLog
    from ebm_mpc_ros.ros.parameters import Parameter

_MESSAGES = {
    "odom": Odometry,
    "pose": PoseWithCovarianceStamped,
    "twist": TwistWithCovarianceStamped,
    "imu": Imu,
    "navsat": NavSatFix,
}


class EkfNode(ManagedNode):
    """Thin around `Estimator`: subscriptions in, a timer that fuses and publishes."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("ekf_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:
        """Return robot_localization's parameters for the inputs given."""
        return estimator_parameters(given)

    def configure(self, values: dict[str, Any]) -> None:
        """Build the estimator, subscribe to its inputs and offer its services."""
        self._transforms = Transforms(self, publish=values["publish_tf"])
        self._estimator, self._log = self._made(values)
        self._health = EstimatorHealth(self._estimator, self.get_logger(), self.count_publishers)
        self._published = self._jumps = 0
        self._subscribed: set[str] = set()
        self._subscribe()
        self.listen(PoseWithCovarianceStamped, "set_pose", self._set_pose, 10)
        if values["use_control"]:
            kind = TwistStamped if self._estimator.stamped_commands else Twist
            self.listen(kind, "cmd_vel", self._command, qos.sensor(10))
        self.serve(Empty, "reset", self._reset)
        self.serve(Empty, "enable", self._enable)
        self.serve(SetBool, "toggle", self._toggle)
        self._publisher = self.advertise(Odometry, "odometry/filtered", qos.OUTPUT)
        self._accelerations = None
        if values["publish_acceleration"]:
            self._accelerations = self.advertise(
                AccelWithCovarianceStamped, "accel/filtered", qos.OUTPUT
            )
        self._samples = None
        if values["estimator"] == "energy" and values["samples_shown"]:
            self._samples = self.advertise(PoseArray, "odometry/samples", qos.OUTPUT)
        self.every(1.0 / values["frequency"], self._tick)

    def change(self, values: dict[str, Any]) -> Callable[[], None]:
        """Take other noise, thresholds and masks."""
        apply = self._estimator.change(values)

        def applied() -> None:
            apply()
            self._subscribe()
            self._health.tell_again()

        return applied

    def deactivate(self) -> None:
        """Forget the estimate: what comes after a pause is a new start."""
        self._start_over()

    def condition(self) -> Condition:
        """Say what keeps the estimate back, which input is silent, or what was dropped."""
        return self._health.condition()

    def figures(self) -> dict[str, object]:
        """Count messages by input and reason, and say how consistent the innovations are."""
        return {"published": self._published, **self._health.figures()}

    def _made(self, values: dict[str, Any]) -> tuple[Estimator, EventLog | None]:
        lookup, path = self._transforms.lookup, values["event_log"]
        if not path:
            return Estimator(values, lookup), None
        estimator = LoggedEstimator(values, lookup, Path(path), serialize_message)
        self.at_clean_up(estimator.log.close)
        return estimator, estimator.log

    def _subscribe(self) -> None:
        """Listen to the inputs; a mask may give work to another one later."""
        for name, topic in self._estimator.topics.items():
            if name not in self._subscribed:
                self._subscribed.add(name)
                self.listen(
                    _MESSAGES[input_kind(name)],
                    topic,
                    partial(self._receive, name),
                    qos.sensor(self._estimator.values[f"{name}_queue_size"]),
                )

    def _receive(self, name: str, message: Any) -> None:
        self._estimator.receive(name, message, self.now)

    def _command(self, message: Any) -> None:
        self._estimator.command(message, self.now)

    def _set_pose(self, message: Any) -> None:
        problem = self._estimator.set_pose(message, self.now)
        if problem:
            self.get_logger().warning(f"set_pose refused: {problem}")
        else:
            self.get_logger().info("going on from set_pose")

    def _start_over(self) -> None:
        """Forget the estimate, and let who drives by it know: by a publisher made anew."""
        self._estimator.reset()
        self.destroy_publisher(self._publisher)
        self._publisher = self.advertise(Odometry, "odometry/filtered", qos.OUTPUT)

    def _reset(self, _: Any, response: Any) -> Any:
        self._start_over()
        self._transforms.clear()
        self.get_logger().info("starting over: the service reset was called")
        return response

    def _enable(self, _: Any, response: Any) -> Any:
        self._estimator.enable()
        return response

    def _toggle(self, request: Any, response: Any) -> Any:
        response.success = self._estimator.toggle(on=request.data)
        state = "on" if request.data else "off"
        response.message = f"processing is {'now' if response.success else 'already'} {state}"
        return response

    def _tick(self) -> None:
        now = self.now
        found = self._estimator.to_publish(now)
        if found is not None:
            self._publish(found, now)
        self._health.watch(now, self.steady_now)
        if self._estimator.time_jumps != self._jumps:
            self._jumps = self._estimator.time_jumps
            self._transforms.clear()
        self.report()

    def _publish(self, odometry: Estimated, now: int) -> None:
        estimator = self._estimator
        message = to_odometry(odometry, estimator.world_frame, estimator.child_frame)
        self._publisher.publish(message)
        self._published += 1
        if self._log is not None:
            self._log.published(now, message)
        if self._accelerations is not None and estimator.published is not None:
            acceleration = estimator.acceleration(estimator.published)
            self._accelerations.publish(to_acceleration(acceleration, estimator.child_frame))
        if self._samples is not None and estimator.published is not None:
            samples = estimator.samples(estimator.published)
            if samples is not None:
                self._samples.publish(to_poses(samples, estimator.world_frame))
        if self._transforms.broadcasts:
            self._broadcast(odometry)

    def _broadcast(self, odometry: Estimated) -> None:
        try:
            found = world_transform(self._estimator.values, odometry, self._transforms.lookup)
        except UnknownFrameError as error:
            self._health.tell(f"map -> odom not sent: {error}")
            return
        self._transforms.broadcast(to_transform(found))


def main() -> None:
    """Run the node."""
    sys.exit(spin(EkfNode))


if __name__ == "__main__":
    main()
