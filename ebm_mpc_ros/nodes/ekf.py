"""ekf_node: fuses odomN, poseN, twistN, imuN and navsatN into odometry/filtered."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import (
    AccelWithCovarianceStamped,
    PoseWithCovarianceStamped,
    TransformStamped,
    Twist,
    TwistStamped,
    TwistWithCovarianceStamped,
)
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Imu, NavSatFix
from std_srvs.srv import Empty, SetBool

from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters, input_kind
from ebm_mpc_ros.ros.event_log import EventLog
from ebm_mpc_ros.ros.inputs import INPUT_TYPES
from ebm_mpc_ros.ros.messages import (
    to_acceleration,
    to_odometry,
    to_quaternion,
    to_time,
    to_vector,
)
from ebm_mpc_ros.ros.node import ManagedNode, spin
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ebm_mpc_ros.ros.estimator import Odometry as Estimated
    from ebm_mpc_ros.ros.parameters import Parameter

_WARNING_TIME = 5_000_000_000
_MESSAGES = {
    "odom": Odometry,
    "pose": PoseWithCovarianceStamped,
    "twist": TwistWithCovarianceStamped,
    "imu": Imu,
    "navsat": NavSatFix,
}


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
        """Build the estimator, subscribe to its inputs and offer its services."""
        self._transforms = Transforms(self, publish=values["publish_tf"])
        self._log = EventLog(Path(values["event_log"]), values) if values["event_log"] else None
        lookup: Callable[[str, str, int], Transform] = self._transforms.lookup
        if self._log is not None:
            self.at_clean_up(self._log.close)
            lookup = self._log.looked_up(lookup)
        self._estimator = Estimator(values, lookup)
        self._values = values
        self._published = 0
        self._held_back = ""
        self._drops = self._warn_until = self._resets = self._jumps = 0
        self._told: set[str] = set()
        for name, topic in self._estimator.topics.items():
            self.listen(
                _MESSAGES[input_kind(name)],
                topic,
                partial(self._receive, name),
                qos.sensor(values[f"{name}_queue_size"]),
            )
        self.listen(PoseWithCovarianceStamped, "set_pose", self._set_pose, 10)
        if values["use_control"]:
            own = bool(self._estimator.model.input_names)
            stamped = values["enable_stamped_cmd_vel" if own else "stamped_control"]
            kind = TwistStamped if stamped else Twist
            self.listen(kind, "cmd_vel", self._command, qos.sensor(10))
        self.serve(Empty, "reset", self._reset)
        self.serve(Empty, "enable", self._enable)
        self.serve(SetBool, "toggle", self._toggle)
        self._publisher = self.advertise(Odometry, "odometry/filtered", qos.OUTPUT)
        self._acceleration = None
        if values["publish_acceleration"]:
            self._acceleration = self.advertise(
                AccelWithCovarianceStamped, "accel/filtered", qos.OUTPUT
            )
        self.every(1.0 / values["frequency"], self._tick)

    def change(self, values: dict[str, Any]) -> Callable[[], None]:
        """Take other noise, thresholds and masks."""
        apply = self._estimator.change(values)

        def applied() -> None:
            self._note("parameters", values)
            apply()
            self._values = values
            self._told.clear()

        return applied

    def deactivate(self) -> None:
        """Forget the estimate: what comes after a pause is a new start."""
        self._note("reset")
        self._estimator.reset()

    def condition(self) -> Condition:
        """Say what keeps the estimate back, which input is silent, or what was dropped."""
        if self._held_back:
            return Condition(Level.ERROR, f"no estimate: {self._held_back}")
        if not self._estimator.processing:
            return Condition(Level.WARN, "the service toggle has switched processing off")
        if self.steady_now < self._warn_until:
            dropped = self._estimator.filter.dropped
            source, reason = max(dropped, key=dropped.__getitem__)
            return Condition(Level.WARN, f"messages dropped, most so far: {source}: {reason}")
        quiet = self._quiet_inputs()
        if quiet:
            return Condition(Level.WARN, "; ".join(quiet))
        return Condition(Level.OK, "estimating")

    def figures(self) -> dict[str, object]:
        """Count messages by input and reason, and say how consistent the innovations are."""
        estimator = self._estimator
        values: dict[str, object] = {"published": self._published}
        for name, state in estimator.states.items():
            values[f"{name} received"] = state.received
        for (name, reason), count in sorted(estimator.filter.dropped.items()):
            values[f"{name} dropped: {reason}"] = count
        for name, statistics in sorted(estimator.filter.consistency.items()):
            low, high = statistics.bounds()
            values[f"{name} NIS/dof"] = f"{statistics.ratio:.3f} ({low:.3f} to {high:.3f})"
        for reason, count in estimator.filter.resets.items():
            values[f"resets: {reason}"] = count
        for i, warning in enumerate(estimator.warnings):
            values[f"warning {i}"] = warning
        values |= estimator.stamp_problems
        estimator.stamp_problems.clear()
        return values

    def _receive(self, name: str, message: Any) -> None:
        now = self.now
        if self._log is not None:
            kind = INPUT_TYPES[input_kind(name)]
            self._log.message(now, name, kind, serialize_message(message))
        self._estimator.receive(name, message, now)

    def _command(self, message: Any) -> None:
        now = self.now
        if self._log is not None:
            kind = f"geometry_msgs/msg/{type(message).__name__}"
            self._log.message(now, "cmd_vel", kind, serialize_message(message))
        self._estimator.command(message, now)

    def _set_pose(self, message: Any) -> None:
        now = self.now
        if self._log is not None:
            kind = "geometry_msgs/msg/PoseWithCovarianceStamped"
            self._log.message(now, "set_pose", kind, serialize_message(message))
        problem = self._estimator.set_pose(message, now)
        if problem:
            self.get_logger().warning(f"set_pose refused: {problem}")
        else:
            self.get_logger().info("going on from set_pose")

    def _reset(self, _: Any, response: Any) -> Any:
        self._note("reset")
        self._estimator.reset()
        self.get_logger().info("starting over: the service reset was called")
        return response

    def _enable(self, _: Any, response: Any) -> Any:
        self._note("enable")
        self._estimator.enable()
        return response

    def _toggle(self, request: Any, response: Any) -> Any:
        self._note("toggle", request.data)
        response.success = self._estimator.toggle(on=request.data)
        state = "on" if request.data else "off"
        response.message = f"processing is {'now' if response.success else 'already'} {state}"
        return response

    def _note(self, what: str, argument: Any = None) -> None:
        if self._log is not None:
            self._log.call(self.now, what, argument)

    def _tick(self) -> None:
        now, estimator = self.now, self._estimator
        if self._log is not None:
            self._log.call(now, "tick")
        found = estimator.to_publish(now)
        if found is not None:
            self._publish(found, now)
        self._watch(now)
        self.report()

    def _watch(self, now: int) -> None:
        """Notice what /diagnostics and the log should say."""
        estimator = self._estimator
        reasons = estimator.held_back(now)
        if not estimator.enabled:
            reasons = ["disabled_at_startup: call the service enable"]
        elif estimator.filter.estimate is None and not reasons:
            reasons = [self._why_none()]
        self._held_back = "; ".join(reasons)
        drops = estimator.filter.dropped.total()
        if drops != self._drops:
            self._drops, self._warn_until = drops, self.steady_now + _WARNING_TIME
            for source, reason in estimator.filter.dropped:
                topic = estimator.topics.get(source, source)
                self._tell(f"{source} ({topic}): message dropped: {reason}")
        resets = estimator.filter.resets.total()
        if resets != self._resets:
            self._resets = resets
            reason = max(estimator.filter.resets, key=estimator.filter.resets.__getitem__)
            self.get_logger().error(f"starting over: {reason}")
        if estimator.time_jumps != self._jumps:
            self._jumps = estimator.time_jumps
            self.get_logger().warning("the clock jumped back: starting over")
        for warning in estimator.warnings:
            self._tell(warning)

    def _tell(self, warning: str) -> None:
        if warning not in self._told:
            self._told.add(warning)
            self.get_logger().warning(warning)

    def _why_none(self) -> str:
        estimator = self._estimator
        for name, state in estimator.states.items():
            if state.last_problem:
                return f"{name} ({estimator.topics[name]}): {state.last_problem}"
        return "; ".join(self._quiet_inputs()) or "no message yet"

    def _quiet_inputs(self) -> list[str]:
        """Return what to say of each input that has not sent a message yet."""
        quiet = []
        for name, topic in self._estimator.topics.items():
            if self._estimator.states[name].received == 0:
                senders = self.count_publishers(topic)
                why = "nobody publishes it" if senders == 0 else "no message yet"
                quiet.append(f"{name} ({topic}): {why}")
        return quiet

    def _publish(self, odometry: Estimated, now: int) -> None:
        estimator = self._estimator
        message = to_odometry(odometry, estimator.world_frame, estimator.child_frame)
        self._publisher.publish(message)
        self._published += 1
        if self._log is not None:
            self._log.published(now, serialize_message(message))
        if self._acceleration is not None and estimator.filter.estimate is not None:
            acceleration = estimator.acceleration(estimator.filter.estimate)
            self._acceleration.publish(to_acceleration(acceleration, estimator.child_frame))
        if self._transforms.broadcasts:
            self._broadcast(odometry)

    def _broadcast(self, odometry: Estimated) -> None:
        """Send world -> base_link, or, where the world is the map, map -> odom."""
        estimator, values = self._estimator, self._values
        parent, child = estimator.world_frame, estimator.child_frame
        pose = Transform(odometry.position, odometry.quaternion)
        if parent == values["map_frame"] != values["odom_frame"]:
            child = values["odom_frame"]
            try:
                pose @= self._transforms.lookup(estimator.base_frame, child)
            except UnknownFrameError as error:
                self._tell(f"map -> odom not sent: {error}")
                return
        message = TransformStamped(child_frame_id=child)
        message.header.frame_id = parent
        offset = round(values["transform_time_offset"] * 1e9)
        message.header.stamp = to_time(odometry.stamp + offset)
        message.transform.translation = to_vector(pose.translation)
        message.transform.rotation = to_quaternion(pose.quaternion)
        self._transforms.broadcast(message)


def main() -> None:
    """Run the node."""
    sys.exit(spin(EkfNode))


if __name__ == "__main__":
    main()
