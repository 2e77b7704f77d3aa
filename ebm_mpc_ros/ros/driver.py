"""cmd_vel: limited, stopped when in doubt, and only while enabled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Twist, TwistStamped
from std_srvs.srv import SetBool

from ebm_mpc_ros.control import CommandLimits, integrate, slow_down
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.messages import to_command

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode

ARRIVED = "arrived"
"""The reason for a stop that is none to worry about."""

JUMPED = "the estimate jumped: check it, then enable the robot again"
"""The reason for which a robot is disabled when its position jumps."""

_NOT_ENABLED = "not enabled"
_AT_REST = (0.0, 0.0)
_NO_TICK = 0.15
_BASE_TIMEOUT = 0.2


class Driver:
    """Turns inputs (accelerations) into commands (velocities), one call a period.

    `drive` integrates an input; `stop` slows down along the deceleration limits. Without a call
    for 0.15 s of the steady clock, as when the node's clock stands still, it stops by itself.
    After 0.2 s without a command a base has stopped on its own: what was commanded before counts
    no more. While not enabled it slows down what it had commanded, then is silent.
    """

    def __init__(
        self,
        node: ManagedNode,
        limits: CommandLimits,
        *,
        period: float,
        frame: str,
        enabled: bool,
        stamped: bool,
    ) -> None:
        """Advertise cmd_vel and the service ~/enable; `period` (s) is the time between calls."""
        self.enabled = enabled
        self.disabled_because = _NOT_ENABLED
        """Why the robot is not enabled, while it is not."""
        self.command = _AT_REST
        self.reason = ""
        """Why the robot is being stopped; empty while it is driven."""
        self.stops = 0
        self._node, self._limits, self._period = node, limits, period
        self._frame, self._stamped = frame, stamped
        self._enabled_at_start = enabled
        self._moving_on = False
        self._last_sent = self._last_call = node.steady_now
        self._publisher = node.advertise(TwistStamped if stamped else Twist, "cmd_vel", qos.OUTPUT)
        node.serve(SetBool, "~/enable", self._on_enable)
        node.every(min(period, 0.05), self._watch, steady=True)

    def drive(self, u: NDArray[np.float64], start: tuple[float, float]) -> None:
        """Command the acceleration `u` (m/s², rad/s²) for a period.

        `start` is the robot's velocity (m/s, rad/s), to go on from where no command is in force.
        """
        if not self.enabled:
            self.stop(self.disabled_because)
            return
        if not (np.isfinite(u).all() and np.isfinite(start).all()):
            self.stop("the input is not finite")
            return
        if not self._moving_on or self._since_sent() > _BASE_TIMEOUT:
            self.command = start
        self._moving_on = True
        self.reason = ""
        self._send(integrate(self.command, (float(u[0]), float(u[1])), self._period, self._limits))

    def stop(self, reason: str) -> None:
        """Slow down for the time since the last command."""
        if not self.reason:
            self.stops += 1
        self.reason = reason
        self._last_call = self._node.steady_now
        if not (self.enabled or self._moving_on):
            return
        elapsed = self._since_sent()
        if not self._moving_on or elapsed > _BASE_TIMEOUT:
            self.command = _AT_REST
        elif elapsed > 0.0:
            self.command = slow_down(self.command, elapsed, self._limits)
        self._send(self.command)
        self._moving_on = self.command != _AT_REST

    def disable(self, reason: str) -> None:
        """Stop, and stay stopped until somebody enables the robot again."""
        self.enabled = False
        self.disabled_because = reason
        self.stop(reason)

    def halt(self) -> None:
        """Slow down to rest, however long that takes; then everything is as at the start."""
        if self._moving_on:
            self.disable("halting")
        while self._moving_on:
            time.sleep(self._period)
            self.stop("halting")
        self.enabled = self._enabled_at_start
        self.disabled_because = _NOT_ENABLED
        self.command, self.reason = _AT_REST, ""

    def _send(self, command: tuple[float, float]) -> None:
        self._last_sent = self._last_call = self._node.steady_now
        self.command = command
        message = to_command(self._node.now, self._frame, *command, stamped=self._stamped)
        self._publisher.publish(message)

    def _since_sent(self) -> float:
        return (self._node.steady_now - self._last_sent) * 1e-9

    def _watch(self) -> None:
        last = self._last_call
        if (self._node.steady_now - last) * 1e-9 > _NO_TICK:
            self.stop("the node's clock stands still")
            self._last_call = last
            self._node.report()

    def _on_enable(self, request: Any, response: Any) -> Any:
        self.enabled = bool(request.data)
        self.disabled_because = _NOT_ENABLED
        response.success = True
        response.message = "enabled" if self.enabled else "disabled"
        return response
