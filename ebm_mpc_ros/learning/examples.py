"""Drives cut into rows to learn from: demonstrations of a policy, transitions of a robot."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ebm_mpc_ros.control import planar_outputs
from ebm_mpc_ros.learning.conditions import Sight, condition
from ebm_mpc_ros.learning.goals import FOLLOWING, ToldGoals, driven_goals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.control import FollowerSettings
    from ebm_mpc_ros.learning.recording import Floats, Obstacles, Recording, Stamps
    from ebm_mpc_ros.learning.resampling import Segment
    from ebm_mpc_ros.models import Model


class Transitions(NamedTuple):
    """Steps x[k-1], u[k-1] -> x[k] with the stamps (ns) at which they begin and end."""

    states: Floats
    inputs: Floats
    following: Floats
    begin: Stamps
    end: Stamps

    def rows(self, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """Return the states, inputs and following states of the rows chosen (k,)."""
        return self.states[chosen], self.inputs[chosen], self.following[chosen]


class Demonstrations(NamedTuple):
    """Conditions (k, C) and the inputs driven then (k, N, m), with begin and end stamps (ns).

    Moments without a whole chunk before a gap or the end, and those before the first goal, are
    left out: `broken` and `aimless` are how many.
    """

    conditions: Floats
    inputs: Floats
    begin: Stamps
    end: Stamps
    broken: int
    aimless: int


def transitions(segments: Sequence[Segment]) -> Transitions:
    """Return every step within the segments; none leads across a gap."""
    return Transitions(
        np.concatenate([s.states[:-1] for s in segments]),
        np.concatenate([s.inputs for s in segments]),
        np.concatenate([s.states[1:] for s in segments]),
        np.concatenate([s.stamps[:-1] for s in segments]),
        np.concatenate([s.stamps[1:] for s in segments]),
    )


def demonstrations(
    model: Model,
    recording: Recording,
    segments: Sequence[Segment],
    sight: Sight,
    horizon: int,
    following: FollowerSettings = FOLLOWING,
) -> Demonstrations:
    """Return what was seen at each moment and the `horizon` inputs that followed, gaps apart."""
    sizes = len(model.input_names)
    told = ToldGoals(model, recording, sight.look_ahead, following) if recording.goals else None
    found = [_of_segment(model, recording, told, s, sight, horizon) for s in segments]
    width = found[0].conditions.shape[1]
    return Demonstrations(
        np.concatenate([d.conditions.reshape(-1, width) for d in found]),
        np.concatenate([d.inputs.reshape(-1, horizon, sizes) for d in found]),
        np.concatenate([d.begin for d in found]),
        np.concatenate([d.end for d in found]),
        sum(d.broken for d in found),
        sum(d.aimless for d in found),
    )


def _of_segment(
    model: Model,
    recording: Recording,
    told: ToldGoals | None,
    segment: Segment,
    sight: Sight,
    horizon: int,
) -> Demonstrations:
    stamps, states = segment.stamps, segment.states
    if told is not None:
        goals = told.along(stamps, states)
    else:
        goals = driven_goals(planar_outputs(model, states)[:, :3], sight.look_ahead)
    whole = np.arange(max(len(stamps) - horizon, 0))
    moments = whole[np.isfinite(goals[whole]).all(axis=1)]
    parts = []
    for first, last, circles in _standing(recording.obstacles, stamps):
        part = slice(first, last)
        parts.append(condition(model, sight, states[part], goals[part], circles))
    conditions = np.concatenate(parts)
    chunks = segment.inputs[moments[:, None] + np.arange(horizon)]
    return Demonstrations(
        conditions[moments],
        chunks,
        stamps[moments],
        stamps[moments + horizon],
        broken=len(stamps) - 1 - len(whole),
        aimless=len(whole) - len(moments),
    )


def _standing(obstacles: Sequence[Obstacles], stamps: Stamps) -> list[tuple[int, int, Floats]]:
    """Return the ranges of stamps over which the same circles stand, and the circles."""
    starts = np.searchsorted(stamps, [entry.stamp for entry in obstacles]).tolist()
    circles = [np.empty((0, 3)), *(entry.circles for entry in obstacles)]
    edges = [0, *starts, len(stamps)]
    return [
        (first, last, circles[k])
        for k, (first, last) in enumerate(itertools.pairwise(edges))
        if first < last
    ]
