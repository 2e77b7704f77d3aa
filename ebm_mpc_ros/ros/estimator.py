"""Messages in, estimates out: what ekf_node and the offline replay share. No rclpy here.

Everything that happens to an `Estimator` is a call of one of its methods with the time at which it
happens; the same calls in the same order give the same bits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation import sensors
from ebm_mpc_ros.estimation.ekf import Belief
from ebm_mpc_ros.estimation.filter import Filter, Observer
from ebm_mpc_ros.estimation.frames import (
    IDENTITY,
    StaticTransforms,
    Transform,
    UnknownFrameError,
    bare,
)
from ebm_mpc_ros.estimation.poses import PosePart
from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector
from ebm_mpc_ros.estimation.time import nanoseconds, seconds
from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.conversion import quaternion, square, stamp_of, vector
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters, input_kind
from ebm_mpc_ros.ros.estimator_settings import (
    datum,
    estimated_model,
    filter_settings,
    idle_inputs,
    input_names,
    sensor_settings,
    static_transforms,
)
from ebm_mpc_ros.ros.inputs import (
    Frames,
    ImuInput,
    Input,
    NavSatInput,
    OdomInput,
    PoseInput,
    TwistInput,
)
from ebm_mpc_ros.ros.parameters import read

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.history import Estimate

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Lookup = Callable[[str, str, int], Transform]

_STATES = len(CANONICAL_STATES)
_ABSENT_VARIANCE = 1e-6
_STEP_BACK = nanoseconds(0.5)
_MOST_WAITING = 100
_REMEMBERED_STAMPS = 64


class Odometry(NamedTuple):
    """An estimate as nav_msgs/Odometry has it: stamp (ns), pose in the world, twist in the body."""

    stamp: int
    position: Vector
    quaternion: Vector
    pose_covariance: Matrix
    linear: Vector
    angular: Vector
    twist_covariance: Matrix


class Acceleration(NamedTuple):
    """An estimate as geometry_msgs/AccelWithCovarianceStamped has it, in the body."""

    stamp: int
    linear: Vector
    angular: Vector
    covariance: Matrix


@dataclass(slots=True)
class InputState:
    """What an input has sent so far."""

    received: int = 0
    last_usable: int | None = None
    last_problem: str = ""
    stamps: deque[int] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_STAMPS))


class Estimator:
    """A `Filter` behind ROS messages: masks, frames and covariances as the parameters say.

    A message that can't be used is dropped and counted in `filter.dropped`, by input and reason.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        lookup: Lookup | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Take the values of `estimator_parameters` and, where tf2 is there, its lookup.

        Raises:
            UserError: A value is not allowed, or no input is configured.
        """
        self.model = estimated_model(values)
        self.filter = Filter(filter_settings(values, self.model), observer)
        self.transforms: StaticTransforms = static_transforms(values["static_transforms"])
        self.world_frame = bare(values["world_frame"] or values["odom_frame"])
        self.base_frame = bare(values["base_link_frame"])
        self.child_frame = bare(values["base_link_frame_output"] or self.base_frame)
        self.enabled = not values["disabled_at_startup"]
        self.processing = True
        self.time_jumps = 0
        self.stamp_problems: dict[str, str] = {}
        """What was wrong with stamps, by robot_localization's keys; the reader clears it."""
        self._lookup = lookup
        self._frames = Frames(self.world_frame, self.base_frame, self._transform)
        self._started: int | None = None
        self._last_time = 0
        self._rest = RestDetector()
        self._datum = [place] if (place := datum(values["datum"])) else []
        self._waiting: deque[tuple[int, str, Any, int]] = deque(maxlen=_MOST_WAITING)
        self._published: int | None = None
        self._last_rates: tuple[int, Vector] | None = None
        # Where each output lies among the canonical fifteen.
        self._index = [
            CANONICAL_STATES.index(name)
            for name in self.model.output_names
            if name in CANONICAL_STATES
        ]
        self._biases: dict[str, GyroBias] = {}
        self.values: Mapping[str, Any] = {}
        self.inputs: dict[str, Input] = {}
        self._take(values)
        self.states = {name: InputState() for name in self.inputs}

    @classmethod
    def from_parameters(
        cls, given: Mapping[str, Any], observer: Observer | None = None
    ) -> tuple[Estimator, list[str]]:
        """Return an estimator for given parameters, and the names among them that it doesn't know.

        Raises:
            UserError: A value is not allowed.
        """
        values, unknown = read(estimator_parameters(given), given)
        return cls(values, observer=observer), unknown

    @property
    def topics(self) -> dict[str, str]:
        """The topic of each input."""
        return {name: str(self.values[name]) for name in self.inputs}

    @property
    def warnings(self) -> list[str]:
        """What a user should know although it works."""
        found = idle_inputs(self.values)
        for name, source in self.inputs.items():
            if isinstance(source, NavSatInput) and source.warning:
                found.append(f"{name} ({self.values[name]}): {source.warning}")
        return found

    def change(self, values: Mapping[str, Any]) -> Callable[[], None]:
        """Check other values of the parameters that may change; what is returned applies them.

        Raises:
            UserError: A value is not allowed.
        """
        settings = filter_settings(values, self.model)
        if not input_names(values):
            raise UserError("no input would be left: a _config must select something")

        def apply() -> None:
            self.filter.change(settings)
            self._take(values)
            for name in self.inputs:
                self.states.setdefault(name, InputState())

        return apply

    def receive(self, name: str, message: Any, now: int) -> None:
        """Queue what the message of input `name` measures; `now` (ns) is its time of arrival."""
        if not self.enabled or name not in self.inputs:
            return
        self.states[name].received += 1
        self._receive(name, message, now, waits_until=now + self._transform_timeout)

    def command(self, message: Any, now: int) -> None:
        """Note a cmd_vel that arrived at `now` (ns): a TwistStamped, or a Twist without stamp."""
        stamped = hasattr(message, "twist")
        twist = message.twist if stamped else message
        if stamped and bare(message.header.frame_id) not in ("", self.base_frame):
            self.filter.dropped["cmd_vel", f"not in {self.base_frame}"] += 1
            return
        stamp = (stamp_of(message) if stamped else 0) or now
        linear, angular = twist.linear, twist.angular
        command = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        if self.filter.command(stamp, command, now):
            self._rest.note(stamp, *command)

    def advance(self, now: int) -> Estimate | None:
        """Fuse what is due at `now` (ns); None before the first measurement."""
        if now < self._last_time - _STEP_BACK and self.values["reset_on_time_jump"]:
            self.time_jumps += 1
            self.reset()
        self._last_time = now
        if not self.enabled:
            return None
        if self._started is None:
            self._started = now
        for _ in range(len(self._waiting)):
            deadline, name, message, arrived = self._waiting.popleft()
            self._receive(name, message, arrived, waits_until=deadline if now < deadline else 0)
        if not self.processing:
            self.filter.hold(now)
        return self.filter.advance(now)

    def to_publish(self, now: int) -> Odometry | None:
        """Advance to `now` (ns) and return the estimate if it is to be published."""
        estimate = self.advance(now)
        if estimate is None or self.held_back(now):
            return None
        again = self._published is not None and estimate.stamp <= self._published
        if again and not self.values["permit_corrected_publication"]:
            return None
        self._published = estimate.stamp
        return self.odometry(estimate)

    def reset(self) -> None:
        """Start over."""
        self.filter.reset()
        self._rest = RestDetector()
        self._started = self._published = self._last_rates = None
        self._waiting.clear()
        for source in self.inputs.values():
            source.reset()
        self.states = {name: InputState() for name in self.inputs}

    def enable(self) -> None:
        """Begin, where disabled_at_startup."""
        self.enabled = True

    def toggle(self, *, on: bool) -> bool:
        """Process measurements, or hold the estimate as it is; returns whether that is a change."""
        changed, self.processing = self.processing != on, on
        return changed

    def set_pose(self, message: Any, now: int) -> str:
        """Go on from the pose of a PoseWithCovarianceStamped, at rest; messages before it are old.

        Returns:
            Why it can't be used, and nothing where it was.
        """
        everything = (True,) * 6 + (False,) * 9
        sensor = sensors.SensorSettings(
            name="set_pose",
            model=self.model,
            mask=everything,
            default_variance=np.full(_STATES, _ABSENT_VARIANCE),
        )
        try:
            found = PosePart(sensor).measurement(
                stamp_of(message),
                vector(message.pose.pose.position),
                quaternion(message.pose.pose.orientation),
                square(message.pose.covariance, 6),
                self._transform(self.world_frame, message.header.frame_id, stamp_of(message)),
            )
        except (UnknownFrameError, ValueError) as error:
            self.filter.dropped["set_pose", str(error)] += 1
            return str(error)
        if found is None:
            return "the model has no pose"
        outputs = np.zeros(len(self.model.output_names))
        outputs[list(found.rows)] = found.values
        names = self.model.state_names
        P = np.eye(len(names)) * _ABSENT_VARIANCE
        rows = [names.index(self.model.output_names[row]) for row in found.rows]
        P[np.ix_(rows, rows)] = found.covariance
        self._waiting.clear()
        for source in self.inputs.values():
            source.reset()
        belief = Belief(np.asarray(self.model.state(outputs)), P)
        self.filter.restart(now, belief, not_before=found.stamp)
        self._published = None
        return ""

    def held_back(self, now: int) -> list[str]:
        """Return why the estimate is not to be used at `now` (ns); empty where it is.

        That is each silent input, and each gyro whose bias is still being measured while the
        robot stands; once it moves there is no waiting for that.
        """
        measuring = [
            f"{name} ({self.topics[name]}): measuring its gyro's bias at rest"
            for name, bias in self._biases.items()
            if not (bias.known or self._rest.moving)
        ]
        return self.silent_inputs(now) + measuring

    def silent_inputs(self, now: int) -> list[str]:
        """Return what to say of each input without a usable message for input_timeout."""
        limit = self.values["input_timeout"]
        if not limit or self._started is None:
            return []
        silent = []
        for name in self.inputs:
            state = self.states[name]
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
        values, covariance = self._canonical(estimate)
        attitude = np.asarray(rotation.from_rpy(*values[3:6]))
        return Odometry(
            estimate.stamp,
            values[:3],
            attitude,
            covariance[:6, :6],
            values[6:9],
            values[9:12],
            covariance[6:12, 6:12],
        )

    def acceleration(self, estimate: Estimate) -> Acceleration:
        """Return the estimate's acceleration, the angular one since the last time it was asked."""
        values, P = self._canonical(estimate)
        rates, angular = values[9:12], np.zeros(3)
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = P[12:15, 12:15]
        if self._last_rates is not None and estimate.stamp > self._last_rates[0]:
            dt = seconds(estimate.stamp - self._last_rates[0])
            angular = (rates - self._last_rates[1]) / dt
            covariance[3:, 3:] = 2.0 * P[9:12, 9:12] / dt**2
        self._last_rates = estimate.stamp, rates
        return Acceleration(estimate.stamp, values[12:15], angular, covariance)

    def _take(self, values: Mapping[str, Any]) -> None:
        """Build the inputs from the values."""
        self.values = values
        self._transform_timeout = nanoseconds(values["transform_timeout"])
        self.inputs = {name: self._input(name) for name in input_names(values)}
        if not self.inputs:
            idle = "; ".join(idle_inputs(values))
            raise UserError(
                f"no input: {idle or 'set odom0 or imu0 to a topic and its _config to a mask'}"
            )

    def _input(self, name: str) -> Input:
        sensor = sensor_settings(self.values, name, self.model)
        kind = input_kind(name)
        if kind == "odom":
            use_child = self.values[f"{name}_pose_use_child_frame"]
            return OdomInput(sensor, self._frames, self._rest_detector, use_child=use_child)
        if kind == "pose":
            return PoseInput(sensor, self._frames)
        if kind == "twist":
            return TwistInput(sensor, self._frames, self._rest_detector)
        if kind == "navsat":
            return NavSatInput(sensor, self._frames, self._datum)
        if self.values[f"{name}_calibrate_at_rest"]:
            self._biases.setdefault(name, GyroBias())
        return ImuInput(sensor, self._frames, self._rest_detector, self._biases.get(name))

    def _rest_detector(self) -> RestDetector:
        return self._rest

    def _receive(self, name: str, message: Any, now: int, *, waits_until: int) -> None:
        state, source = self.states[name], self.inputs[name]
        try:
            stamp = self._usable_stamp(name, message, now)
            found = [m for m in source.measurements(stamp, message) if m is not None]
        except UnknownFrameError as error:
            if waits_until > now:
                self._waiting.append((waits_until, name, message, now))
                return
            self._drop(name, str(error))
            return
        except ValueError as error:
            self._drop(name, str(error))
            return
        if self.values["two_d_mode"] and found:
            found.append(sensors.planar_constraint(self.model, stamp))
        for measurement in found:
            self.filter.put(measurement)
        state.stamps.append(stamp)
        state.last_usable, state.last_problem = stamp, ""

    def _usable_stamp(self, name: str, message: Any, now: int) -> int:
        """Return the message's stamp (ns).

        Raises:
            BadMeasurementError: It is none, out of range, repeated or out of order.
        """
        state, stamp = self.states[name], stamp_of(message)
        problem = self.filter.stamp_problem(stamp, now) if stamp else "stamp is 0"
        parts: tuple[str, ...] = ("",)
        if not problem and state.stamps:
            if stamp in state.stamps:
                problem = "stamp repeated"
            elif stamp < state.stamps[-1] and not self._takes_late(name):
                problem = "stamp before the previous message's"
                parts = tuple(self.inputs[name].parts)
        if problem:
            for part in parts:
                key = f"{name}_{part}_timestamp" if part else f"{name}_timestamp"
                self.stamp_problems[key] = f"{problem}: {seconds(stamp):.9f}"
            raise sensors.BadMeasurementError(problem)
        return stamp

    def _takes_late(self, name: str) -> bool:
        """Return whether a message may be older than the one before it."""
        in_order = self.values.get(f"{name}_differential") or self.values.get(f"{name}_relative")
        return bool(self.filter.settings.history) and not in_order

    def _drop(self, name: str, reason: str) -> None:
        self.filter.dropped[name, reason] += 1
        self.states[name].last_problem = reason

    def _transform(self, target: str, source: str, stamp: int) -> Transform:
        source = bare(source) or target
        if source == target:
            return IDENTITY
        try:
            return self.transforms.lookup(target, source)
        except UnknownFrameError:
            if self._lookup is None:
                raise
            return self._lookup(target, source, stamp)

    def _canonical(self, estimate: Estimate) -> tuple[Vector, Matrix]:
        """Return the fifteen values and their covariance; what the model lacks is 0."""
        x, P = estimate.belief
        values, covariance = np.zeros(_STATES), np.diag(np.full(_STATES, _ABSENT_VARIANCE))
        k = len(self._index)
        values[self._index] = self.model.h(x)[:k]
        covariance[np.ix_(self._index, self._index)] = self.model.spread(x, P)[:k, :k]
        return values, covariance
