"""States of a bag without ground truth: our own estimator over it, then smoothed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.recording import track
from ebm_mpc_ros.learning.resampling import command_history
from ebm_mpc_ros.learning.smoothing import smooth
from ebm_mpc_ros.models import CANONICAL_STATES
from ebm_mpc_ros.tools.replay import estimator_for, replay
from ebm_mpc_ros.tools.replay_topics import COMMANDS, bag_topic
from ebm_mpc_ros.tools.train_twists import twists

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from ebm_mpc_ros.estimation.commands import CommandHistory
    from ebm_mpc_ros.estimation.ekf import Measurement, Update
    from ebm_mpc_ros.estimation.filter import FilterSettings
    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimator import Estimator

_LONGEST_PERIOD = 0.25
# Variances in m² and rad² of a place that could be anywhere.
_PLACE = {"x": 1e6, "y": 1e6, "z": 1e6, "yaw": 10.0}


class Rows(NamedTuple):
    """Stamps (ns), rows of the fifteen canonical states, and the frames of poses and twists."""

    stamps: list[int]
    rows: list[Any]
    frame: str
    base: str


def estimated(
    bag: Bag, path: Path, params: str, config: Path, dropped: Counter[str] | None
) -> Rows:
    """Return the smoothed estimate at the stamps of what was measured.

    It begins at the pose that the sensors first give, wherever that is and whenever it comes.

    Args:
        bag: The bag.
        path: Its path.
        params: The parameter file of ekf_node, relative to the settings'.
        config: The settings' file.
        dropped: Where to count commands that are not finite; None to refuse them.

    Raises:
        UserError: The parameters can't be used, or nothing in the bag can.
    """
    if not params:
        raise UserError(f"--config {config}: `states: estimate` needs `estimator: FILE`")
    fused: list[Measurement] = []

    def observe(measurement: Measurement, update: Update) -> None:
        if update.accepted:
            fused.append(measurement)

    estimator = estimator_for(bag, (config.parent / params,), observer=observe)
    estimator.filter.change(_anywhere(estimator))
    start = None
    for _ in replay(estimator, bag):
        start = start or estimator.filter.estimate
    if start is None:
        raise UserError(f"{path}: no message could be used, so there is no estimate")
    later = [measurement for measurement in fused if measurement.stamp > start.stamp]
    settings = estimator.filter.settings
    commands = _commands(bag, dropped) if settings.use_control else None
    found = Rows([], [], estimator.world_frame, estimator.child_frame)
    columns = [CANONICAL_STATES.index(name) for name in settings.model.output_names]
    for stamp, belief in smooth(settings, start, later, commands):
        row = np.zeros(len(CANONICAL_STATES))
        row[columns] = settings.model.h(belief.state)
        found.stamps.append(stamp)
        found.rows.append(row)
    return found


def _anywhere(estimator: Estimator) -> FilterSettings:
    """Return the settings with nothing known before of the coordinates whose place is measured."""
    settings, values = estimator.filter.settings, estimator.values
    measured = {
        state
        for name in estimator.inputs
        if not values.get(f"{name}_differential")
        for state, on in zip(CANONICAL_STATES, values[f"{name}_config"], strict=True)
        if on
    }
    covariance = settings.initial_covariance.copy()
    for name in _PLACE.keys() & measured:
        if name in settings.model.state_names:
            i = settings.model.state_names.index(name)
            covariance[i, i] = max(covariance[i, i], _PLACE[name])
    return replace(settings, initial_covariance=covariance)


def _commands(bag: Bag, dropped: Counter[str] | None) -> CommandHistory | None:
    """Return the commands as the estimator takes them."""
    topic = bag_topic(bag, COMMANDS)
    if topic not in bag.topics:
        return None
    stamps, rows = twists(bag, topic)
    return command_history(track(topic, stamps, rows, dropped=dropped), _LONGEST_PERIOD)
