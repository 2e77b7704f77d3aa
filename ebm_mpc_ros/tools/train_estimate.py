"""States of a bag without ground truth: our own estimator over it, then smoothed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.recording import track
from ebm_mpc_ros.learning.resampling import command_history
from ebm_mpc_ros.learning.smoothing import smooth
from ebm_mpc_ros.models import CANONICAL_STATES
from ebm_mpc_ros.tools.replay import COMMANDS, estimator_for, replay
from ebm_mpc_ros.tools.train_twists import twists

if TYPE_CHECKING:
    from pathlib import Path

    from ebm_mpc_ros.estimation.commands import CommandHistory
    from ebm_mpc_ros.estimation.ekf import Measurement, Update
    from ebm_mpc_ros.learning.bags import Bag

_LONGEST_PERIOD = 0.25


class Rows(NamedTuple):
    """Stamps (ns), rows of the fifteen canonical states, and the frame of their poses."""

    stamps: list[int]
    rows: list[Any]
    frame: str


def estimated(bag: Bag, path: Path, params: str, config: Path) -> Rows:
    """Return the smoothed estimate at the stamps of what was measured.

    Args:
        bag: The bag.
        path: Its path.
        params: The parameter file of ekf_node, relative to the settings'.
        config: The settings' file.

    Raises:
        UserError: The parameters can't be used, or nothing in the bag can.
    """
    if not params:
        raise UserError(f"--config {config}: `states: estimate` needs `estimator: FILE`")
    fused: list[Measurement] = []

    def observe(measurement: Measurement, update: Update) -> None:
        if update.accepted:
            fused.append(measurement)

    estimator = estimator_for(bag, config.parent / params, observer=observe)
    start = None
    for _ in replay(estimator, bag):
        start = start or estimator.filter.estimate
    if start is None:
        raise UserError(f"{path}: no message could be used, so there is no estimate")
    later = [measurement for measurement in fused if measurement.stamp > start.stamp]
    settings = estimator.filter.settings
    commands = _commands(bag) if settings.use_control else None
    found = Rows([], [], estimator.world_frame)
    columns = [CANONICAL_STATES.index(name) for name in settings.model.output_names]
    for stamp, belief in smooth(settings, start, later, commands):
        row = np.zeros(len(CANONICAL_STATES))
        row[columns] = settings.model.h(belief.state)
        found.stamps.append(stamp)
        found.rows.append(row)
    return found


def _commands(bag: Bag) -> CommandHistory | None:
    """Return the commands as the estimator takes them."""
    if COMMANDS not in bag.topics:
        return None
    stamps, rows = twists(bag, COMMANDS)
    return command_history(track(COMMANDS, stamps, rows, drop_bad=True), _LONGEST_PERIOD)
