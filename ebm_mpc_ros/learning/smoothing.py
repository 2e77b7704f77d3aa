"""The whole of a drive's measurements in every estimate: Rauch-Tung-Striebel smoothing.

Equations: H. Rauch, F. Tung, C. Striebel, "Maximum likelihood estimates of linear dynamic systems"
(1965), on error coordinates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ebm_mpc_ros.estimation.ekf import Belief, Matrix, Measurement, predict, update
from ebm_mpc_ros.estimation.history import Estimate
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.resampling import TWIST
from ebm_mpc_ros.models.inputs import RATES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ebm_mpc_ros.estimation.commands import CommandHistory
    from ebm_mpc_ros.estimation.filter import FilterSettings

_LONGEST_STEP = 0.1
_JITTER = 1e-12


class _Step(NamedTuple):
    """A prediction: its Jacobian A (n, n) over the whole way, what it gave, what came of it."""

    transition: Matrix
    predicted: Belief
    after: Estimate


def smooth(
    settings: FilterSettings,
    start: Estimate,
    measurements: Iterable[Measurement],
    commands: CommandHistory | None,
) -> list[Estimate]:
    """Return the smoothed estimates at the measurements' stamps, and first that at the start's.

    Args:
        settings: The filter's.
        start: Its estimate before the measurements.
        measurements: What it fused later, in any order; earlier ones are left out.
        commands: What the robot was told, where the filter predicts with it.

    Raises:
        DataError: The filter scales its noise or controls velocities, which has no smoother here.
    """
    if settings.dynamic_process_noise or settings.control is not None:
        raise DataError("states: estimate needs an estimator without dynamic noise and control")
    steps = [_Step(np.eye(0), start.belief, start)]
    for measurement in sorted(measurements, key=lambda m: (m.stamp, m.source, m.rows)):
        last = steps[-1].after
        if measurement.stamp >= last.stamp:
            transition, predicted = _predicted(settings, last, measurement.stamp, commands)
            belief = update(settings.model, predicted, measurement).belief
            steps.append(_Step(transition, predicted, Estimate(measurement.stamp, belief)))
    smoothed = [steps[-1].after]
    for step, following in zip(steps[-2::-1], steps[:0:-1], strict=True):
        smoothed.append(_smoothed(settings, step.after, following, smoothed[-1].belief))
    return smoothed[::-1]


def _predicted(
    settings: FilterSettings, last: Estimate, stamp: int, commands: CommandHistory | None
) -> tuple[Matrix, Belief]:
    """Return A over the way to a stamp (ns), and the belief there before its measurement."""
    model, belief = settings.model, last.belief
    A = np.eye(len(belief.covariance))
    span = stamp - last.stamp
    steps = math.ceil(span * 1e-9 / _LONGEST_STEP)
    begin = last.stamp
    for k in range(1, steps + 1):
        end = last.stamp + span * k // steps
        u, dt = np.zeros(len(model.input_names)), (end - begin) * 1e-9
        if commands is not None:
            change = commands.average(begin, end)
            for i, name in enumerate(model.input_names):
                if RATES.get(name) in TWIST:
                    u[i] = change[TWIST.index(RATES[name])]
        A = model.linearize(belief.state, u, dt)[1].A @ A
        belief = predict(model, belief, u, dt, settings.process_noise)
        begin = end
    return A, belief


def _smoothed(
    settings: FilterSettings, filtered: Estimate, following: _Step, smoothed: Belief
) -> Estimate:
    """Return an estimate corrected by the smoothed one that follows it."""
    model, (x, P), predicted = settings.model, filtered.belief, following.predicted
    size = np.sqrt(np.maximum(predicted.covariance.diagonal(), _JITTER))
    # Scaled to a unit diagonal, for variances of one covariance differ by many orders.
    scaled = predicted.covariance / np.outer(size, size) + _JITTER * np.eye(len(size))
    right = (following.transition @ P) / size[:, None]
    gain = (cho_solve(cho_factor(scaled, lower=True), right) / size[:, None]).T
    correction = gain @ np.asarray(model.minus(smoothed.state, predicted.state))
    covariance = P + gain @ (smoothed.covariance - predicted.covariance) @ gain.T
    return Estimate(filtered.stamp, Belief(np.asarray(model.plus(x, correction)), covariance))
