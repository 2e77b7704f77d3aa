"""Messages in, estimates out: what ekf_node and the offline replay share. No rclpy here.

Everything that happens to an `Estimator` is a call of one of its methods with the time at which it
happens; the same calls in the same order give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.estimation.filter import Filter, Observer
from ebm_mpc_ros.estimation.frames import UnknownFrameError, bare
from ebm_mpc_ros.estimation.time import nanoseconds, seconds
from ebm_mpc_ros.ros.conversion import stamp_of
from ebm_mpc_ros.ros.estimate_output import Acceleration, EstimateOutput, Odometry, Samples
from ebm_mpc_ros.ros.estimator_parameters import estimator_parameters
from ebm_mpc_ros.ros.estimator_settings import (
    estimated_model,
    filter_settings,
    setting_warnings,
    static_transforms,
)
from ebm_mpc_ros.ros.frame_lookup import Frames, Lookup
from ebm_mpc_ros.ros.inputs import Input, NavSatInput
from ebm_mpc_ros.ros.intake import Intake
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.set_pose import placed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ebm_mpc_ros.estimation.frames import StaticTransforms
    from ebm_mpc_ros.estimation.history import Estimate
    from ebm_mpc_ros.ros.input_state import InputState

_STEP_BACK = nanoseconds(0.5)


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
        self.values = values
        self.model = estimated_model(values)
        self.filter = Filter(filter_settings(values, self.model), observer)
        self.transforms: StaticTransforms = static_transforms(values["static_transforms"])
        self.world_frame = bare(values["world_frame"] or values["odom_frame"])
        self.base_frame = bare(values["base_link_frame"])
        self.child_frame = bare(values["base_link_frame_output"] or self.base_frame)
        self.enabled = not values["disabled_at_startup"]
        self.processing = True
        self.time_jumps = 0
        self.published: Estimate | None = None
        """The estimate that `to_publish` last returned."""
        self._frames = Frames(self.world_frame, self.base_frame, self.transforms, lookup)
        self._intake = Intake(values, self.filter, self._frames)
        self._output = EstimateOutput(self.model)
        self._warnings = setting_warnings(values)
        self._started: int | None = None
        self._last_time = 0

    @classmethod
    def from_parameters(
        cls,
        given: Mapping[str, Any],
        observer: Observer | None = None,
        lookup: Lookup | None = None,
    ) -> tuple[Estimator, list[str]]:
        """Return an estimator for given parameters, and the names among them that it doesn't know.

        Raises:
            UserError: A value is not allowed.
        """
        values, unknown = read(estimator_parameters(given), given)
        return cls(values, lookup, observer), unknown

    @property
    def inputs(self) -> Mapping[str, Input]:
        """The inputs by name, such as odom0."""
        return self._intake.inputs

    @property
    def states(self) -> Mapping[str, InputState]:
        """What each input has received."""
        return self._intake.states

    @property
    def stamp_problems(self) -> dict[str, str]:
        """What was wrong with stamps, by robot_localization's keys; the reader clears it."""
        return self._intake.stamp_problems

    @property
    def topics(self) -> dict[str, str]:
        """The topic of each input."""
        return {name: str(self.values[name]) for name in self.inputs}

    @property
    def stamped_commands(self) -> bool:
        """Whether cmd_vel is a TwistStamped; else it is a Twist."""
        own = bool(self.model.input_names)
        return bool(self.values["enable_stamped_cmd_vel" if own else "stamped_control"])

    @property
    def warnings(self) -> list[str]:
        """What a user should know although it works."""
        return self._warnings + [
            f"{name} ({self.values[name]}): {source.warning}"
            for name, source in self.inputs.items()
            if isinstance(source, NavSatInput) and source.warning
        ]

    def change(self, values: Mapping[str, Any]) -> Callable[[], None]:
        """Check other values of the parameters that may change; what is returned applies them.

        An input whose parameters stay goes on as it is; another one starts over.

        Raises:
            UserError: A value is not allowed.
        """
        settings, inputs = filter_settings(values, self.model), self._intake.made(values)
        warnings = setting_warnings(values)

        def apply() -> None:
            self.filter.change(settings)
            self._intake.take(values, inputs)
            self.values, self._warnings = values, warnings

        return apply

    def receive(self, name: str, message: Any, now: int) -> None:
        """Queue what the message of input `name` measures; `now` (ns) is its time of arrival."""
        self._pass_time(now)
        if self.enabled and name in self.inputs:
            self._intake.receive(name, message, now)

    def command(self, message: Any, now: int) -> None:
        """Note a cmd_vel that arrived at `now` (ns): a TwistStamped, or a Twist without stamp."""
        self._pass_time(now)
        stamped = hasattr(message, "twist")
        twist = message.twist if stamped else message
        if stamped and bare(message.header.frame_id) not in ("", self.base_frame):
            self.filter.dropped["cmd_vel", f"not in {self.base_frame}"] += 1
            return
        stamp = (stamp_of(message) if stamped else 0) or now
        linear, angular = twist.linear, twist.angular
        command = (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)
        if self.filter.command(stamp, command, now):
            self._intake.note_command(stamp, command)

    def advance(self, now: int) -> Estimate | None:
        """Fuse what is due at `now` (ns); None before the first measurement."""
        self._pass_time(now)
        if not self.enabled:
            return None
        if self._started is None:
            self._started = now
        self._intake.try_again(now)
        if not self.processing:
            self.filter.hold(now)
        return self.filter.advance(now)

    def to_publish(self, now: int) -> Odometry | None:
        """Advance to `now` (ns) and return the estimate if it is to be published."""
        estimate = self.advance(now)
        if estimate is None or self.held_back(now):
            return None
        again = self.published is not None and estimate.stamp <= self.published.stamp
        if again and not self.values["permit_corrected_publication"]:
            return None
        self.published = estimate
        return self._output.odometry(estimate)

    def reset(self) -> None:
        """Start over."""
        self._start_over()

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
        self._pass_time(now)
        try:
            stamp, belief = placed(self.filter, self._frames, message, now)
        except (UnknownFrameError, ValueError) as error:
            self.filter.dropped["set_pose", str(error)] += 1
            return str(error)
        self._intake.forget()
        self._output.reset()
        self.filter.restart(now, belief, not_before=stamp)
        self.published = None
        return ""

    def held_back(self, now: int) -> list[str]:
        """Return why the estimate is not to be used at `now` (ns); empty where it is.

        That is each silent input, and each gyro whose bias is still being measured while the
        robot stands; once it moves there is no waiting for that.
        """
        return self.silent_inputs(now) + [
            f"{name} ({self.values[name]}): measuring its gyro's bias at rest"
            for name in self._intake.measuring_bias
        ]

    def silent_inputs(self, now: int) -> list[str]:
        """Return what to say of each input without a usable message for input_timeout."""
        limit = self.values["input_timeout"]
        if not limit or self._started is None:
            return []
        silent = []
        for name in self.inputs:
            state = self.states[name]
            since = self._started if state.last_usable is None else state.last_usable
            if seconds(now - since) > limit:
                what = "silent" if state.received else "no message yet"
                if state.last_problem:
                    what = f"nothing usable ({state.last_problem})"
                silent.append(f"{name} ({self.values[name]}): {what} for more than {limit:g} s")
        return silent

    def odometry(self, estimate: Estimate) -> Odometry:
        """Return the estimate in the terms of nav_msgs/Odometry; coordinates not held are 0."""
        return self._output.odometry(estimate)

    def acceleration(self, estimate: Estimate) -> Acceleration:
        """Return the estimate's acceleration, the angular one since the last time it was asked."""
        return self._output.acceleration(estimate)

    def samples(self, estimate: Estimate) -> Samples | None:
        """Return the particles that are to be shown, if the estimate is made of any."""
        most = self.values["samples_shown"]
        return self._output.samples(estimate, most) if most else None

    def _pass_time(self, now: int) -> None:
        """Start over where the clock has jumped back."""
        if now < self._last_time - _STEP_BACK and self.values["reset_on_time_jump"]:
            self.time_jumps += 1
            self._start_over()
        self._last_time = now

    def _start_over(self) -> None:
        self.filter.reset()
        self._intake.start_over()
        self._output.reset()
        self._started = self.published = None
