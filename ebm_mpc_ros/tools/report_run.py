"""A recorded run in arrays; times are s from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections import Counter

    from ebm_mpc_ros.tools.report_events import Said
    from ebm_mpc_ros.tools.report_obstacles import Obstacle

Floats = NDArray[np.float64]

# Between two states of a track that are this many s, and of its periods, apart nothing is known.
_LONGEST_GAP, _PERIODS = 0.5, 5.0


class Track(NamedTuple):
    """Poses and twists by time.

    Attributes:
        topic: Where from.
        frame: That of the poses.
        times: (k,) s, rising.
        states: x, y, yaw, vx, vy, vyaw (k, 6), yaw unwrapped.
        covariances: Of x, y, yaw (k, 3, 3).
    """

    topic: str
    frame: str
    times: Floats
    states: Floats
    covariances: Floats

    def at(self, times: Floats) -> Floats:
        """Return the states at other times, linear in between.

        NaN before and after the track, and where it is silent for long.
        """
        states = np.stack(
            [np.interp(times, self.times, c, np.nan, np.nan) for c in self.states.T], axis=-1
        )
        steps = np.diff(self.times)
        if steps.size:
            longest = max(_LONGEST_GAP, _PERIODS * float(np.median(steps)))
            following = np.searchsorted(self.times, times).clip(1, len(steps))
            before, after = self.times[following - 1], self.times[following]
            states[(after - before > longest) & (before < times) & (times < after)] = np.nan
        return states


class Forecast(NamedTuple):
    """Where the robot was to be: times (m,) s, x and y (m, 2).

    A plan has one time, when it came, and no points where it was cancelled.
    """

    times: Floats
    places: Floats


class Run(NamedTuple):
    """What a bag has of a run.

    Attributes:
        start: ns of the clock that stamps are of.
        duration: s.
        estimate: Where the robot was thought to be.
        truth: Where it was, in whatever frame.
        odometries: Other tracks.
        commands: Times, speed, sideways speed, turn rate (k, 4).
        forecasts: By role, in the frame of the main track.
        every: Of these and plans, so many-th messages were read.
        plans: Times and points (m, 2) of the paths that were to be followed, in that frame.
        obstacles: Those that stood, in that frame.
        said: What nodes said of themselves.
        figures: Their numbers by (node, name): times and values (k, 2).
        remarks: How many of what something is to be said of, and that.
        set_back: Whether it is but the longest stretch in which no clock was set back.
    """

    start: int
    duration: float
    estimate: Track | None
    truth: Track | None
    odometries: list[Track]
    commands: Floats
    forecasts: dict[str, list[Forecast]]
    every: dict[str, int]
    plans: list[Forecast]
    obstacles: list[Obstacle]
    said: list[Said]
    figures: dict[tuple[str, str], Floats]
    remarks: Counter[tuple[str, str]]
    set_back: bool

    @property
    def main(self) -> Track | None:
        """The track that tells best where the robot was: estimate, truth or odometry."""
        return next(iter([t for t in (self.estimate, self.truth, *self.odometries) if t]), None)

    @property
    def placed_truth(self) -> Track | None:
        """The truth, where it is in the frame of the main track."""
        same = self.truth and self.main and self.truth.frame == self.main.frame
        return self.truth if same else None

    @property
    def frame(self) -> str:
        """The main track's frame, in words."""
        return named(self.main.frame) if self.main else named("")


def named(frame: str) -> str:
    """Return a frame's name, or that it has none."""
    return frame or "unnamed"


def since(stamps: NDArray[np.int64], start: int) -> Floats:
    """Return stamps (ns) in s from a start."""
    return (stamps - start).astype(np.float64) * 1e-9
