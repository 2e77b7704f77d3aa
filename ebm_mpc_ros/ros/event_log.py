"""All that happens to an `Estimator`, as a bag: replayed, it gives the same bits.

Topic `events` has a JSON object for every event, `inputs/NAME` the messages, `odometry/filtered`
what was published. Bag times only order: they grow by at least 1 ns, whatever the clock does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.learning.bags import BagWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimator import Estimator, Odometry

EVENTS, OUTPUT = "/events", "/odometry/filtered"
_STRING = "std_msgs/msg/String"
_ODOMETRY = "nav_msgs/msg/Odometry"


class EventLog:
    """The log being written."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        """Create the bag folder `path` for an estimator of those parameter values.

        Raises:
            BagError: It exists already, or can't be written.
        """
        self._writer = BagWriter(path)
        self._time = 0
        self._transforms: dict[tuple[str, str], Any] = {}
        self.call(0, "parameters", dict(values))

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()

    def message(self, now: int, name: str, kind: str, raw: bytes) -> None:
        """Note the arrival of a serialised message on the input `name`, cmd_vel or set_pose."""
        self.call(now, "message", name)
        self._writer.write_raw(f"/inputs/{name}", kind, self._next(now), raw)

    def call(self, now: int, what: str, argument: Any = None) -> None:
        """Note a tick, a service call or a change of parameters."""
        text = json.dumps({"now": now, "event": what, "argument": argument})
        message = self._writer.types.types[_STRING](data=text)
        self._writer.write(EVENTS, _STRING, self._next(now), message)

    def published(self, now: int, raw: bytes) -> None:
        """Note what was published at a tick."""
        self._writer.write_raw(OUTPUT, _ODOMETRY, self._next(now), raw)

    def looked_up(
        self, lookup: Callable[[str, str, int], Transform]
    ) -> Callable[[str, str, int], Transform]:
        """Return `lookup` with its answers noted where they change."""

        def noted(target: str, source: str, stamp: int) -> Transform:
            try:
                found = lookup(target, source, stamp)
            except UnknownFrameError as error:
                self._note(target, source, None, str(error))
                raise
            self._note(target, source, found, "")
            return found

        return noted

    def _note(self, target: str, source: str, found: Transform | None, error: str) -> None:
        known = self._transforms.get((target, source))
        if known is not None and known[0] is found:
            return
        self._transforms[target, source] = (found, error)
        numbers = None if found is None else np.concatenate(found).tolist()
        self.call(self._time, "transform", [target, source, numbers, error])

    def _next(self, now: int) -> int:
        self._time = max(self._time + 1, now)
        return self._time


class RecordedTransforms:
    """The answers of a logged lookup."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._answers: dict[tuple[str, str], tuple[Transform | None, str]] = {}

    def add(self, target: str, source: str, numbers: list[float] | None, error: str) -> None:
        """Take an answer, which holds until the next."""
        found = None
        if numbers is not None:
            found = Transform(np.array(numbers[:3]), np.array(numbers[3:]))
        self._answers[target, source] = found, error

    def lookup(self, target: str, source: str, stamp: int) -> Transform:  # noqa: ARG002
        """Return the answer.

        Raises:
            UnknownFrameError: That was the answer.
        """
        found, error = self._answers.get((target, source), (None, "not in the log"))
        if found is None:
            raise UnknownFrameError(error)
        return found


def is_event_log(bag: Bag) -> bool:
    """Return whether a bag is an event log."""
    return EVENTS in bag.topics


def replay_events(
    bag: Bag, make: Callable[[Mapping[str, Any], RecordedTransforms], Estimator]
) -> Iterator[tuple[int, Odometry | None, Any]]:
    """Yield (clock in ns, what is published, what was published) of every tick of a log.

    Args:
        bag: An event log.
        make: Returns the estimator of parameter values and transforms.

    Raises:
        UserError: The log is none of an estimator.
    """
    transforms = RecordedTransforms()
    estimator: Estimator | None = None
    for event, message in _events(bag, transforms):
        now, what, argument = event["now"], event["event"], event["argument"]
        if what == "parameters":
            if estimator is None:
                estimator = make(argument, transforms)
            else:
                estimator.change(argument)()
        elif estimator is None:
            raise UserError("the event log does not begin with parameters")
        elif what == "tick":
            yield now, estimator.to_publish(now), message
        elif what == "message":
            _deliver(estimator, argument, message, now)
        elif what == "toggle":
            estimator.toggle(on=argument)
        elif what in ("reset", "enable"):
            getattr(estimator, what)()


def _deliver(estimator: Estimator, name: str, message: Any, now: int) -> None:
    if name == "cmd_vel":
        estimator.command(message, now)
    elif name == "set_pose":
        estimator.set_pose(message, now)
    else:
        estimator.receive(name, message, now)


def _events(bag: Bag, transforms: RecordedTransforms) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield events with the message that followed; transforms are added before their event."""
    waiting: dict[str, Any] | None = None
    message = None
    for topic, _, content in bag.messages(list(bag.topics)):
        if topic != EVENTS:
            message = content
            continue
        event = json.loads(content.data)
        if event["event"] == "transform":
            transforms.add(*event["argument"])
            continue
        if waiting is not None:
            yield waiting, message
        waiting, message = event, None
    if waiting is not None:
        yield waiting, message
