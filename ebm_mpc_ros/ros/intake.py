"""Messages of the inputs into the filter's queue, or into its count of what was dropped."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import UnknownFrameError
from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector
from ebm_mpc_ros.estimation.sensors import planar_constraint
from ebm_mpc_ros.estimation.time import nanoseconds, seconds
from ebm_mpc_ros.ros.conversion import stamp_of
from ebm_mpc_ros.ros.estimator_parameters import input_kind
from ebm_mpc_ros.ros.estimator_settings import (
    datum,
    holds_plane,
    idle_inputs,
    input_names,
    sensor_settings,
)
from ebm_mpc_ros.ros.input_state import InputState
from ebm_mpc_ros.ros.inputs import ImuInput, Input, NavSatInput, OdomInput, PoseInput, TwistInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ebm_mpc_ros.estimation.filter import Filter
    from ebm_mpc_ros.ros.frame_lookup import Frames

_MOST_WAITING = 100


class _Waiting(NamedTuple):
    """A message that waits for a transform until `deadline`; it came at `arrival` (ns)."""

    deadline: int
    arrival: int
    message: Any


class Intake:
    """Checks stamps, waits for transforms, and hands over what messages measure.

    Attributes:
        inputs: What makes measurements of messages, by name.
        states: What each of them has received.
        stamp_problems: What was wrong with stamps, by robot_localization's keys; the reader
            clears it.
    """

    def __init__(self, values: Mapping[str, Any], filter_: Filter, frames: Frames) -> None:
        """Make the inputs of the parameter values.

        Raises:
            UserError: A value is not allowed, or there is no input.
        """
        self.inputs: dict[str, Input] = {}
        self.states: dict[str, InputState] = {}
        self.stamp_problems: dict[str, str] = {}
        self._values = values
        self._filter, self._frames = filter_, frames
        self._model = filter_.settings.model
        self._holds_plane = holds_plane(values, self._model)
        self._rest = RestDetector()
        self._biases: dict[str, GyroBias] = {}
        self._datum = [place] if (place := datum(values["datum"])) else []
        self._waiting: dict[str, deque[_Waiting]] = {}
        self.take(values, self.made(values))

    @property
    def measuring_bias(self) -> list[str]:
        """The inputs whose gyro is being measured while the robot stands."""
        if self._rest.moving:
            return []
        return [
            name
            for name, source in self.inputs.items()
            if isinstance(source, ImuInput) and source.measures_bias
        ]

    def made(self, values: Mapping[str, Any]) -> dict[str, Input]:
        """Return the inputs of other values; those whose parameters stay are the same.

        Raises:
            UserError: There would be none.
        """
        changed = [name for name in values if values[name] != self._values[name]]
        inputs = {}
        for name in input_names(values):
            stays = not any(key.startswith((f"{name}_", "gravitational")) for key in changed)
            former = self.inputs.get(name)
            if former is not None and stays:
                inputs[name] = former
                continue
            inputs[name] = self._input(values, name)
            if former is not None:
                inputs[name].follow(former)
        if not inputs:
            idle = "; ".join(idle_inputs(values))
            raise UserError(
                f"no input: {idle or 'set odom0 or imu0 to a topic and its _config to a mask'}"
            )
        return inputs

    def take(self, values: Mapping[str, Any], inputs: dict[str, Input]) -> None:
        """Put values and the inputs made for them in force."""
        self._values, self.inputs = values, inputs
        self._patience = nanoseconds(values["transform_timeout"])
        smoothing = bool(self._filter.settings.history)
        # Differences, and poses seen from the first, need their order.
        self._takes_late = {
            name: smoothing
            and not (values.get(f"{name}_differential") or values.get(f"{name}_relative"))
            for name in inputs
        }
        self._waiting = {name: queue for name, queue in self._waiting.items() if name in inputs}
        for name in inputs:
            self.states.setdefault(name, InputState())

    def receive(self, name: str, message: Any, now: int) -> None:
        """Take the message of an input, which arrived at `now` (ns)."""
        self.states[name].received += 1
        waiting = self._waiting.get(name)
        if not waiting and self._use(name, message, now, patient=self._patience > 0):
            return
        if waiting is None:
            waiting = self._waiting[name] = deque()
        if len(waiting) == _MOST_WAITING:
            _, arrival, oldest = waiting.popleft()
            self._use(name, oldest, arrival, patient=False)
        waiting.append(_Waiting(now + self._patience, now, message))

    def try_again(self, now: int) -> None:
        """Look whether transforms have come, or have been waited for long enough at `now` (ns)."""
        for name, waiting in self._waiting.items():
            while waiting:
                deadline, arrival, message = waiting[0]
                if not self._use(name, message, arrival, patient=now < deadline):
                    break
                waiting.popleft()

    def note_command(self, stamp: int, command: Sequence[float]) -> None:
        """Note a velocity (m/s, rad/s) that the robot was told at `stamp` (ns)."""
        self._rest.note(stamp, *command)

    def forget(self) -> None:
        """Forget what links coming messages to former ones, but for their stamps."""
        self._waiting.clear()
        for source in self.inputs.values():
            source.reset()

    def start_over(self) -> None:
        """Forget all messages; what is known of gyros, and the datum, stay."""
        self.forget()
        self._rest = RestDetector()
        self.states = {name: InputState() for name in self.inputs}

    def _use(self, name: str, message: Any, arrival: int, *, patient: bool) -> bool:
        """Use a message, or drop it; returns False where it had better wait for a transform."""
        state, stamp = self.states[name], stamp_of(message)
        problem = self._stamp_problem(name, stamp, arrival)
        if problem:
            self._filter.dropped[name, problem] += 1
            state.last_problem = problem
            return True
        self._frames.patient = patient
        try:
            found, problems = self.inputs[name].measurements(stamp, message)
        except UnknownFrameError as error:
            state.last_problem = str(error)
            return False
        state.note(stamp, problems[0] if problems and not found else "")
        for problem in problems:
            self._filter.dropped[name, problem] += 1
        if self._holds_plane and found:
            found.append(planar_constraint(self._model, stamp))
        for measurement in found:
            self._filter.put(measurement)
        return True

    def _stamp_problem(self, name: str, stamp: int, arrival: int) -> str:
        """Return why a message of that stamp can't be used, after a note of it."""
        parts: Sequence[str] = ("",)
        problem = self._filter.stamp_problem(stamp, arrival) if stamp else "stamp is 0"
        if not problem:
            problem = self.states[name].stamp_problem(stamp, late=self._takes_late[name])
            if not problem:
                return ""
            parts = self.inputs[name].parts
        for part in parts:
            key = f"{name}_{part}_timestamp" if part else f"{name}_timestamp"
            self.stamp_problems[key] = f"{problem}: {seconds(stamp):.9f}"
        return problem

    def _input(self, values: Mapping[str, Any], name: str) -> Input:
        sensor, frames = sensor_settings(values, name, self._model), self._frames
        kind = input_kind(name)
        if kind == "odom":
            use_child = values[f"{name}_pose_use_child_frame"]
            return OdomInput(sensor, frames, self._rest_detector, use_child=use_child)
        if kind == "pose":
            return PoseInput(sensor, frames)
        if kind == "twist":
            return TwistInput(sensor, frames, self._rest_detector)
        if kind == "navsat":
            return NavSatInput(sensor, frames, self._datum)
        calibration = None
        if values[f"{name}_calibrate_at_rest"]:
            calibration = self._biases.setdefault(name, GyroBias())
        return ImuInput(sensor, frames, self._rest_detector, calibration)

    def _rest_detector(self) -> RestDetector:
        return self._rest
