"""relay_node: hands cmd_vel on to a base, and stops it when cmd_vel falls silent."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.duration import Duration

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.clocks import BaseTime
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.messages import to_time
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter
from ebm_mpc_ros.ros.process import spin

if TYPE_CHECKING:
    from collections.abc import Iterable

_WATCH_PERIOD = 0.02
_PATIENCE = Duration(seconds=0.2)

RELAY_PARAMETERS = (
    Parameter(
        name="command_timeout",
        kind="float",
        default=0.2,
        above=0.0,
        maximum=1.0,
        unit="s",
        description="Time after the last command at which the base is stopped.",
    ),
    Parameter(
        name="enable_stamped_cmd_vel",
        kind="bool",
        default=True,
        description="cmd_vel is a TwistStamped; false for Twist.",
    ),
    Parameter(
        name="stamped_output",
        kind="bool",
        default=False,
        description="base/cmd_vel is a TwistStamped; false for Twist.",
    ),
)


class RelayNode(ManagedNode):
    """The command timeout of a base that has none, such as Gazebo's DiffDrive.

    From its start, and whenever the last command is too old, it sends zeros; the base slows down
    along its own limits. The age is that of the steady clock, in a simulation that of simulated
    time, where a clock that stands still counts as silence. A command that is not finite is
    refused and does not put off the stop.
    """

    def __init__(self) -> None:
        """Declare the parameters.

        Raises:
            UserError: What it hears and what it sends have been given one name: it would take its
                own last command for a new one for ever.
        """
        super().__init__("relay_node")
        heard, sent = (self.resolve_topic_name(name) for name in ("cmd_vel", "base/cmd_vel"))
        if heard == sent:
            raise UserError(f"cmd_vel and base/cmd_vel are both {heard}: remap one of them")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return RELAY_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Make the topics."""
        self._timeout = round(values["command_timeout"] * 1e9)
        self._refused = self._stops = 0
        self._time = BaseTime(self, simulated=self.simulated)
        self._stamped, self._frame = values["stamped_output"], ""
        if self._stamped:
            self._base = self.advertise(TwistStamped, "base/cmd_vel", qos.OUTPUT)
        else:
            self._base = self.advertise(Twist, "base/cmd_vel", qos.OUTPUT)
        if values["enable_stamped_cmd_vel"]:
            self.listen(TwistStamped, "cmd_vel", self._take_stamped, qos.NEWEST)
        else:
            self.listen(Twist, "cmd_vel", self._take, qos.NEWEST)
        self.every(_WATCH_PERIOD, self._watch, steady=True)

    def activate(self) -> None:
        """Stop the base until the first command, whatever it was told before."""
        self._deadline = self._time.read()
        self._reason = self._silence = "no cmd_vel so far"
        self._send(Twist())

    def deactivate(self) -> None:
        """Stop the base, and see that it hears of it before the topic is gone."""
        self._send(Twist())
        self._base.wait_for_all_acked(_PATIENCE)

    def condition(self) -> Condition:
        """Say why the base is stopped, or that commands had to be refused."""
        if self._reason:
            return Condition(Level.WARN if self._stops else Level.OK, f"braking: {self._reason}")
        if self._refused:
            return Condition(Level.WARN, "commands refused: not finite")
        return Condition(Level.OK, "handing on")

    def figures(self) -> dict[str, object]:
        """Say how often the base had to be stopped, and how many commands were refused."""
        return {"stops": self._stops, "commands refused": self._refused}

    def _take_stamped(self, message: Any) -> None:
        self._frame = message.header.frame_id
        self._take(message.twist)

    def _take(self, twist: Any) -> None:
        parts = (twist.linear, twist.angular)
        if not all(math.isfinite(v) for part in parts for v in (part.x, part.y, part.z)):
            self._refused += 1
            self.report()
            return
        self._deadline = self._time.read() + self._timeout
        if not self._time.stands_still:
            self._send(twist)
            self._reason = ""
            self._silence = f"no cmd_vel for {self._timeout * 1e-9:g} s"

    def _watch(self) -> None:
        late = self._time.read() >= self._deadline
        if self._time.stands_still or late:
            self._stops += not self._reason
            self._reason = "the clock stands still" if self._time.stands_still else self._silence
            self._send(Twist())
        self.report()

    def _send(self, twist: Any) -> None:
        if not self._stamped:
            self._base.publish(twist)
            return
        message = TwistStamped(twist=twist)
        message.header.stamp, message.header.frame_id = to_time(self.now), self._frame
        self._base.publish(message)


def main() -> None:
    """Run the node."""
    sys.exit(spin(RelayNode))


if __name__ == "__main__":
    main()
