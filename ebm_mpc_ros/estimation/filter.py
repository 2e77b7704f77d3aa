"""The estimator: measurements in any order in, one belief in time out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.estimation.belief import covariance_problem, saturated, start, trustworthy
from ebm_mpc_ros.estimation.commands import CommandHistory
from ebm_mpc_ros.estimation.consistency import Consistency
from ebm_mpc_ros.estimation.ekf import (
    Belief,
    Matrix,
    Measurement,
    Update,
    Vector,
)
from ebm_mpc_ros.estimation.history import Entry, Estimate, History
from ebm_mpc_ros.estimation.recursion import Extended, Recursion
from ebm_mpc_ros.estimation.time import nanoseconds, seconds
from ebm_mpc_ros.models.inputs import RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.estimation.velocity_control import VelocityControl
    from ebm_mpc_ros.models import Model

# m/s and rad/s; what no robot is told.
_FASTEST = 1e2
# s; a step of the motion model. One over a longer time is cut, at most into so many.
_LONGEST_STEP = 0.1
_MOST_STEPS = 10
# ns; of the way through a silence, ten times as long after so many.
_STRIDE = 1_000_000_000
_MOST_STRIDES = 100
# While the clock stands still nothing becomes due.
_MOST_QUEUED = 4096
_POSE = ("x", "y", "z", "roll", "pitch", "yaw")
_TWIST = ("vx", "vy", "vz", "vroll", "vpitch", "vyaw")
# Which component of a velocity command each input is the rate of change of.
_COMMANDED = {name: _TWIST.index(state) for name, state in RATES.items() if state in _TWIST}

_EKF = Extended()

Observer = Callable[[Measurement, Update], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterSettings:
    """Settings of a `Filter`.

    Attributes:
        model: The robot.
        process_noise: Q_w per second (q, q).
        initial_covariance: P before the first measurement (n, n).
        initial_state: Outputs (p,) before the first measurement.
        sensor_timeout: Predict without measurements after this long, s.
        predict_to_current_time: Predict to the time of every `advance`.
        dynamic_process_noise: Scale the noise of the pose by the speed.
        use_control: Predict with the commands' accelerations where the model takes them.
        control: How commands become accelerations in a model without inputs; None for not.
        history: Measurements up to this late are put in their place, s; 0 for none.
        future_limit: A stamp further ahead of the clock is refused, s.
        past_limit: A stamp further behind the clock is refused, s.
        recursion: How a belief is predicted and updated.
    """

    model: Model
    process_noise: Matrix
    initial_covariance: Matrix
    initial_state: Vector
    sensor_timeout: float
    predict_to_current_time: bool = False
    dynamic_process_noise: bool = False
    use_control: bool = True
    control: VelocityControl | None = None
    history: float = 0.0
    future_limit: float = 0.5
    past_limit: float = 2.0
    recursion: Recursion = _EKF

    def __post_init__(self) -> None:
        """Check shapes and ranges.

        Raises:
            ValueError: A matrix has the wrong shape or is no covariance, or a time is negative.
        """
        n, q, p = (
            len(names)
            for names in (self.model.state_names, self.model.noise_names, self.model.output_names)
        )
        for name, matrix, size in (
            ("process_noise", self.process_noise, q),
            ("initial_covariance", self.initial_covariance, n),
        ):
            problem = covariance_problem(matrix, size)
            if problem:
                raise ValueError(f"{name} {problem}")
        self.recursion.check(self.model, self.process_noise)
        if self.initial_state.shape != (p,) or not np.isfinite(self.initial_state).all():
            raise ValueError(f"initial_state must be {p} finite numbers")
        for name in ("sensor_timeout", "future_limit", "past_limit"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} = {getattr(self, name)}: must be above 0")
        if not 0.0 <= self.history < math.inf:
            raise ValueError(f"history = {self.history}: must be finite, at least 0")


class Filter:
    """A recursion, the EKF's by default, fed by stamped measurements and read at ticks.

    `put` queues measurements, `command` notes what the robot was told, `advance` fuses what has
    become due, in the order of stamps. The first measurement starts the filter. With a history a
    measurement older than the belief is put in its place and what came after it is fused anew;
    without one it is fused into the belief as it stands. Predictions to the present are for the
    reader and leave no trace, so that the belief depends on measurements alone. The same calls in
    the same order give the same bits.
    """

    def __init__(self, settings: FilterSettings, observer: Observer | None = None) -> None:
        """Start without an estimate; `observer` is told of every measurement when it is fused."""
        self.settings = settings
        self.dropped: Counter[tuple[str, str]] = Counter()
        """Measurements not used, by (source, reason)."""
        self.consistency: dict[str, Consistency] = {}
        """Normalised innovations by source."""
        self.resets: Counter[str] = Counter()
        """Starts over because the belief had run away, by reason."""
        self._observer = observer
        self._commands = CommandHistory(memory=2.0 + settings.history)
        self._history = History(nanoseconds(settings.history))
        self._queue: list[Measurement] = []
        self._not_before = 0
        self._touched = 0
        self._ahead: Estimate | None = None

    @property
    def estimate(self) -> Estimate | None:
        """The belief after the last measurement; None before the first."""
        return self._history.last

    def change(self, settings: FilterSettings) -> None:
        """Go on with other settings of the same model and history."""
        self.settings = settings

    def reset(self) -> None:
        """Forget the belief, the queue and the commands."""
        self._queue.clear()
        self._commands.clear()
        self._history.restart(None)
        self._ahead = None
        self._not_before = 0

    def restart(self, stamp: int, belief: Belief, not_before: int) -> None:
        """Go on from a belief at `stamp`; measurements up to `not_before` (ns) are refused."""
        self._queue.clear()
        self._history.restart(Estimate(stamp, belief))
        self._ahead = None
        self._not_before = not_before
        self._touched = stamp

    def hold(self, now: int) -> None:
        """Let time pass up to `now` (ns) without motion, and drop what is queued."""
        self._queue.clear()
        if self._history.last is not None:
            self._history.restart(Estimate(now, self._history.last.belief))
            self._ahead = None
            self._touched = now

    def command(self, stamp: int, twist: Sequence[float], now: int) -> bool:
        """Note a velocity command (6,) sent at `stamp` (ns) that arrived at `now` (ns).

        Returns:
            Whether it can be used.
        """
        if not np.isfinite(twist).all():
            self.dropped["cmd_vel", "values not finite"] += 1
            return False
        if np.abs(twist).max() > _FASTEST:
            self.dropped["cmd_vel", "absurdly fast"] += 1
            return False
        problem = self.stamp_problem(stamp, now)
        if problem:
            self.dropped["cmd_vel", problem] += 1
            return False
        self._commands.add(stamp, twist)
        return True

    def stamp_problem(self, stamp: int, now: int) -> str:
        """Return why a measurement of that stamp can't be used at `now` (ns); nothing if it can."""
        s, ahead = self.settings, seconds(stamp - now)
        if ahead > s.future_limit:
            return "stamp in the future"
        if -ahead > max(s.past_limit, s.history):
            return "stamp too old"
        if stamp <= self._not_before:
            return "stamp not after set_pose"
        if self._history.forgets(stamp):
            return "stamp older than the history"
        return "queue full" if len(self._queue) >= _MOST_QUEUED else ""

    def put(self, measurement: Measurement) -> None:
        """Queue a measurement whose stamp is accepted."""
        self._queue.append(measurement)

    def advance(self, now: int) -> Estimate | None:
        """Fuse every measurement stamped up to `now` (ns) and return the belief to be used."""
        if self._queue:
            self._queue.sort(key=_order)
            due = sum(measurement.stamp <= now for measurement in self._queue)
            if due:
                self._fuse_all(self._queue[:due])
                del self._queue[:due]
                self._touched = now
        last = self._history.last
        if last is None:
            return None
        silent = seconds(now - self._touched) >= self.settings.sensor_timeout
        if (silent or self.settings.predict_to_current_time) and now > last.stamp:
            last = self._to(now)
        problem = trustworthy(self.settings.model, last.belief)
        if problem:
            self.resets[problem] += 1
            self.reset()
            return None
        return last

    def at(self, stamp: int) -> Estimate | None:
        """Return the belief at a time of the history (ns), as all that was fused has it."""
        before = self._history.before(stamp)
        return None if before is None else self._predicted(before, stamp)

    def _fuse_all(self, measurements: list[Measurement]) -> None:
        fresh = [Entry(measurement) for measurement in measurements]
        again = self._history.rewind(measurements[0])
        if again:
            self._ahead = None
        for entry in sorted((*again, *fresh), key=lambda entry: _order(entry.measurement)):
            self._history.append(entry, self._fused(entry))
            self._ahead = None

    def _fused(self, entry: Entry) -> Estimate:
        s, measurement, last = self.settings, entry.measurement, self._history.last
        if last is None:
            belief = start(s.model, s.initial_state, s.initial_covariance, measurement)
            entry.counted = True
            return Estimate(measurement.stamp, saturated(belief))
        stamp, belief = self._to(max(last.stamp, measurement.stamp))
        result = s.recursion.update(s.model, belief, measurement, stamp)
        if not entry.counted:
            entry.counted = True
            self._count(measurement, result)
        return Estimate(stamp, saturated(result.belief))

    def _count(self, measurement: Measurement, result: Update) -> None:
        source = measurement.source
        statistics = self.consistency.get(source)
        if statistics is None:
            statistics = self.consistency[source] = Consistency()
        statistics.add(result.nis, len(measurement.rows))
        if not result.accepted:
            far = "beyond the rejection threshold"
            reason = far if np.isfinite(result.nis) else "innovation without a finite NIS"
            self.dropped[source, reason] += 1
        if self._observer is not None:
            self._observer(measurement, result)

    def _to(self, stamp: int) -> Estimate:
        """Return the last belief, predicted to `stamp` (ns).

        A long way goes by strides, the last of which is kept: the next reader goes on from there,
        and where readers have been makes no difference.
        """
        last = self._history.last
        assert last is not None  # noqa: S101
        ahead = self._ahead
        start = last if ahead is None or ahead.stamp > stamp else ahead
        while stamp - start.stamp > (stride := _stride(start.stamp - last.stamp)):
            start = self._ahead = self._predicted(start, start.stamp + stride)
        return self._predicted(start, stamp)

    def _predicted(self, estimate: Estimate, stamp: int) -> Estimate:
        span = stamp - estimate.stamp
        if span <= 0:
            return estimate
        for until in self._stops(estimate.stamp, stamp):
            estimate = self._step(estimate, until)
        return estimate

    def _stops(self, start: int, stamp: int) -> Sequence[int]:
        """Return the stamps (ns) by which to predict: steps alike, or whole ones of the model's."""
        span, step = stamp - start, self.settings.model.step
        if step is not None and seconds(span) <= _MOST_STEPS * step:
            return [*range(start + nanoseconds(step), stamp, nanoseconds(step)), stamp]
        steps = min(_MOST_STEPS, math.ceil(seconds(span) / _LONGEST_STEP))
        return [start + span * k // steps for k in range(1, steps + 1)]

    def _step(self, estimate: Estimate, stamp: int) -> Estimate:
        s, belief = self.settings, estimate.belief
        dt = seconds(stamp - estimate.stamp)
        if s.control is not None:
            belief = self._controlled(s.control, belief, stamp, dt)
        u = np.zeros(len(s.model.input_names))
        if s.use_control and u.size:
            change = self._commands.average(estimate.stamp, stamp)
            for i, name in enumerate(s.model.input_names):
                if name in _COMMANDED:
                    u[i] = change[_COMMANDED[name]]
        noise = self._scaled_noise(belief) if s.dynamic_process_noise else s.process_noise
        after = s.recursion.predict(s.model, belief, u, dt, noise, stamp)
        return Estimate(stamp, after)

    def _controlled(
        self, control: VelocityControl, belief: Belief, stamp: int, dt: float
    ) -> Belief:
        """Return the belief with the accelerations that the command in force causes."""
        model, command = self.settings.model, self._commands.latest(stamp)
        outputs = model.h(belief.state)
        names = model.output_names
        told = np.zeros(6)
        if command is not None and seconds(stamp - command.stamp) < control.timeout:
            told = command.twist
        twist = np.array([outputs[names.index(name)] for name in _TWIST])
        acceleration = control.acceleration(twist, told)
        for i, (linear, angular) in enumerate(zip(("ax", "ay", "az"), _TWIST[3:], strict=True)):
            if control.mask[i]:
                outputs[names.index(linear)] = acceleration[i]
            outputs[names.index(angular)] += acceleration[3 + i] * dt
        return Belief(model.state(outputs), belief.covariance)

    def _scaled_noise(self, belief: Belief) -> Matrix:
        """Return Q_w with the pose's part times the squared speed (linear and angular)."""
        model, Q = self.settings.model, self.settings.process_noise
        outputs, names = model.h(belief.state), model.output_names
        speed = math.sqrt(sum(float(outputs[names.index(n)]) ** 2 for n in _TWIST if n in names))
        scale = np.array([speed if name in _POSE else 1.0 for name in model.noise_names])
        return Q * np.outer(scale, scale)


def _stride(elapsed: int) -> int:
    stride = _STRIDE
    while elapsed >= _MOST_STRIDES * stride:
        stride *= 10
    return stride


def _order(measurement: Measurement) -> tuple[int, str, tuple[int, ...]]:
    """Order by stamp; at one stamp by what is measured, so that arrival doesn't matter."""
    return measurement.stamp, measurement.source, measurement.rows
