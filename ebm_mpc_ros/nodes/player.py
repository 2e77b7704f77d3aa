"""player_node: a ROS 1 or ROS 2 bag onto topics, with /clock."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rosgraph_msgs.msg import Clock

from ebm_mpc_ros.learning.bags import Bag, open_bag
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.messages import to_time
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.process import spin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PERIOD = 0.005
_LATCHED = ("tf_static", "plan", "obstacles")

PLAYER_PARAMETERS = (
    Parameter(name="bag", kind="str", default="", description="The bag to play."),
    Parameter(
        name="topics",
        kind="strs",
        default=[],
        description="What to play; the rest of the bag stays silent.",
    ),
    Parameter(
        name="rate",
        kind="float",
        default=1.0,
        above=0.0,
        description="Bag seconds in a second.",
    ),
    Parameter(
        name="wait",
        kind="float",
        default=10.0,
        minimum=0.0,
        unit="s",
        description="Wait at most this long for a subscriber before starting.",
    ),
)


class PlayerNode(ManagedNode):
    """Publishes a bag's messages in their order, at their times, then ends the process."""

    def __init__(self) -> None:
        """Declare the parameters."""
        self._stack = ExitStack()
        super().__init__("player_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return PLAYER_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Open the bag and advertise its topics."""
        if not values["topics"]:
            raise ParameterError("parameter topics is empty: name what to play")
        self._path = values["bag"]
        self._bag: Bag = self._stack.enter_context(open_bag(Path(self._path)))
        self._rate, self._wait = values["rate"], values["wait"]
        self._topics: dict[str, Any] = {}
        for topic in values["topics"]:
            kind = self._bag.topic(topic).type
            message = _message_class(kind)
            if message is None:
                self.get_logger().warning(f"{topic} is not played: no message type {kind} here")
                continue
            latched = topic.rpartition("/")[2] in _LATCHED
            self._topics[topic] = self.advertise(
                message, topic, qos.LATCHED if latched else qos.OUTPUT
            )
        self._clock_publisher = self.advertise(Clock, "/clock", 10)
        self._messages = self._play()
        self._next = next(self._messages, None)
        self._started: int | None = None
        self._waiting_since = self.steady_now
        self.every(_PERIOD, self._advance, steady=True)

    def release(self) -> None:
        """Close the bag."""
        self._stack.close()

    def condition(self) -> Condition:
        """Say whether the bag is playing."""
        playing = self._started is not None
        return Condition(Level.OK, "playing" if playing else "waiting for a subscriber")

    def figures(self) -> dict[str, object]:
        """Say which bag it is."""
        return {"bag": self._path}

    def _play(self) -> Iterator[tuple[str, int, bytes]]:
        for topic, time, kind, raw in self._bag.raw_messages(list(self._topics)):
            yield topic, time, self._bag.to_cdr(raw, kind)

    def _advance(self) -> None:
        now = self.steady_now
        if self._started is None:
            waited = (now - self._waiting_since) * 1e-9
            heard = any(p.get_subscription_count() for p in self._topics.values())
            if not heard and waited < self._wait:
                return
            self._started = now
        elapsed = round((now - self._started) * self._rate)
        bag_time = self._bag.start_time + elapsed
        while self._next is not None and self._next[1] <= bag_time:
            topic, time, raw = self._next
            self._clock_publisher.publish(Clock(clock=to_time(time)))
            self._topics[topic].publish(raw)
            self._next = next(self._messages, None)
        self._clock_publisher.publish(Clock(clock=to_time(bag_time)))
        if self._next is None and bag_time > self._bag.end_time + 500_000_000:
            self.get_logger().info("the bag has ended")
            self.finished = True


def _message_class(kind: str) -> Any:
    package, _, name = kind.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError):
        return None


def main() -> None:
    """Run the node."""
    sys.exit(spin(PlayerNode))


if __name__ == "__main__":
    main()
