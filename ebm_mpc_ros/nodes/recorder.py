"""recorder_node: topics into an MCAP bag."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rclpy.serialization import deserialize_message

from ebm_mpc_ros.learning.bags import BagWriter
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.process import spin

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDER_PARAMETERS = (
    Parameter(name="bag", kind="str", default="bag", description="Bag folder to make."),
    Parameter(
        name="topics",
        kind="strs",
        default=["odometry/filtered nav_msgs/msg/Odometry"],
        description="What to record, each 'TOPIC TYPE'.",
    ),
    Parameter(
        name="latched_topics",
        kind="strs",
        default=["plan nav_msgs/msg/Path"],
        description="The same, for transient-local topics.",
    ),
    Parameter(
        name="announce",
        kind="str",
        default="",
        description="Of the recorded topics that of commands: print to stdout the seconds since the"
        " first that is not zero, and the UNIX time of that one.",
    ),
)


class RecorderNode(ManagedNode):
    """Writes messages as they come, serialised, with the node's time of arrival."""

    def __init__(self) -> None:
        """Declare the parameters."""
        self._writer: BagWriter | None = None
        super().__init__("recorder_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return RECORDER_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Open the bag and subscribe."""
        self._writer = BagWriter(Path(values["bag"]))
        self._count = 0
        self._announced = values["announce"]
        self._first: tuple[int, float] | None = None
        for entry in values["topics"]:
            self._record(entry, qos.sensor(200))
        for entry in values["latched_topics"]:
            self._record(entry, qos.LATCHED)
        if self._announced:
            self.every(0.1, self._announce)

    def release(self) -> None:
        """Close the bag."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def condition(self) -> Condition:
        """Say that it records."""
        return Condition(Level.OK, "recording")

    def figures(self) -> dict[str, object]:
        """Say how much is recorded."""
        return {"messages": self._count}

    def _record(self, entry: str, quality: Any) -> None:
        try:
            topic, kind = entry.split()
            package, _, name = kind.split("/")
            message = getattr(importlib.import_module(f"{package}.msg"), name)
        except (ValueError, ImportError, AttributeError) as error:
            raise ParameterError(
                f"parameter topics: {entry!r} must be 'TOPIC PACKAGE/msg/NAME' ({error})"
            ) from error
        full = self.resolve_topic_name(topic)

        def write(raw: bytes) -> None:
            if self._writer is not None and self.active:
                now = self.now
                self._writer.write_raw(full, kind, now, raw)
                self._count += 1
                if topic == self._announced and self._first is None and _moves(raw, message):
                    self._first = now, time.time()

        self.listen_raw(message, topic, write, quality)

    def _announce(self) -> None:
        if self._first is not None:
            began, at = self._first
            print(f"{(self.now - began) * 1e-9:.2f} {at:.2f}", flush=True)  # noqa: T201


def _moves(raw: bytes, kind: type) -> bool:
    """Return whether a Twist or TwistStamped is not zero."""
    message = deserialize_message(raw, kind)
    twist = getattr(message, "twist", message)
    return bool(twist != type(twist)())


def main() -> None:
    """Run the node."""
    sys.exit(spin(RecorderNode))


if __name__ == "__main__":
    main()
