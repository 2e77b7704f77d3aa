"""The map of a report: where the robot was, was thought to be, and was to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.tools.report_chart import (
    ESTIMATE,
    FORECASTS,
    ODOMETRY,
    TRUTH,
    numbers,
    ordinal,
)
from ebm_mpc_ros.tools.report_numbers import ellipses, thinned
from ebm_mpc_ros.tools.report_run import named
from ebm_mpc_ros.tools.report_topics import ROLES

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.report_obstacles import Obstacle
    from ebm_mpc_ros.tools.report_run import Forecast, Run, Track

_TRACK, _ELLIPSES, _FORECASTS, _POINTS, _OBSTACLES = 4000, 600, 300, 300, 3000
_DECIMALS = 3
_WIDTHS = {"prediction": 2, "policy": 6}


@dataclass(frozen=True)
class Map:
    """The map as the page takes it.

    Attributes:
        content: Tracks, ellipses, obstacles, plans, forecasts.
        spoken: What it is called where it can't be seen.
        notes: What a reader must know of it.
    """

    content: dict[str, Any]
    spoken: str
    notes: list[str]


def make_map(run: Run) -> Map | None:
    """Return the map; None where nothing tells where the robot was."""
    main = run.main
    if main is None:
        return None
    notes: list[str] = []
    tracks, strange = [], []
    for track, name, colour, dashed in (
        (run.truth, "truth", TRUTH, False),
        (run.estimate, "estimate", ESTIMATE, False),
        *((track, track.topic, ODOMETRY, True) for track in run.odometries),
    ):
        if track is None:
            continue
        if track.frame != main.frame:
            strange.append(f"{track.topic} (frame {named(track.frame)})")
            continue
        tracks.append(_track(track, name, colour, notes, dashed=dashed and track is not main))
    if strange:
        notes.append(f"Not in the frame {run.frame} and not drawn: {', '.join(strange)}.")
    content: dict[str, Any] = {
        "tracks": tracks,
        "ellipses": _ellipses(run.estimate) if run.estimate is not None else None,
        "obstacles": [
            [*numbers(o[:3], _DECIMALS), round(o.begin, 2), round(o.end, 2)]
            for o in _obstacles(run, notes)
        ],
        "plans": [_plan(plan) for plan in run.plans],
        "forecasts": [
            {
                "name": f"{name} at the cursor",
                "colour": colour,
                "width": _WIDTHS[role],
                **_forecasts(run.forecasts[role]),
            }
            for role, (name, colour) in FORECASTS.items()
            if role in run.forecasts
        ],
    }
    if run.every.get("plan", 1) > 1:
        notes.append(f"plan: every {ordinal(run.every['plan'])} was read.")
    for role, there in (
        ("estimate", run.estimate),
        ("truth", run.placed_truth),
        ("plan", any(len(plan.places) for plan in run.plans)),
        ("obstacles", run.obstacles),
    ):
        if not there:
            place = "" if role == "estimate" else f", in the frame {run.frame}"
            notes.append(f"No {role}: it needs {ROLES[role]}{place}.")
    low, high = main.states[:, :2].min(axis=0), main.states[:, :2].max(axis=0)
    names = ", ".join(track["name"] for track in tracks)
    spoken = (
        f"Map of {names}, {high[0] - low[0]:.1f} m in x by {high[1] - low[1]:.1f} m in y, "
        f"with {len(run.obstacles)} obstacles."
    )
    return Map(content, spoken, notes)


def _track(
    track: Track, name: str, colour: int, notes: list[str], *, dashed: bool
) -> dict[str, Any]:
    kept, every = thinned(len(track.times), _TRACK)
    if every > 1:
        notes.append(f"{name}: every {ordinal(every)} of {len(track.times):,} points.")
    return {
        "name": name,
        "colour": colour,
        "dashed": dashed,
        "t": numbers(track.times[kept], _DECIMALS),
        "x": numbers(track.states[kept, 0], _DECIMALS),
        "y": numbers(track.states[kept, 1], _DECIMALS),
        "yaw": numbers(track.states[kept, 2], _DECIMALS),
    }


def _ellipses(track: Track) -> dict[str, Any] | None:
    kept, _ = thinned(len(track.times), _ELLIPSES)
    found = ellipses(track.covariances[kept, :2, :2])
    kept = kept[usable := np.isfinite(found.long)]
    if not usable.any():
        return None
    return {
        "t": numbers(track.times[kept], _DECIMALS),
        "x": numbers(track.states[kept, 0], _DECIMALS),
        "y": numbers(track.states[kept, 1], _DECIMALS),
        "long": numbers(found.long[usable]),
        "short": numbers(found.short[usable]),
        "angle": numbers(found.angle[usable], _DECIMALS),
    }


def _plan(plan: Forecast) -> dict[str, Any]:
    kept, _ = thinned(len(plan.places), _POINTS)
    x, y = plan.places[kept].T
    return {
        "t": round(float(plan.times[0]), 2),
        "x": numbers(x, _DECIMALS),
        "y": numbers(y, _DECIMALS),
    }


def _forecasts(found: list[Forecast]) -> dict[str, Any]:
    kept, _ = thinned(len(found), _FORECASTS)
    chosen = sorted((found[k] for k in kept.tolist()), key=lambda f: float(f.times[0]))
    times = [f.times[0] for f in chosen]
    longest = max(float(f.times[-1] - f.times[0]) for f in chosen)
    between = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    places = [f.places[thinned(len(f.places), _POINTS)[0]] for f in chosen]
    return {
        "t": numbers(times, _DECIMALS),
        "lasts": round(max(longest, 2.0 * between), _DECIMALS),
        "x": [numbers(each[:, 0], _DECIMALS) for each in places],
        "y": [numbers(each[:, 1], _DECIMALS) for each in places],
    }


def _obstacles(run: Run, notes: list[str]) -> list[Obstacle]:
    kept, every = thinned(len(run.obstacles), _OBSTACLES)
    if every > 1:
        notes.append(f"obstacles: every {ordinal(every)} of {len(run.obstacles):,} places.")
    return [run.obstacles[k] for k in kept.tolist()]
