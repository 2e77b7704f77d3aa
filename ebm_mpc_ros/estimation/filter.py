"""The estimator: measurements in any order in, one belief in time out."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.commands import CommandHistory
from ebm_mpc_ros.estimation.consistency import Consistency
from ebm_mpc_ros.estimation.ekf import Belief, Matrix, Measurement, Vector, predict, update
from ebm_mpc_ros.estimation.time import seconds

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

# m/s and rad/s; what no robot is told.
_FASTEST = 1e2


@dataclass(frozen=True, kw_only=True, eq=False)
class FilterSettings:
    """Settings of a `Filter`.

    Attributes:
        model: The robot.
        process_noise: Q_w per second (q, q).
        initial_covariance: P before the first measurement (n, n).
        initial_state: Coordinates (n,) before the first measurement.
        sensor_timeout: Predict without measurements after this long, s.
        predict_to_current_time: Predict to the time of every `advance`.
        use_control: Predict with the commands' accelerations where the model takes them.
        future_limit: A stamp further ahead of the clock is refused, s.
        past_limit: A stamp further behind the clock is refused, s.
    """

    model: Model
    process_noise: Matrix
    initial_covariance: Matrix
    initial_state: Vector
    sensor_timeout: float
    predict_to_current_time: bool = False
    use_control: bool = True
    future_limit: float = 0.5
    past_limit: float = 2.0

    def __post_init__(self) -> None:
        """Check shapes and ranges.

        Raises:
            ValueError: A matrix has the wrong shape or is no covariance, or a time is negative.
        """
        n, q = len(self.model.state_names), len(self.model.noise_names)
        _check_covariance("process_noise", self.process_noise, q)
        _check_covariance("initial_covariance", self.initial_covariance, n)
        if self.initial_state.shape != (n,) or not np.isfinite(self.initial_state).all():
            raise ValueError(f"initial_state must be {n} finite numbers")
        for name in ("sensor_timeout", "future_limit", "past_limit"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} = {getattr(self, name)}: must be above 0")


class Estimate(NamedTuple):
    """The belief at a stamp (ns)."""

    stamp: int
    belief: Belief


class Filter:
    """An EKF fed by stamped measurements and read at ticks.

    `put` queues measurements, `command` notes what the robot was told, `advance` fuses what has
    become due, in the order of stamps. The first measurement starts the filter. A measurement
    older than the belief is fused into the belief as it stands. The same calls in the same order
    give the same bits.
    """

    def __init__(self, settings: FilterSettings) -> None:
        """Start without an estimate."""
        self.settings = settings
        self.dropped: Counter[tuple[str, str]] = Counter()
        """Measurements not used, by (source, reason)."""
        self.consistency: dict[str, Consistency] = {}
        """Normalised innovations by source."""
        self.resets = 0
        self._commands = CommandHistory()
        self._queue: list[tuple[int, int, Measurement]] = []
        self._sequence = 0
        self._estimate: Estimate | None = None
        self._touched = 0

    @property
    def estimate(self) -> Estimate | None:
        """The latest belief; None before the first measurement."""
        return self._estimate

    def reset(self) -> None:
        """Forget the belief, the queue and the commands."""
        self._queue.clear()
        self._commands.clear()
        self._estimate = None

    def command(self, stamp: int, speed: float, yaw_rate: float, now: int) -> bool:
        """Note a velocity command (m/s, rad/s) sent at `stamp` (ns) that arrived at `now` (ns).

        Returns:
            Whether it can be used.
        """
        if not (np.isfinite(speed) and np.isfinite(yaw_rate)):
            self.dropped["cmd_vel", "values not finite"] += 1
            return False
        if max(abs(speed), abs(yaw_rate)) > _FASTEST:
            self.dropped["cmd_vel", "absurdly fast"] += 1
            return False
        if not self._timely("cmd_vel", stamp, now):
            return False
        self._commands.add(stamp, speed, yaw_rate)
        return True

    def put(self, measurement: Measurement, now: int) -> bool:
        """Queue a measurement that arrived at `now` (ns); False where its stamp is refused."""
        if not self._timely(measurement.source, measurement.stamp, now):
            return False
        heapq.heappush(self._queue, (measurement.stamp, self._sequence, measurement))
        self._sequence += 1
        return True

    def advance(self, now: int) -> Estimate | None:
        """Fuse every measurement stamped up to `now` (ns) and return the latest belief."""
        fused = False
        while self._queue and self._queue[0][0] <= now:
            self._fuse(heapq.heappop(self._queue)[2])
            fused = True
        if fused:
            self._touched = now
        if self._estimate is not None:
            silent = seconds(now - self._touched) >= self.settings.sensor_timeout
            if self.settings.predict_to_current_time or (not fused and silent):
                self._estimate = self._predicted(self._estimate, now)
            self._guard()
        return self._estimate

    def _timely(self, source: str, stamp: int, now: int) -> bool:
        ahead = seconds(stamp - now)
        if ahead > self.settings.future_limit:
            self.dropped[source, "stamp in the future"] += 1
            return False
        if -ahead > self.settings.past_limit:
            self.dropped[source, "stamp too old"] += 1
            return False
        return True

    def _fuse(self, measurement: Measurement) -> None:
        if self._estimate is None:
            self._estimate = self._first(measurement)
            return
        model = self.settings.model
        stamp, belief = self._predicted(self._estimate, measurement.stamp)
        result = update(model, belief, measurement)
        source = measurement.source
        statistics = self.consistency.get(source)
        if statistics is None:
            statistics = self.consistency[source] = Consistency()
        statistics.add(result.nis, len(measurement.rows))
        if not result.accepted:
            far = "beyond the rejection threshold"
            reason = far if np.isfinite(result.nis) else "innovation without a finite NIS"
            self.dropped[source, reason] += 1
        self._estimate = Estimate(stamp, result.belief)

    def _first(self, measurement: Measurement) -> Estimate:
        model, rows = self.settings.model, measurement.rows
        coordinates = self.settings.initial_state.copy()
        coordinates[rows] = measurement.values
        origin = np.asarray(model.origin(), dtype=float)
        state = model.observed(origin, np.arange(len(coordinates)), coordinates)
        covariance = self.settings.initial_covariance.copy()
        covariance[rows] = covariance[:, rows] = 0.0
        covariance[np.ix_(rows, rows)] = measurement.covariance
        return Estimate(measurement.stamp, Belief(state, covariance))

    def _predicted(self, estimate: Estimate, stamp: int) -> Estimate:
        if stamp <= estimate.stamp:
            return estimate
        model = self.settings.model
        u = np.zeros(len(model.input_names))
        if self.settings.use_control and model.input_names == ("ax", "alpha"):
            u = self._commands.average(estimate.stamp, stamp)
        dt = seconds(stamp - estimate.stamp)
        return Estimate(stamp, predict(model, estimate.belief, u, dt, self.settings.process_noise))

    def _guard(self) -> None:
        """Start over where the belief is no longer one."""
        assert self._estimate is not None  # noqa: S101
        state, covariance = self._estimate.belief
        finite = np.isfinite(state).all() and np.isfinite(covariance).all()
        if not (finite and (np.diagonal(covariance) >= 0.0).all()):
            self.resets += 1
            self.reset()


def _check_covariance(name: str, matrix: Matrix, size: int) -> None:
    if matrix.shape != (size, size):
        raise ValueError(f"{name} has shape {matrix.shape}: must be ({size}, {size})")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ValueError(f"{name} must be finite and symmetric")
    if np.linalg.eigvalsh(matrix).min() < -1e-12 * max(1.0, float(np.abs(matrix).max())):
        raise ValueError(f"{name} must be positive semidefinite")
