"""Panels on the estimate: errors, uncertainty, innovations, NIS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.tools.innovations import nis_windows
from ebm_mpc_ros.tools.report_chart import ESTIMATE, ODOMETRY, OTHER, TRUTH, Chart, Panel
from ebm_mpc_ros.tools.report_events import nis_sources
from ebm_mpc_ros.tools.report_numbers import ONE_95, pose_errors
from ebm_mpc_ros.tools.report_run import since
from ebm_mpc_ros.tools.report_topics import ROLES

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.innovations import InnovationTable, Residuals, Squares
    from ebm_mpc_ros.tools.report_numbers import PoseErrors
    from ebm_mpc_ros.tools.report_run import Run

Floats = NDArray[np.float64]

_WINDOWS = 60
_LEAST_DISTANCE = 1e-4
_UNITS = {
    **dict.fromkeys("xyz", "m"),
    **dict.fromkeys(("roll", "pitch", "yaw"), "rad"),
    **dict.fromkeys(("vx", "vy", "vz"), "m/s"),
    **dict.fromkeys(("vroll", "vpitch", "vyaw"), "rad/s"),
    **dict.fromkeys(("ax", "ay", "az"), "m/s²"),
}


def error_panel(run: Run) -> Panel:
    """Return the estimate's error against the truth, with the bounds that it claims."""
    key, title = "errors", "Error of the estimate"
    truth = run.placed_truth
    lacking = [
        str(ROLES[role])
        for role, track in (("estimate", run.estimate), ("truth", truth))
        if track is None
    ]
    if run.estimate is None or truth is None:
        place = f", in the frame {run.frame}" if run.truth is not truth else ""
        return Panel(key, title, f"needs {' and '.join(lacking)}{place}.")
    errors = pose_errors(run.estimate, truth)
    if errors is None:
        return Panel(
            key,
            title,
            "needs an estimate and a truth whose stamps are of one clock: they never overlap.",
        )
    times, covariances = run.estimate.times, run.estimate.covariances
    distance = Chart("Distance from the truth", "distance (m)", log=True)
    distance.line("estimate", times, _distance(errors), ESTIMATE)
    for track in run.odometries:
        other = pose_errors(track, truth)
        if other is not None and track.frame == truth.frame:
            distance.line(track.topic, track.times, _distance(other), ODOMETRY, dashed=True)
    figures = [distance]
    for name, unit, values, variances in (
        ("x", "m", errors.places[:, 0], covariances[:, 0, 0]),
        ("y", "m", errors.places[:, 1], covariances[:, 1, 1]),
        ("yaw", "rad", errors.yaw, covariances[:, 2, 2]),
    ):
        chart = Chart(f"Error in {name}", f"{name} ({unit})", zero=True)
        bound = ONE_95 * _root(variances)
        chart.band("95 % by its covariance", times, -bound, bound, ESTIMATE)
        figures.append(chart.line("estimate − truth", times, values, ESTIMATE))
    words = (
        "A filter as sure as it may be lies within the band 95 % of the time. "
        f"RMSE of the position {errors.told}."
    )
    return Panel(key, title, words, figures)


def sigma_panel(run: Run) -> Panel:
    """Return the estimate's standard deviations."""
    key, title = "sigma", "Uncertainty of the estimate"
    if run.estimate is None:
        return Panel(key, title, f"needs {ROLES['estimate']}.")
    variances = run.estimate.covariances
    if not np.isfinite(variances).all(axis=(1, 2)).any() or not variances.any():
        return Panel(key, title, f"needs covariances in {run.estimate.topic}, which are all 0.")
    times = run.estimate.times
    position = _root(variances[:, 0, 0] + variances[:, 1, 1])
    return Panel(
        key,
        title,
        "Standard deviations, from the covariance that the estimate carries.",
        [
            Chart("Position", "σ of x and y (m)", zero=True).line("σ", times, position, ESTIMATE),
            Chart("Yaw", "σ of yaw (rad)", zero=True).line(
                "σ", times, _root(variances[:, 2, 2]), ESTIMATE
            ),
        ],
    )


def innovation_panel(run: Run, table: InnovationTable | None, why: str) -> Panel:
    """Return the innovations of each input in each output."""
    key, title = "innovations", "Innovations"
    if table is None or not table.residuals:
        return Panel(key, title, f"needs {why}.")
    figures = [
        _innovations(run, source, output, found)
        for (source, output), found in sorted(table.residuals.items())
    ]
    words = (
        "What each sensor measured less what was expected of it, with the filter's own 95 % "
        f"bounds, ±{ONE_95:.2f} √diag(S). White and mostly within: the model and its noise fit."
    )
    return Panel(key, title, f"{words} {why}".rstrip(), figures)


def nis_panel(run: Run, table: InnovationTable | None, why: str) -> Panel:
    """Return the NIS of each input with its χ² bounds; that of /diagnostics where it is all."""
    key, title = "nis", "Consistency: NIS"
    if table is not None and table.squares:
        words = (
            f"Mean over {_WINDOWS} windows of the normalised innovation squared per degree of "
            "freedom; a consistent filter's is 1, and 95 % of its windows lie in the band of χ². "
            "Above: too sure of itself. Below: not sure enough."
        )
        figures = [_nis(run, source, found) for source, found in sorted(table.squares.items())]
        return Panel(key, title, words, figures)
    told = nis_sources(run.figures)
    if not told:
        return Panel(key, title, f"needs {ROLES['diagnostics']} of ekf_node; or {why}.")
    figures = []
    for node, source in told:
        name = f"{source} NIS/dof"
        low, high = run.figures[node, f"{name} low"], run.figures[node, f"{name} high"]
        mean = run.figures[node, name]
        chart = Chart(f"{source}, by {node}", "NIS / dof", log=True)
        chart.band("95 % by χ²", low[:, 0], low[:, 1], high[:, 1], OTHER)
        chart.line("mean since the start", mean[:, 0], mean[:, 1], ESTIMATE)
        figures.append(chart.level("consistent", 1.0))
    words = (
        "As ekf_node told: the mean since its start of the normalised innovation squared per "
        "degree of freedom; a consistent filter's is 1. Above: too sure of itself."
    )
    return Panel(key, title, words, figures)


def _innovations(run: Run, source: str, output: str, found: Residuals) -> Chart:
    times = since(found.stamps, run.start)
    chart = Chart(f"{source} {output}", f"{output} ({_UNITS.get(output, 'SI')})", zero=True)
    bound = ONE_95 * found.sigmas
    chart.band("95 % by S", times, -bound, bound, ESTIMATE)
    used = found.accepted
    chart.line("innovation", times[used], found.values[used], ESTIMATE, "points")
    if not used.all():
        chart.line("rejected", times[~used], found.values[~used], TRUTH, "points")
    inside = float(np.mean(np.abs(found.values) <= bound))
    chart.notes.insert(0, f"{inside:.1%} of {len(times):,} within the bounds.")
    return chart


def _nis(run: Run, source: str, found: Squares) -> Chart:
    times = since(found.stamps, run.start)
    edges = np.linspace(min(0.0, times.min()), max(run.duration, times.max(), 1e-3), _WINDOWS + 1)
    windows = nis_windows(times, found.nis, found.degrees, edges)
    chart = Chart(source, "NIS / dof", log=True)
    chart.band("95 % by χ²", windows.middles, windows.lows, windows.highs, OTHER)
    chart.line("mean of a window", windows.middles, windows.ratios, ESTIMATE)
    return chart.level("consistent", 1.0)


def _root(variances: Floats) -> Floats:
    return np.sqrt(np.where(variances >= 0.0, variances, np.nan))


def _distance(errors: PoseErrors) -> Floats:
    """Return distances, of a tenth of a millimetre at least: they are drawn on a log scale."""
    distances: Floats = np.hypot(*errors.places.T)
    return distances + _LEAST_DISTANCE
