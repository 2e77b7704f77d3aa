"""Drives on a grid of time: states and inputs at a fixed step, whatever the bags' rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ebm_mpc_ros.estimation.commands import CommandHistory
from ebm_mpc_ros.learning.recording import DataError, Floats, Recording, Stamps, Track
from ebm_mpc_ros.learning.steering import STEERING, steered, told
from ebm_mpc_ros.models.inputs import RATES

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

TWIST = ("vx", "vy", "vz", "vroll", "vpitch", "vyaw")
"""The components of a twist, in order."""
# What of a robot that steers stands in the place of its turn rate.
_PLACES = {name: place for place, name in enumerate(TWIST)} | {STEERING: TWIST.index("vyaw")}
# Of dt; how much slower than the grid a bag may be on average.
_SLACK = 1.05


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The step dt (s), and the time (s) without a sample from which on nothing is known.

    Raises:
        ValueError: One is not above 0.
    """

    dt: float
    longest_gap: float

    def __post_init__(self) -> None:
        for name in ("dt", "longest_gap"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be above 0")


class Segment(NamedTuple):
    """An unbroken part of a drive: stamps (T,) in ns, states (T, size), inputs (T - 1, m)."""

    stamps: Stamps
    states: Floats
    inputs: Floats


def segments(model: Model, recording: Recording, grid: Grid) -> list[Segment]:
    """Return the parts of a drive in which both its states and its inputs are known.

    The input over a step is the rate of change of the commands in force, as the estimator takes
    it, or else that of the measured twist; for a robot that steers, of the angle that they mean.

    Raises:
        DataError: The model's inputs can't be had from bags, the bag is slower than the grid, or
            nothing of it is left.
    """
    columns = _input_columns(model)
    twists = recording.commands or recording.twists
    if twists is None:
        raise DataError(f"{recording.name}: neither commands nor twists")
    _check_rate(recording.name, "states", recording.states, grid)
    if recording.commands is None:
        _check_rate(recording.name, "twists", twists, grid)
    driven = Track(twists.stamps, told(model, twists.values))
    step, gap = round(grid.dt * 1e9), round(grid.longest_gap * 1e9)
    spans = _common(_spans(recording.states.stamps, gap), _spans(driven.stamps, gap))
    history = command_history(driven, grid.longest_gap) if recording.commands else None
    known = Track(recording.states.stamps, steered(model, recording.states.values))
    found = []
    for start, end in spans:
        stamps = np.arange(start, end + 1, step, dtype=np.int64)
        if len(stamps) < 2:
            continue
        if history is not None:
            pairs = zip(stamps[:-1].tolist(), stamps[1:].tolist(), strict=True)
            inputs = np.array([history.average(*pair) for pair in pairs])
        else:
            inputs = np.diff(_linear(driven, stamps), axis=0) / grid.dt
        states = interpolate(model, known, stamps)
        found.append(Segment(stamps, states, inputs[:, columns]))
    if not found:
        raise DataError(
            f"{recording.name}: states and inputs never go together for {grid.dt:g} s without a "
            f"gap of more than {grid.longest_gap:g} s"
        )
    return found


def interpolate(model: Model, states: Track, stamps: Stamps) -> Floats:
    """Return the states at stamps (T,) within the track, along the error δ between neighbours."""
    if len(states.stamps) == 1:
        return np.repeat(states.values, len(stamps), axis=0)
    after = np.clip(np.searchsorted(states.stamps, stamps), 1, len(states.stamps) - 1)
    begin, end = states.stamps[after - 1], states.stamps[after]
    share = (stamps - begin) / (end - begin)
    here = states.values[after - 1]
    return np.asarray(model.plus(here, share[:, None] * model.minus(states.values[after], here)))


def _input_columns(model: Model) -> list[int]:
    """Return which component of a twist each input of the model is the rate of change of."""
    if not model.input_names:
        raise DataError("the model has no inputs to learn")
    for name in model.input_names:
        if RATES.get(name) not in _PLACES:
            raise DataError(f"the model's input {name} is not told by commands or twists")
    return [_PLACES[RATES[name]] for name in model.input_names]


def _check_rate(name: str, what: str, samples: Track, grid: Grid) -> None:
    if len(samples.stamps) < 2:
        raise DataError(f"{name}: only one sample of its {what}")
    period = float(np.median(np.diff(samples.stamps))) * 1e-9
    if period > _SLACK * grid.dt:
        raise DataError(
            f"{name}: its {what} come every {period:.3g} s, too slow for a dt of {grid.dt:g} s"
        )


def command_history(commands: Track, longest_period: float) -> CommandHistory:
    """Return all commands (k, 6) of a drive; those further apart than so long (s) tell no input."""
    whole = float(commands.stamps[-1] - commands.stamps[0]) * 1e-9
    history = CommandHistory(longest_period=longest_period, memory=whole + 1.0)
    for stamp, twist in zip(commands.stamps.tolist(), commands.values, strict=True):
        history.add(stamp, twist)
    return history


def _linear(samples: Track, stamps: Stamps) -> Floats:
    # Relative to the start, for as floats the stamps of today lack nanoseconds.
    origin = samples.stamps[0]
    known, wanted = (samples.stamps - origin) * 1e-9, (stamps - origin) * 1e-9
    return np.column_stack([np.interp(wanted, known, column) for column in samples.values.T])


def _spans(stamps: Stamps, gap: int) -> list[tuple[int, int]]:
    """Return first and last stamp of each run of samples without a gap."""
    breaks = np.flatnonzero(np.diff(stamps) > gap)
    starts = [0, *(breaks + 1).tolist()]
    ends = [*breaks.tolist(), len(stamps) - 1]
    return [(int(stamps[a]), int(stamps[b])) for a, b in zip(starts, ends, strict=True)]


def _common(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the intersection of two lists of spans in order."""
    found = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            found.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return found
