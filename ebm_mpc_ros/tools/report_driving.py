"""Panels on the driving: commands against limits, forecasts against what was driven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.tools.report_chart import (
    COMMAND,
    ESTIMATE,
    FORECAST,
    ODOMETRY,
    POLICY,
    TRUTH,
    Chart,
    Panel,
)
from ebm_mpc_ros.tools.report_numbers import (
    ForecastErrors,
    accelerations,
    forecast_errors,
    quantiles,
)
from ebm_mpc_ros.tools.report_topics import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ebm_mpc_ros.tools.report_reading import Run

Floats = NDArray[np.float64]

_AHEAD = 1.0
_OVER = 1.02
_NAMES = {"prediction": "MPC's prediction", "policy": "policy's plan"}
_COLOURS = {"prediction": FORECAST, "policy": POLICY}


def command_panels(run: Run, limits: Mapping[str, float], why_no_limits: str) -> list[Panel]:
    """Return what was commanded beside what was driven, and the limits; speeds without these."""
    key, title = "commands", "Commands"
    missing = Panel(key, title, f"needs {ROLES['commands']}.")
    words = "Speeds as commanded and as driven, and the accelerations that the commands ask for. "
    if not len(run.commands):
        if run.main is None:
            return [missing]
        key, title, words = "speeds", "Speeds", ""
    elif not limits:
        words += f"Limits are missing: they need {why_no_limits}."
    figures = [
        _speeds(run, "Speed", "m/s", 0, limits, ("max_speed", "min_speed")),
        _speeds(run, "Turn rate", "rad/s", 1, limits, ("max_yaw_rate", "-max_yaw_rate")),
    ]
    changes = accelerations(run.commands)
    if len(changes):
        for name, unit, column, bounds in (
            ("acceleration", "m/s²", 1, ("max_acceleration", "-max_deceleration")),
            (
                "turning acceleration",
                "rad/s²",
                2,
                ("max_yaw_acceleration", "-max_yaw_acceleration"),
            ),
        ):
            chart = Chart(f"Commanded {name}", f"change ({unit})", zero=True)
            chart.line("commanded", changes[:, 0], changes[:, column], COMMAND, "step")
            _limit(chart, changes[:, column], limits, bounds)
            figures.append(chart)
    found = Panel(key, title, words.strip(), figures)
    return [found] if len(run.commands) else [found, missing]


def forecast_panel(run: Run) -> Panel:
    """Return how far the robot was from where it was to be."""
    key, title = "forecasts", "Predicted against driven"
    needed = f"{ROLES['prediction']} or {ROLES['policy']}"
    if not run.forecasts:
        return Panel(key, title, f"needs {needed}.")
    if run.main is None:
        return Panel(key, title, f"needs {ROLES['estimate']}.")
    found: dict[str, ForecastErrors] = {}
    for role, forecasts in run.forecasts.items():
        errors = forecast_errors(forecasts, run.main)
        if errors is not None:
            found[role] = errors
    if not found:
        return Panel(key, title, f"needs forecasts within the time of {run.main.topic}.")
    horizon = Chart("By how far ahead", "distance (m)", x="time ahead (s)", zero=True)
    course = Chart(f"Over the run, {_AHEAD:g} s ahead", "distance (m)", zero=True)
    for role, errors in found.items():
        median, worst = quantiles(errors.distances, (0.5, 0.95))
        horizon.line(f"{_NAMES[role]}, median", errors.ahead, median, _COLOURS[role])
        horizon.line(f"{_NAMES[role]}, 95 %", errors.ahead, worst, _COLOURS[role], dashed=True)
        ahead, distances = errors.at(_AHEAD)
        order = np.argsort(errors.times)
        course.line(
            f"{_NAMES[role]}, {ahead:.2f} s", errors.times[order], distances[order], _COLOURS[role]
        )
        if run.every.get(role, 1) > 1:
            horizon.notes.append(f"Every {run.every[role]}. {_NAMES[role]} was read.")
    words = (
        f"Distance between where the robot was to be and where {run.main.topic} then had it. "
        "A policy's plan is a proposal: with the MPC behind it, it need not be driven."
    )
    return Panel(key, title, words, [horizon, course])


def _speeds(
    run: Run,
    name: str,
    unit: str,
    column: int,
    limits: Mapping[str, float],
    bounds: tuple[str, str],
) -> Chart:
    chart = Chart(name, f"{name.lower()} ({unit})", zero=True)
    if len(run.commands):
        values = run.commands[:, 1 + column]
        chart.line("commanded", run.commands[:, 0], values, COMMAND, "step")
    if run.estimate is not None:
        chart.line("estimated", run.estimate.times, run.estimate.states[:, 3 + column], ESTIMATE)
    elif run.truth is None:
        for track in run.odometries[:1]:
            chart.line(track.topic, track.times, track.states[:, 3 + column], ODOMETRY)
    if run.truth is not None:
        truth = run.truth
        chart.line("true", truth.times, truth.states[:, 3 + column], TRUTH, dashed=True)
    if len(run.commands):
        _limit(chart, values, limits, bounds)
    return chart


def _limit(
    chart: Chart, values: Floats, limits: Mapping[str, float], names: tuple[str, str]
) -> None:
    """Draw the limits, and say how many commands are beyond them."""
    beyond = 0
    for name, sign in zip(names, (1.0, -1.0), strict=True):
        bare = name.removeprefix("-")
        if bare not in limits:
            continue
        limit = limits[bare] * (-1.0 if name.startswith("-") else 1.0)
        chart.level(name, limit)
        with np.errstate(invalid="ignore"):
            beyond += int(np.sum(sign * (values - limit) > (_OVER - 1.0) * max(abs(limit), 0.05)))
    if beyond:
        chart.notes.insert(0, f"{beyond:,} of {len(values):,} commands are beyond a limit.")
