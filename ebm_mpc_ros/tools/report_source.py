"""What a report is made of: which bag, and the innovations and limits that go with it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.learning.bags import METADATA
from ebm_mpc_ros.ros.event_log import is_event_log, replay_events
from ebm_mpc_ros.ros.parameter_file import NoParametersError, load_layers
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import ROBOT_PARAMETERS
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
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.tools.report_run import Run

PARAMETERS = "params.yaml"
"""Where demo keeps what the nodes ran with."""
PAGE = "report.html"
"""The report in a folder that demo or replay made."""
_DRIVERS = ("mpc_node", "policy_node")
_LIMITS = (
    "max_speed",
    "min_speed",
    "max_yaw_rate",
    "max_acceleration",
    "max_deceleration",
    "max_yaw_acceleration",
)
_SIDEWAYS = ("max_sideways_speed", "max_sideways_acceleration")


class Source(NamedTuple):
    """Where a run is recorded.

    Attributes:
        bag: Its bag.
        page: Where its report goes by default.
        title: Its name.
        params: The files of its nodes' parameters, where they are kept.
        innovations: Its innovations, where they are.
    """

    bag: Path
    page: Path
    title: str
    params: tuple[Path, ...] = ()
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
    if (path / METADATA).is_file():
        return Source(path, path.resolve().parent / f"{name}.report.html", name)
    page = path / PAGE
    if (path / "bag" / METADATA).is_file():
        return Source(path / "bag", page, name, params=_there(path / PARAMETERS))
    if (path / "estimate" / METADATA).is_file():
        return Source(
            path / "estimate", page, name, innovations=next(iter(_there(path / FILE)), None)
        )
    raise UserError(
        f"{path}: no recording in it: neither a bag's {METADATA} nor bag/ of demo "
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
    bag: Bag, source: Source, params: Sequence[Path], node: str, *, strictly: bool
) -> Innovations:
    """Return the innovations of a run: kept, logged, or computed anew from the bag's sensors.

    Args:
        bag: The run's bag.
        source: Where it is recorded.
        params: Files of the nodes' parameters; of two the later one wins.
        node: The estimator's name in them.
        strictly: Whether parameters that can't be used on the bag are a mistake.

    Raises:
        UserError: What is kept is damaged, or such a mistake.
    """
    if is_event_log(bag):
        return _logged(bag)
    if source.innovations is not None:
        return Innovations(read_innovations(source.innovations), "")
    if params:
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


class Limits(NamedTuple):
    """Limits of commands by their parameters' names, and whose they are or what would give them."""

    values: dict[str, float]
    words: str


def drivers_in(params: Sequence[Path], namespace: str) -> dict[str, dict[str, Any]]:
    """Return what parameter files give to the nodes that command, by their names.

    Raises:
        UserError: A file can't be read.
    """
    found = {}
    for node in _DRIVERS:
        with contextlib.suppress(NoParametersError):
            found[node] = load_layers(params, f"{namespace}/{node}")
    return found


def limits_of(drivers: Mapping[str, Mapping[str, Any]], run: Run) -> Limits:
    """Return the limits of the node that drove.

    Raises:
        UserError: One is not allowed.
    """
    driver = _driver(drivers, run)
    if driver not in drivers:
        needed = f"the parameters of {driver}, given with --params FILE"
        return Limits({}, f"Limits are missing: they need {needed}.")
    given = drivers[driver]
    rows = [row for row in ROBOT_PARAMETERS if row.name in ("model", *_LIMITS, *_SIDEWAYS)]
    read_values, _ = read(rows, given)
    model = read_values.pop("model")
    values = {
        name: value
        for name, value in read_values.items()
        if name not in _SIDEWAYS or name in given or model == "omni"
    }
    absent = ", ".join(name for name in values if name not in given)
    words = f"; not among its parameters, so its defaults: {absent}" if absent else ""
    return Limits(values, f"Limits are {driver}'s{words}.")


def _driver(drivers: Mapping[str, Mapping[str, Any]], run: Run) -> str:
    """Return the node that drove: as it is set, else as was heard of it."""
    if drivers.get("policy_node", {}).get("send_commands") is True:
        return "policy_node"
    heard = {said.node.rpartition("/")[2] for said in run.said}
    heard |= {"mpc_node"} if "prediction" in run.forecasts else set()
    there = [node for node in _DRIVERS if node in heard] or list(drivers)
    return next(iter(there), " or ".join(_DRIVERS))


def _there(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else ()


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


def _computed(bag: Bag, params: Sequence[Path], node: str) -> Innovations:
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
    names = ", ".join(path.name for path in params)
    if not recorder.innovations:
        return Innovations(None, f"sensors in the bag that {names} can use")
    return Innovations(
        to_table(recorder.innovations, estimator.model.output_names),
        f"Computed anew from the bag's sensors with {names}.",
        (estimator.world_frame, estimates),
    )
