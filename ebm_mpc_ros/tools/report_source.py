"""What a report is made of: which bag, and the innovations and limits that go with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros.event_log import is_event_log, replay_events
from ebm_mpc_ros.ros.parameter_file import ParameterFileError, load_parameters
from ebm_mpc_ros.tools.console import progress
from ebm_mpc_ros.tools.innovations import (
    FILE,
    InnovationRecorder,
    InnovationTable,
    read_innovations,
    to_table,
)
from ebm_mpc_ros.tools.replay import estimator_for, replay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimate_output import Odometry

PARAMETERS = "params.yaml"
"""Where demo keeps what the nodes ran with."""
PAGE = "report.html"
"""The report in a folder that demo or replay made."""
_METADATA = "metadata.yaml"
_LIMITS = (
    "max_speed",
    "min_speed",
    "max_yaw_rate",
    "max_acceleration",
    "max_deceleration",
    "max_yaw_acceleration",
)


class Source(NamedTuple):
    """Where a run is recorded.

    Attributes:
        bag: Its bag.
        page: Where its report goes by default.
        title: Its name.
        params: The parameters of its nodes, where they are kept.
        innovations: Its innovations, where they are.
    """

    bag: Path
    page: Path
    title: str
    params: Path | None = None
    innovations: Path | None = None


def find_source(path: Path) -> Source:
    """Return what a bag, or the folder that demo or replay made, has.

    Raises:
        UserError: There is none.
    """
    name = path.resolve().name
    if not path.exists():
        raise UserError(f"{path}: no such bag or folder")
    if not path.is_dir():
        return Source(path, path.with_suffix(".report.html"), path.stem)
    if (path / _METADATA).is_file():
        return Source(path, path.resolve().parent / f"{name}.report.html", name)
    page = path / PAGE
    if (path / "bag" / _METADATA).is_file():
        return Source(path / "bag", page, name, params=_there(path / PARAMETERS))
    if (path / "estimate" / _METADATA).is_file():
        return Source(path / "estimate", page, name, innovations=_there(path / FILE))
    raise UserError(
        f"{path}: no recording in it: neither a bag's {_METADATA} nor bag/ of demo "
        "nor estimate/ of replay"
    )


class Innovations(NamedTuple):
    """Innovations of an estimator.

    Attributes:
        table: Them; None where there are none.
        words: How they were got; what would give them where there are none.
        estimates: What was estimated, where they were computed anew; frame and estimates.
    """

    table: InnovationTable | None
    words: str
    estimates: tuple[str, list[Odometry]] | None = None


def innovations_of(
    bag: Bag, source: Source, params: Path | None, node: str, *, strictly: bool
) -> Innovations:
    """Return the innovations of a run: kept, logged, or computed anew from the bag's sensors.

    Args:
        bag: The run's bag.
        source: Where it is recorded.
        params: The nodes' parameters.
        node: The estimator's name in them.
        strictly: Whether parameters that can't be used on the bag are a mistake.

    Raises:
        UserError: What is kept is damaged, or such a mistake.
    """
    if is_event_log(bag):
        return _logged(bag)
    if source.innovations is not None:
        return Innovations(read_innovations(source.innovations), "")
    if params is not None:
        try:
            return _computed(bag, params, node)
        except UserError as error:
            if strictly:
                raise
            return Innovations(None, f"an estimator that runs on this bag: {error}")
    return Innovations(
        None,
        "the estimator's parameters, given with --params FILE: they are computed from the "
        "sensors in the bag. Or an event log, recorded with ekf_node's parameter event_log; or "
        "the folder that replay makes",
    )


def limits_of(params: Path | None) -> tuple[dict[str, float], str]:
    """Return the limits of commands in a parameter file, and what would give them.

    Raises:
        UserError: The file can't be read.
    """
    if params is None:
        return {}, "the parameters of mpc_node or policy_node, given with --params FILE"
    for node in ("mpc_node", "policy_node"):
        try:
            given = load_parameters(params, node)
        except ParameterFileError:
            continue
        return _numbers(given), ""
    return {}, f"mpc_node or policy_node in {params.name}"


def _numbers(given: Mapping[str, object]) -> dict[str, float]:
    return {
        name: float(value)
        for name in _LIMITS
        if isinstance(value := given.get(name), int | float) and math.isfinite(value)
    }


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _logged(bag: Bag) -> Innovations:
    recorder = InnovationRecorder()
    names = None
    with progress("event log", "bag seconds", (bag.end_time - bag.start_time) * 1e-9) as advance_to:
        for estimator, now, _, _ in replay_events(bag, recorder):
            names = estimator.model.output_names
            advance_to((now - bag.start_time) * 1e-9)
    if names is None or not recorder.innovations:
        return Innovations(None, "measurements in the event log, which has none")
    return Innovations(to_table(recorder.innovations, names), "From the event log, to the bit.")


def _computed(bag: Bag, params: Path, node: str) -> Innovations:
    recorder = InnovationRecorder()
    estimator = estimator_for(bag, params, node, observer=recorder)
    with progress(
        "estimating", "bag seconds", (bag.end_time - bag.start_time) * 1e-9
    ) as advance_to:
        estimates = []
        for now, row in replay(estimator, bag):
            if row is not None:
                estimates.append(row.odometry)
            advance_to((now - bag.start_time) * 1e-9)
    if not recorder.innovations:
        return Innovations(None, f"sensors in the bag that {params.name} can use")
    return Innovations(
        to_table(recorder.innovations, estimator.model.output_names),
        f"Computed anew from the bag's sensors with {params.name}.",
        (estimator.world_frame, estimates),
    )
