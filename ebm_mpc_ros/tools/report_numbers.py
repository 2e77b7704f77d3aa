"""The numbers behind a report's figures: arrays to arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.tools.report_run import Forecast, Track

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

# 95 % of a normal number, and of χ² with two degrees of freedom.
ONE_95 = 1.959964
_TWO_95 = 5.991465
_LONGEST_GAP = 0.5


def peaks(values: Floats, budget: int) -> tuple[Indices, int]:
    """Return which of (k,) values to draw so that no peak is lost, and of how many each.

    Of every so many the least and the largest; all of them where that many fit.
    """
    count = len(values)
    if count <= budget:
        return np.arange(count), 1
    every = -(-2 * count // budget)
    padded = np.full(-(-count // every) * every, np.nan)
    padded[:count] = values
    blocks = padded.reshape(-1, every)
    first = np.arange(len(blocks)) * every
    least = np.where(np.isnan(blocks), np.inf, blocks).argmin(axis=1)
    largest = np.where(np.isnan(blocks), -np.inf, blocks).argmax(axis=1)
    return np.unique(np.concatenate((first + least, first + largest))), every


def thinned(count: int, budget: int) -> tuple[Indices, int]:
    """Return every so many-th of `count` indices and the last, and of how many each."""
    every = max(1, -(-count // budget))
    return np.unique(np.append(np.arange(0, count, every), max(count - 1, 0)))[:count], every


class Ellipses(NamedTuple):
    """Where 95 % of a Gaussian lies: half axes (k,) in m and the longer one's angle (k,) in rad."""

    long: Floats
    short: Floats
    angle: Floats


def ellipses(covariances: Floats) -> Ellipses:
    """Return the ellipses of covariances of x and y (k, 2, 2); NaN where one is none."""
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(covariances).all(axis=(1, 2)))
    variances, axes = np.linalg.eigh(np.where(usable[:, None, None], covariances, np.eye(2)))
    usable &= variances[:, 0] > 0.0
    half = np.sqrt(_TWO_95 * np.where(usable[:, None], variances, np.nan))
    return Ellipses(half[:, 1], half[:, 0], np.arctan2(axes[:, 1, 1], axes[:, 0, 1]))


def path_length(places: Floats) -> float:
    """Return the length of a track (k, 2)."""
    return float(np.hypot(*np.diff(places, axis=0).T).sum())


class PoseErrors(NamedTuple):
    """An estimate's errors at its own times: along x, y (k, 2) in m, in yaw (k,) in rad.

    NaN where the truth is not known.
    """

    places: Floats
    yaw: Floats

    @property
    def rmse(self) -> float:
        """Root of the mean squared distance, m."""
        return float(np.sqrt(np.nanmean(np.sum(self.places**2, axis=1))))

    @property
    def told(self) -> str:
        """The RMSE in words, and of how much of the estimate there is none."""
        left_out = float(np.isnan(self.yaw).mean())
        return f"{self.rmse:.3f} m" + (f", {left_out:.1%} left out" if left_out > 5e-4 else "")


def pose_errors(estimate: Track, truth: Track) -> PoseErrors | None:
    """Return an estimate's errors; None where the two have no time in common."""
    difference = estimate.states - truth.at(estimate.times)
    if np.isnan(difference[:, 0]).all():
        return None
    yaw = np.remainder(difference[:, 2] + np.pi, 2.0 * np.pi) - np.pi
    return PoseErrors(difference[:, :2], yaw)


def accelerations(commands: Floats) -> Floats:
    """Return times and changes (k, 4) per second of commanded speeds and turn rate (k + 1, 4).

    Commands come every period, now and then one late: the time between two is taken as a whole
    number of periods. Where none came for half a second there is no acceleration.
    """
    if len(commands) < 2:
        return np.empty((0, 4))
    gaps = np.diff(commands[:, 0])
    period = float(np.median(gaps))
    if period <= 0.0:
        return np.empty((0, 4))
    steps = np.maximum(1.0, np.round(gaps / period)) * period
    change = np.diff(commands[:, 1:], axis=0) / steps[:, None]
    change[gaps > max(_LONGEST_GAP, 3.0 * period)] = np.nan
    return np.column_stack((commands[1:, 0], change))


class ForecastErrors(NamedTuple):
    """How far the robot was from where it was to be.

    Attributes:
        ahead: How long after the forecast, s (m,).
        times: When each forecast was made, s (k,).
        distances: m (k, m); NaN beyond a forecast's or the track's end, or in a gap of it.
    """

    ahead: Floats
    times: Floats
    distances: Floats

    def at(self, ahead: float) -> tuple[float, Floats]:
        """Return the time ahead that is nearest, and the distances (k,) there."""
        column = int(np.argmin(np.abs(self.ahead - ahead)))
        return float(self.ahead[column]), self.distances[:, column]


def forecast_errors(
    forecasts: Sequence[Forecast], track: Track, points: int = 26
) -> ForecastErrors | None:
    """Return the errors of forecasts against a track; None where none lies within it."""
    longest = float(np.median([f.times[-1] - f.times[0] for f in forecasts]))
    if longest <= 0.0:
        return None
    ahead = np.linspace(0.0, longest, points)
    times = np.array([f.times[0] for f in forecasts])
    expected = np.array(
        [
            [np.interp(f.times[0] + ahead, f.times, column, right=np.nan) for column in f.places.T]
            for f in forecasts
        ]
    )
    driven = track.at(times[:, None] + ahead)[..., :2]
    distances = np.hypot(*(np.moveaxis(driven, -1, 0) - np.moveaxis(expected, 1, 0)))
    return None if np.isnan(distances).all() else ForecastErrors(ahead, times, distances)


def quantiles(distances: Floats, shares: Sequence[float]) -> Floats:
    """Return quantiles (len(shares), m) of the columns of (k, m), NaN where one is empty."""
    result = np.full((len(shares), distances.shape[1]), np.nan)
    for column in range(distances.shape[1]):
        there = distances[np.isfinite(distances[:, column]), column]
        if there.size:
            result[:, column] = np.quantile(there, shares)
    return result
