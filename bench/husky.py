"""A real robot, test/data/husky.bag: against its GPS, and against itself with its odometry late.

Against GPS means: fixes in east and north of the first, the estimate interpolated at their stamps,
the whole track turned and shifted to fit them best, the RMSE of what remains. With GPS fused
nothing is turned or shifted, and the RMSE is that on every second fix, which the filter never saw.
"""

# ruff: noqa: E402  BLAS counts its threads when it is imported; on arrays this small they contend.

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from report import ROOT, Figure, conclude, options

from ebm_mpc_ros.estimation.geodesy import Datum
from ebm_mpc_ros.estimation.time import nanoseconds
from ebm_mpc_ros.learning.bags import Bag, open_bag
from ebm_mpc_ros.ros.conversion import stamp_of, vector
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.parameter_file import load_parameters
from ebm_mpc_ros.tools.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

Floats = NDArray[np.float64]
Message = tuple[str, int, Any]

_ODOMETRY, _FIXES = "/husky_velocity_controller/odom", "/fix"
# robot_localization's own test of this bag: where it must end, and within what.
_END, _END_WITHIN = np.array([-40.0454, -76.9988, -2.6974]), 1.0452
# Constants, measured with robot_localization and by hand on this bag elsewhere.
_PEER_END, _PEER_RMSE, _BY_HAND = "0.22", "21.4", "2.9 to 3.1"
_LATE, _READ_AFTER = nanoseconds(0.3), nanoseconds(0.35)
_SMOOTH = {"smooth_lagged_data": True, "history_length": 1.0}
_QUICK = 60.0


class Recording(NamedTuple):
    """A bag's messages in the order of their arrival, as `replay` asks a bag for them."""

    topics: dict[str, Any]
    all_messages: list[Message]

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Yield the messages of those topics."""
        return (message for message in self.all_messages if message[0] in topics)

    def without(self, fixes: Collection[int]) -> Recording:
        """Return the recording without the fixes of those stamps (ns)."""
        return self._replace(
            all_messages=[
                message
                for message in self.all_messages
                if not (message[0] == _FIXES and stamp_of(message[2]) in fixes)
            ]
        )

    def until(self, duration: float) -> Recording:
        """Return the first `duration` s."""
        end = self.all_messages[0][1] + nanoseconds(duration)
        return self._replace(all_messages=[m for m in self.all_messages if m[1] < end])

    def late(self) -> Recording:
        """Return the recording with its odometry delivered late."""
        messages = [
            (topic, arrival + (_LATE if topic == _ODOMETRY else 0), message)
            for topic, arrival, message in self.all_messages
        ]
        return self._replace(all_messages=sorted(messages, key=lambda message: message[1]))


class Track(NamedTuple):
    """Positions (k, d) by stamps (k,) in ns."""

    stamps: NDArray[np.int64]
    places: Floats

    def at(self, stamps: NDArray[np.int64]) -> Floats:
        """Return the positions at other stamps, linear in between."""
        start = self.stamps[0]
        return np.column_stack(
            [np.interp(stamps - start, self.stamps - start, column) for column in self.places.T]
        )

    def fitted(self, fixes: Track) -> Track:
        """Return the track, turned and shifted to lie nearest to the fixes."""
        own, theirs = self.at(fixes.stamps)[:, :2] @ [1, 1j], fixes.places[:, :2] @ [1, 1j]
        turn = np.vdot(own - own.mean(), theirs - theirs.mean())
        moved = (self.places[:, :2] @ [1, 1j] - own.mean()) * turn / abs(turn) + theirs.mean()
        return Track(self.stamps, np.column_stack((moved.real, moved.imag)))

    def errors(self, fixes: Track) -> Floats:
        """Return the horizontal distance (k,) from each fix, m."""
        errors: Floats = self.at(fixes.stamps)[:, :2] - fixes.places[:, :2]
        return np.hypot(errors[:, 0], errors[:, 1])


class Run(NamedTuple):
    """A replay: what it published, and its estimator."""

    track: Track
    estimator: Estimator


def main() -> int:
    """Replay the bag a few times, print and draw."""
    parser = options(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    if arguments.quick:
        print(f"--quick: odometry is late for the first {_QUICK:.0f} s alone, not for all 395 s")
    with open_bag(ROOT / "test" / "data" / "husky.bag") as bag:
        recording = Recording(dict(bag.topics), list(bag.messages(bag.topics)))
    fixes, reported = _fixes(recording)
    held_back = Track(fixes.stamps[1::2], fixes.places[1::2])
    runs = {
        "husky.yaml": _run("husky.yaml", recording),
        "husky_tuned.yaml": _run("husky_tuned.yaml", recording),
        "husky_gps.yaml": _run("husky_gps.yaml", recording.without(set(held_back.stamps.tolist()))),
    }
    tracks = {
        "wheel odometry": _wheels(recording).fitted(fixes),
        "husky.yaml": runs["husky.yaml"].track.fitted(fixes),
        "husky_tuned.yaml": runs["husky_tuned.yaml"].track.fitted(fixes),
        "husky_gps.yaml": runs["husky_gps.yaml"].track,
    }
    rmse = {name: _rms(track.errors(fixes)) for name, track in tracks.items()}
    figures = [
        Figure(
            "husky.yaml: end, from where robot_localization expects it",
            float(np.linalg.norm(runs["husky.yaml"].track.places[-1] - _END)),
            "m",
            _END_WITHIN,
            f"robot_localization {_PEER_END} (a constant)",
        ),
        Figure(
            "husky.yaml: RMSE against GPS",
            rmse["husky.yaml"],
            "m",
            beside=f"robot_localization {_PEER_RMSE} (a constant)",
        ),
        Figure("wheel odometry: RMSE against GPS", rmse["wheel odometry"], "m"),
        Figure(
            "husky_tuned.yaml: RMSE against GPS",
            rmse["husky_tuned.yaml"],
            "m",
            3.0,
            f"by hand {_BY_HAND} (a constant)",
        ),
        _consistency("husky_tuned.yaml", runs),
        Figure(
            "husky_gps.yaml: RMSE on the fixes held back",
            _rms(tracks["husky_gps.yaml"].errors(held_back)),
            "m",
            beside=f"a fix: {reported:.2f} reported, {_jitter(fixes):.2f} about its neighbours",
        ),
        _consistency("husky_gps.yaml", runs),
        *_lateness(recording, runs["husky.yaml"], quick=arguments.quick),
    ]
    path = ROOT / "out" / "husky.png"
    path.parent.mkdir(exist_ok=True)
    _draw(path, tracks, fixes, held_back)
    print(f"written: {path.relative_to(ROOT)}")
    return conclude("husky.bag", figures, arguments)


def _fixes(recording: Recording) -> tuple[Track, float]:
    """Return the fixes east, north and up of the first, and their reported error (m, rms)."""
    messages = [message for _, _, message in recording.messages([_FIXES])]
    places = [Datum(m.latitude, m.longitude, m.altitude) for m in messages]
    variances = [m.position_covariance[0] + m.position_covariance[4] for m in messages]
    stamps = np.array([stamp_of(m) for m in messages])
    track = Track(stamps, np.array([places[0].enu(place) for place in places]))
    return track, float(np.sqrt(np.mean(variances)))


def _jitter(fixes: Track, reach: int = 3) -> float:
    """Return how far (m, robust rms) a fix lies from the parabola through its neighbours.

    That is the part of a fix's error that is new in it; the part that it shares with its
    neighbours doesn't show.
    """
    errors = []
    for i in range(reach, len(fixes.stamps) - reach):
        others = np.r_[i - reach : i, i + 1 : i + reach + 1]
        ages = (fixes.stamps[others] - fixes.stamps[i]) * 1e-9
        weights = np.linalg.pinv(np.vander(ages, 3))[-1]
        error = fixes.places[i, :2] - weights @ fixes.places[others, :2]
        errors.append(error / np.sqrt(1.0 + weights @ weights))
    spread = np.median(np.abs(errors), axis=0) / 0.6745
    return float(np.hypot(*spread))


def _wheels(recording: Recording) -> Track:
    messages = [message for _, _, message in recording.messages([_ODOMETRY])]
    return Track(
        np.array([stamp_of(m) for m in messages]),
        np.array([vector(m.pose.pose.position) for m in messages]),
    )


def _run(
    file: str,
    recording: Recording,
    each: Callable[[Estimator, int], None] | None = None,
    **changes: Any,
) -> Run:
    """Replay with a parameter file and changes to it, calling `each` at every tick."""
    parameters = load_parameters(ROOT / "config" / file, "ekf_node") | changes
    estimator, _ = Estimator.from_parameters(parameters)
    stamps, places = [], []
    start = time.monotonic()
    for now, row in replay(estimator, cast("Bag", recording)):
        if row is not None:
            stamps.append(row.odometry.stamp)
            places.append(row.odometry.position)
        if each is not None:
            each(estimator, now)
    print(f"{file}: replayed in {time.monotonic() - start:.0f} s", flush=True)
    return Run(Track(np.array(stamps), np.array(places)), estimator)


def _consistency(name: str, runs: dict[str, Run]) -> Figure:
    consistency = runs[name].estimator.filter.consistency
    ratios = {source: statistics.ratio for source, statistics in consistency.items()}
    return Figure(
        f"{name}: NIS of an input, farthest from 1",
        max(max(ratio, 1.0 / ratio) for ratio in ratios.values()),
        "times",
        2.0,
        ", ".join(f"{source} {ratio:.2f}" for source, ratio in sorted(ratios.items())),
    )


def _lateness(recording: Recording, in_time: Run, *, quick: bool) -> list[Figure]:
    """Return what late odometry does to husky.yaml, with smoothing and without."""
    part = recording.until(_QUICK) if quick else recording
    expected, found = _history(part), _history(part.late())
    common = expected.keys() & found.keys()
    late = _run("husky.yaml", part.late()).track
    apart = np.linalg.norm(late.places - in_time.track.at(late.stamps), axis=1)
    return [
        Figure(
            "odometry 0.3 s late, smoothed: state off that in time",
            max(float(np.abs(expected[t] - found[t]).max()) for t in common),
            "",
            1e-9,
            f"{len(common)} instants, each read 0.35 s later",
        ),
        Figure("odometry 0.3 s late, not smoothed: position off", _rms(apart), "m", beside="rms"),
        Figure(
            "odometry 0.3 s late, not smoothed: position off", float(apart[-1]), "m", beside="end"
        ),
    ]


def _history(recording: Recording) -> dict[int, Floats]:
    """Return the state that the filter's history holds for each instant (ns) 0.35 s later."""
    states: dict[int, Floats] = {}

    def note(estimator: Estimator, now: int) -> None:
        past = estimator.filter.at(now - _READ_AFTER)
        if past is not None:
            states[past.stamp] = past.belief.state

    _run("husky.yaml", recording, note, **_SMOOTH)
    return states


def _rms(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _draw(path: Any, tracks: dict[str, Track], fixes: Track, held_back: Track) -> None:
    """Draw the tracks over the fixes, and each one's distance from them over time."""
    picture = Picture(figsize=(11, 7), layout="constrained")
    axes = picture.subplot_mosaic([["map", "error"]], width_ratios=(1, 1.2))
    axes["map"].plot(*fixes.places[:, :2].T, ".", color="0.6", ms=4, label="fixes")
    colours = ("tab:gray", "tab:orange", "tab:blue", "tab:green")
    for (name, track), colour in zip(tracks.items(), colours, strict=True):
        fused = name == "husky_gps.yaml"
        against = held_back if fused else fixes
        errors = track.errors(against)
        what = "on fixes held back" if fused else "after the fit"
        axes["map"].plot(*track.places[:, :2].T, color=colour, lw=1.2, label=name)
        axes["error"].plot(
            (against.stamps - fixes.stamps[0]) * 1e-9,
            errors,
            color=colour,
            lw=1.0,
            label=f"{name}: {_rms(errors):.2f} m rms {what}",
        )
    axes["map"].set(xlabel="east (m)", ylabel="north (m)", title="husky.bag", aspect="equal")
    axes["error"].set(xlabel="time (s)", ylabel="distance from the fix (m)", yscale="log")
    axes["error"].set_ylim(0.05, 300.0)
    axes["error"].grid(alpha=0.3)
    axes["error"].legend(fontsize=8, loc="upper center")
    picture.legend(*axes["map"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    picture.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
