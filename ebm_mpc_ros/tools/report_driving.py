"""Panels on the driving: commands against limits, forecasts against what was driven."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.tools.report_chart import (
    COMMAND,
    ESTIMATE,
    FORECASTS,
    ODOMETRY,
    TRUTH,
    Chart,
    Panel,
    ordinal,
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

    from ebm_mpc_ros.tools.report_run import Run
    from ebm_mpc_ros.tools.report_source import Limits

Floats = NDArray[np.float64]

_AHEAD = 1.0
_OVER = 1.02
# Speeds slower than this are none.
_STILL = 1e-3
# Name and unit of a speed, and its limits; of its change.
_AXES = (
    (
        ("Speed", "m/s", ("max_speed", "min_speed")),
        ("acceleration", "m/s²", ("max_acceleration", "-max_deceleration")),
    ),
    (
        ("Sideways speed", "m/s", ("max_sideways_speed", "-max_sideways_speed")),
        (
            "sideways acceleration",
            "m/s²",
            ("max_sideways_acceleration", "-max_sideways_acceleration"),
        ),
    ),
    (
        ("Turn rate", "rad/s", ("max_yaw_rate", "-max_yaw_rate")),
        ("turning acceleration", "rad/s²", ("max_yaw_acceleration", "-max_yaw_acceleration")),
    ),
)
_SIDEWAYS = 1


def command_panels(run: Run, limits: Limits) -> list[Panel]:
    """Return what was commanded beside what was driven, and the limits; speeds without these."""
    key, title = "commands", "Commands"
    missing = Panel(key, title, f"needs {ROLES['commands']}.")
    words = "Speeds as commanded and as driven, and the accelerations that the commands ask for. "
    if not len(run.commands):
        if run.main is None:
            return [missing]
        key, title, words = "speeds", "Speeds", ""
    else:
        words += limits.words
    axes = [
        (axis, names) for axis, names in enumerate(_AXES) if axis != _SIDEWAYS or _sideways(run)
    ]
    figures = [_speeds(run, axis, names[0], limits.values) for axis, names in axes]
    changes = accelerations(run.commands)
    if len(changes):
        for axis, (_, (name, unit, bounds)) in axes:
            chart = Chart(f"Commanded {name}", f"change ({unit})", zero=True)
            values = changes[:, 1 + axis]
            chart.line("commanded", changes[:, 0], values, COMMAND, "step")
            _limit(chart, values, limits.values, bounds)
            figures.append(chart)
    found = Panel(key, title, words.strip(), figures)
    return [found] if len(run.commands) else [found, missing]


def forecast_panel(run: Run) -> Panel:
    """Return how far the robot was from where it was to be."""
    key, title = "forecasts", "Predicted against driven"
    needed = f"{ROLES['prediction']} or {ROLES['policy']}"
    if run.main is None:
        return Panel(key, title, f"needs {ROLES['estimate']}, and {needed}.")
    if not run.forecasts:
        return Panel(key, title, f"needs {needed}, in the frame {run.frame}.")
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
        name, colour = FORECASTS[role]
        median, worst = quantiles(errors.distances, (0.5, 0.95))
        horizon.line(f"{name}, median", errors.ahead, median, colour)
        horizon.line(f"{name}, 95 %", errors.ahead, worst, colour, dashed=True)
        ahead, distances = errors.at(_AHEAD)
        order = np.argsort(errors.times)
        course.line(f"{name}, {ahead:.2f} s", errors.times[order], distances[order], colour)
        if run.every[role] > 1:
            horizon.notes.append(f"Every {ordinal(run.every[role])} {name} was read.")
    words = (
        f"Distance between where the robot was to be and where {run.main.topic} then had it. "
        "A policy's plan is a proposal: with the MPC behind it, it need not be driven."
    )
    return Panel(key, title, words, [horizon, course])


def _sideways(run: Run) -> bool:
    """Return whether the robot moves sideways, or is to."""
    driven = run.main.states[:, 3 + _SIDEWAYS] if run.main is not None else np.empty(0)
    both = np.concatenate((run.commands[:, 1 + _SIDEWAYS], driven))
    return bool((np.abs(both) > _STILL).any())


def _speeds(
    run: Run, axis: int, names: tuple[str, str, tuple[str, str]], limits: Mapping[str, float]
) -> Chart:
    name, unit, bounds = names
    chart = Chart(name, f"{name.lower()} ({unit})", zero=True)
    commanded = run.commands[:, 1 + axis]
    if len(commanded):
        chart.line("commanded", run.commands[:, 0], commanded, COMMAND, "step")
    if run.estimate is not None:
        chart.line("estimated", run.estimate.times, run.estimate.states[:, 3 + axis], ESTIMATE)
    elif run.truth is None:
        for track in run.odometries[:1]:
            chart.line(track.topic, track.times, track.states[:, 3 + axis], ODOMETRY)
    if run.truth is not None:
        truth = run.truth
        chart.line("true", truth.times, truth.states[:, 3 + axis], TRUTH, dashed=True)
    if len(commanded):
        _limit(chart, commanded, limits, bounds)
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
