"""All that happens to an `Estimator`, as a bag: replayed, it gives the same bits.

Topic `events` has a JSON object for every event, `inputs/NAME` the messages, `odometry/filtered`
what was published. Bag times only order: they grow by at least 1 ns, whatever the clock does.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError
from ebm_mpc_ros.ros.estimator import Estimator
from ebm_mpc_ros.ros.estimator_parameters import input_kind
from ebm_mpc_ros.ros.inputs import INPUT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ebm_mpc_ros.estimation.filter import Observer
    from ebm_mpc_ros.learning.bags import Bag
    from ebm_mpc_ros.ros.estimate_output import Odometry
    from ebm_mpc_ros.ros.frame_lookup import Lookup

EVENTS, OUTPUT = "/events", "/odometry/filtered"
_STRING = "std_msgs/msg/String"
_ODOMETRY = "nav_msgs/msg/Odometry"
_POSE = "geometry_msgs/msg/PoseWithCovarianceStamped"
_COMMAND = "geometry_msgs/msg/Twist"
_Answer = tuple[Transform | None, str]


class EventLog:
    """The bag being written."""

    def __init__(self, path: Path, serialize: Callable[[Any], bytes]) -> None:
        """Write to the new bag folder `path`; `serialize` returns a message's CDR.

        Raises:
            BagError: It exists already.
        """
        self.problem = ""
        """Why it goes no further: a full disk is no reason to lose the robot's estimate."""
        self._path, self._serialize = path, serialize
        from ebm_mpc_ros.learning.bags import BagWriter  # noqa: PLC0415  seldom used, and slow

        self._writer = BagWriter(path)
        self._time = 0

    def close(self) -> None:
        """Finish the bag."""
        with suppress(OSError):
            self._writer.close()

    def event(self, now: int, what: str, argument: Any = None) -> None:
        """Note an event and the clock (ns) at it."""
        types = self._writer.types
        text = json.dumps({"now": now, "event": what, "argument": argument})
        raw = types.serialize_cdr(types.types[_STRING](data=text), _STRING)
        self._write(EVENTS, _STRING, now, raw)

    def message(self, now: int, name: str, kind: str, message: Any) -> None:
        """Note the arrival of a message on the input `name`, cmd_vel or set_pose."""
        self.event(now, "message", name)
        self._write(f"/inputs/{name}", kind, now, self._serialize(message))

    def published(self, now: int, message: Any) -> None:
        """Note what was published at a tick."""
        self._write(OUTPUT, _ODOMETRY, now, self._serialize(message))

    def _write(self, topic: str, kind: str, now: int, raw: bytes | memoryview) -> None:
        if self.problem:
            return
        self._time = max(self._time + 1, now)
        try:
            self._writer.write_raw(topic, kind, self._time, raw)
        except OSError as error:
            self.problem = f"event_log {self._path} ends here: {error.strerror or error}"


class LoggedEstimator(Estimator):
    """An estimator that notes all that happens to it."""

    def __init__(
        self,
        values: Mapping[str, Any],
        lookup: Lookup,
        path: Path,
        serialize: Callable[[Any], bytes],
    ) -> None:
        """Make the estimator, and begin the log as the new bag folder `path`.

        Raises:
            UserError: A value is not allowed, or the folder exists already.
        """
        self._lookup = lookup
        self._lookups = 0
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._now = 0
        super().__init__(values, self._noted_lookup)
        self.log = EventLog(path, serialize)
        self.log.event(0, "parameters", dict(values))

    @property
    def warnings(self) -> list[str]:
        """What a user should know although it works."""
        return super().warnings + ([self.log.problem] if self.log.problem else [])

    def change(self, values: Mapping[str, Any]) -> Callable[[], None]:
        """Note other values when they are applied."""
        apply = super().change(values)

        def noted() -> None:
            self.log.event(self._now, "parameters", dict(values))
            apply()

        return noted

    def receive(self, name: str, message: Any, now: int) -> None:
        """Note a message."""
        self._note_message(name, INPUT_TYPES[input_kind(name)], message, now)
        super().receive(name, message, now)

    def command(self, message: Any, now: int) -> None:
        """Note a command."""
        kind = f"{_COMMAND}Stamped" if hasattr(message, "twist") else _COMMAND
        self._note_message("cmd_vel", kind, message, now)
        super().command(message, now)

    def set_pose(self, message: Any, now: int) -> str:
        """Note a pose that somebody sets."""
        self._note_message("set_pose", _POSE, message, now)
        return super().set_pose(message, now)

    def to_publish(self, now: int) -> Odometry | None:
        """Note a tick."""
        self._now = now
        self.log.event(now, "tick")
        return super().to_publish(now)

    def reset(self) -> None:
        """Note a reset."""
        self.log.event(self._now, "reset")
        super().reset()

    def enable(self) -> None:
        """Note the beginning."""
        self.log.event(self._now, "enable")
        super().enable()

    def toggle(self, *, on: bool) -> bool:
        """Note a switch."""
        self.log.event(self._now, "toggle", on)
        return super().toggle(on=on)

    def _note_message(self, name: str, kind: str, message: Any, now: int) -> None:
        self._now = now
        self.log.message(now, name, kind, message)

    def _noted_lookup(self, target: str, source: str, stamp: int) -> Transform:
        """Look up, and note the answer where it is another than the last, and at which call."""
        self._lookups += 1
        found, error = None, ""
        try:
            found = self._lookup(target, source, stamp)
        except UnknownFrameError as problem:
            error = str(problem)
        pair = target, source
        known = self._answers.get(pair)
        if known is None or known[0] is not found or known[1] != error:
            self._answers[pair] = found, error
            numbers = None if found is None else np.concatenate(found).tolist()
            call = self._lookups
            self.log.event(self._now, "transform", [call, target, source, numbers, error])
        if found is None:
            raise UnknownFrameError(error)
        return found


class RecordedTransforms:
    """The answers of a logged lookup, call by call."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._calls = 0
        self._coming: list[tuple[int, tuple[str, str], _Answer]] = []
        self._answers: dict[tuple[str, str], _Answer] = {}

    def add(
        self, call: int, target: str, source: str, numbers: list[float] | None, error: str
    ) -> None:
        """Take an answer, which holds from that call on until the next."""
        found = None
        if numbers is not None:
            found = Transform(np.array(numbers[:3]), np.array(numbers[3:]))
        self._coming.append((call, (target, source), (found, error)))

    def lookup(self, target: str, source: str, stamp: int) -> Transform:  # noqa: ARG002
        """Return the answer.

        Raises:
            UnknownFrameError: That was the answer.
        """
        self._calls += 1
        while self._coming and self._coming[0][0] <= self._calls:
            _, pair, answer = self._coming.pop(0)
            self._answers[pair] = answer
        found, error = self._answers.get((target, source), (None, "not in the log"))
        if found is None:
            raise UnknownFrameError(error)
        return found


def is_event_log(bag: Bag) -> bool:
    """Return whether a bag is an event log."""
    return EVENTS in bag.topics


def replay_events(
    bag: Bag, observer: Observer | None = None
) -> Iterator[tuple[Estimator, int, Odometry | None, Any]]:
    """Yield (estimator, clock in ns, what is published, what was published) of every tick of a log.

    Raises:
        UserError: The log is none of an estimator.
    """
    transforms = RecordedTransforms()
    estimator: Estimator | None = None
    for event, message in _events(bag, transforms):
        now, what, argument = event["now"], event["event"], event["argument"]
        if what == "parameters" and estimator is None:
            estimator = Estimator(argument, transforms.lookup, observer)
        elif estimator is None:
            raise UserError("the event log does not begin with parameters")
        elif what == "parameters":
            estimator.change(argument)()
        elif what == "tick":
            yield estimator, now, estimator.to_publish(now), message
        elif what == "message":
            _deliver(estimator, argument, message, now)
        elif what == "toggle":
            estimator.toggle(on=argument)
        elif what == "reset":
            estimator.reset()
        elif what == "enable":
            estimator.enable()


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
