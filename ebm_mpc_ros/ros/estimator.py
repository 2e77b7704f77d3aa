"""Messages in, estimates out: what ekf_node and the offline replay share. No rclpy here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation import sensors
from ebm_mpc_ros.estimation.filter import Estimate, Filter
from ebm_mpc_ros.estimation.frames import (
    IDENTITY,
    StaticTransforms,
    Transform,
    UnknownFrameError,
    bare,
)
from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector
from ebm_mpc_ros.estimation.time import seconds
from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.conversion import quaternion, square, stamp_of, vector
from ebm_mpc_ros.ros.estimator_parameters import (
    estimator_parameters,
    filter_settings,
    input_names,
    sensor_settings,
    static_transforms,
)
from ebm_mpc_ros.ros.parameters import read

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Measurement

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Lookup = Callable[[str, str], Transform]

_ABSENT_VARIANCE = 1e-6
_NO_DATA = -1.0


class Odometry(NamedTuple):
    """An estimate as nav_msgs/Odometry has it: stamp (ns), pose in the world, twist in the body."""

    stamp: int
    position: Vector
    quaternion: Vector
    pose_covariance: Matrix
    linear: Vector
    angular: Vector
    twist_covariance: Matrix


@dataclass(slots=True)
class InputState:
    """What an input has sent so far."""

    received: int = 0
    last_usable: int | None = None
    last_problem: str = ""


class Estimator:
    """A `Filter` behind ROS messages: masks, frames and covariances as the parameters say.

    A message that can't be used is dropped and counted in `filter.dropped`, by input and reason.
    """

    def __init__(self, values: Mapping[str, Any], lookup: Lookup | None = None) -> None:
        """Take the values of `estimator_parameters` and, where tf2 is there, its lookup.

        Raises:
            UserError: A value is not allowed, or no input is configured.
        """
        self.values = values
        self.filter = Filter(filter_settings(values))
        self.model = self.filter.settings.model
        self.transforms: StaticTransforms = static_transforms(values["static_transforms"])
        self.sensors = {
            name: sensor_settings(values, name, self.model) for name in input_names(values)
        }
        if not self.sensors:
            raise UserError("no input: set odom0 or imu0 to a topic and its _config to a mask")
        self.inputs = {name: InputState() for name in self.sensors}
        self.topics = {name: str(values[name]) for name in self.sensors}
        self.world_frame = bare(values["world_frame"] or values["odom_frame"])
        self.base_frame = bare(values["base_link_frame"])
        self._index = [CANONICAL_STATES.index(name) for name in self.model.state_names]
        self._lookup = lookup
        self._started: int | None = None
        self._rest = RestDetector()
        self._gyro_biases = {
            name: GyroBias() for name in self.sensors if values.get(f"{name}_calibrate_at_rest")
        }

    @classmethod
    def from_parameters(cls, given: Mapping[str, Any]) -> tuple[Estimator, list[str]]:
        """Return an estimator for given parameters, and the names among them that it doesn't know.

        Raises:
            UserError: A value is not allowed.
        """
        values, unknown = read(estimator_parameters(given), given)
        return cls(values), unknown

    def receive(self, name: str, message: Any, now: int) -> None:
        """Queue what the message of input `name` measures; `now` (ns) is its time of arrival."""
        state = self.inputs[name]
        state.received += 1
        try:
            for measurement in self._measurements(name, message):
                if self.filter.put(measurement, now):
                    state.last_usable, state.last_problem = measurement.stamp, ""
                else:
                    state.last_problem = "stamp out of range"
        except (UnknownFrameError, ValueError) as error:
            self._drop(name, str(error))

    def command(self, message: Any, now: int) -> None:
        """Note a cmd_vel that arrived at `now` (ns): a TwistStamped, or a Twist without stamp."""
        stamped = hasattr(message, "twist")
        twist = message.twist if stamped else message
        stamp = (stamp_of(message) if stamped else 0) or now
        if self.filter.command(stamp, twist.linear.x, twist.angular.z, now):
            self._rest.note(stamp, twist.linear.x, twist.angular.z)

    def advance(self, now: int) -> Estimate | None:
        """Fuse what is due at `now` (ns); None before the first measurement."""
        if self._started is None:
            self._started = now
        return self.filter.advance(now)

    def reset(self) -> None:
        """Start over."""
        self.filter.reset()
        self._rest = RestDetector()
        self._started = None
        for name in self.inputs:
            self.inputs[name] = InputState()

    def held_back(self, now: int) -> list[str]:
        """Return why the estimate is not to be used at `now` (ns); empty where it is.

        That is each silent input, and each gyro whose bias is still being measured while the
        robot stands; once it moves there is no waiting for that.
        """
        measuring = [
            f"{name} ({self.topics[name]}): measuring its gyro's bias at rest"
            for name, bias in self._gyro_biases.items()
            if not (bias.known or self._rest.moving)
        ]
        return self.silent_inputs(now) + measuring

    def silent_inputs(self, now: int) -> list[str]:
        """Return what to say of each input without a usable message for input_timeout."""
        limit = self.values["input_timeout"]
        if not limit or self._started is None:
            return []
        silent = []
        for name, state in self.inputs.items():
            since = self._started if state.last_usable is None else state.last_usable
            age = seconds(now - since)
            if age > limit:
                what = "silent" if state.received else "no message yet"
                if state.last_problem:
                    what = f"nothing usable ({state.last_problem})"
                silent.append(f"{name} ({self.topics[name]}): {what} for more than {limit:g} s")
        return silent

    def odometry(self, estimate: Estimate) -> Odometry:
        """Return the estimate in the terms of nav_msgs/Odometry; coordinates not held are 0."""
        values = self._canonical(self.model.coordinates(estimate.belief.state))
        covariance = np.diag(np.full(len(CANONICAL_STATES), _ABSENT_VARIANCE))
        covariance[np.ix_(self._index, self._index)] = estimate.belief.covariance
        return Odometry(
            estimate.stamp,
            values[:3],
            _attitude(values),
            covariance[:6, :6],
            values[6:9],
            values[9:12],
            covariance[6:12, 6:12],
        )

    def _canonical(self, coordinates: Vector) -> Vector:
        values = np.zeros(len(CANONICAL_STATES))
        values[self._index] = coordinates
        return values

    def _drop(self, name: str, reason: str) -> None:
        self.filter.dropped[name, reason] += 1
        self.inputs[name].last_problem = reason

    def _transform(self, target: str, source: str) -> Transform:
        source = source or target
        try:
            return self.transforms.lookup(target, source)
        except UnknownFrameError:
            if self._lookup is None:
                raise
            return self._lookup(target, source)

    def _measurements(self, name: str, message: Any) -> list[Measurement]:
        stamp = stamp_of(message)
        if stamp == 0:
            raise sensors.BadMeasurementError("stamp is 0")
        parse = self._odometry_parts if name.startswith("odom") else self._imu_parts
        return [part for part in parse(self.sensors[name], stamp, message) if part is not None]

    def _odometry_parts(
        self, sensor: sensors.SensorSettings, stamp: int, message: Any
    ) -> list[Measurement | None]:
        parts: list[Measurement | None] = []
        if sensor.selected(range(6)):
            pose = message.pose.pose
            parts.append(
                sensors.pose(
                    sensor,
                    stamp,
                    vector(pose.position),
                    quaternion(pose.orientation),
                    square(message.pose.covariance, 6),
                    self._transform(self.world_frame, message.header.frame_id),
                )
            )
        if sensor.selected(range(6, 12)):
            linear = vector(message.twist.twist.linear)
            angular = vector(message.twist.twist.angular)
            self._rest.note(stamp, *linear, *angular)
            parts.append(
                sensors.twist(
                    sensor,
                    stamp,
                    linear,
                    angular,
                    square(message.twist.covariance, 6),
                    self._transform(self.base_frame, message.child_frame_id),
                )
            )
        return parts

    def _imu_parts(
        self, sensor: sensors.SensorSettings, stamp: int, message: Any
    ) -> list[Measurement | None]:
        mounting = self._transform(self.base_frame, message.header.frame_id)
        parts: list[Measurement | None] = []
        oriented = message.orientation_covariance[0] != _NO_DATA
        if oriented:
            covariance = square(message.orientation_covariance, 3)
            attitude = quaternion(message.orientation)
            parts.append(sensors.orientation(sensor, stamp, attitude, covariance, mounting))
        if message.angular_velocity_covariance[0] != _NO_DATA:
            full = np.zeros((6, 6))
            full[3:, 3:] = square(message.angular_velocity_covariance, 3)
            rate = vector(message.angular_velocity)
            if sensor.name in self._gyro_biases:
                at_rest = self._rest.at_rest(stamp)
                rate = self._gyro_biases[sensor.name].corrected(rate, at_rest=at_rest)
            angular_only = Transform(IDENTITY.translation, mounting.quaternion)
            parts.append(sensors.twist(sensor, stamp, np.zeros(3), rate, full, angular_only))
        if message.linear_acceleration_covariance[0] != _NO_DATA and sensor.selected(range(12, 15)):
            level = IDENTITY.quaternion
            if sensor.remove_gravity:
                level = self._level(message, mounting) if oriented else self._estimated_level()
            parts.append(
                sensors.acceleration(
                    sensor,
                    stamp,
                    vector(message.linear_acceleration),
                    square(message.linear_acceleration_covariance, 3),
                    mounting,
                    level,
                )
            )
        return parts

    @staticmethod
    def _level(message: Any, mounting: Transform) -> Vector:
        """Return base_link's attitude as the IMU's orientation has it."""
        back = rotation.conjugate(mounting.quaternion)
        return np.asarray(rotation.multiply(sensors.unit(quaternion(message.orientation)), back))

    def _estimated_level(self) -> Vector:
        """Return base_link's attitude as the filter has it, before its start as configured."""
        estimate = self.filter.estimate
        if estimate is None:
            return _attitude(self._canonical(self.filter.settings.initial_state))
        return _attitude(self._canonical(self.model.coordinates(estimate.belief.state)))


def _attitude(canonical: Vector) -> Vector:
    return np.asarray(rotation.from_rpy(canonical[3], canonical[4], canonical[5]))
