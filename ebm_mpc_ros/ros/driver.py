"""cmd_vel: limited, stopped when in doubt, and only while enabled."""

from __future__ import annotations

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

_AT_REST = (0.0, 0.0)


class Driver:
    """Turns inputs (accelerations) into commands (velocities), one call a period.

    `drive` integrates an input; `stop` slows down along the deceleration limits. Without a
    tick for 0.5 s of the steady clock, as when the node's clock stands still, it stops by itself.
    While not enabled it slows down what it had commanded, then is silent.
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
        self.command = _AT_REST
        self.reason = ""
        """Why the robot is being stopped; empty while it is driven."""
        self.stops = 0
        self._node, self._limits, self._period = node, limits, period
        self._frame, self._stamped = frame, stamped
        self._silent = not enabled
        self._last_call = node.steady_now
        self._publisher = node.advertise(TwistStamped if stamped else Twist, "cmd_vel", qos.OUTPUT)
        node.serve(SetBool, "~/enable", self._on_enable)
        node.every(max(period, 0.02), self._watch, steady=True)

    def drive(self, u: NDArray[np.float64], start: tuple[float, float] | None = None) -> None:
        """Command the acceleration `u` (m/s², rad/s²) for a period.

        `start` is the velocity to integrate from where nothing has been commanded yet.
        """
        if not self.enabled:
            self.stop("not enabled")
            return
        if not np.isfinite(u).all():
            self.stop("the input is not finite")
            return
        if self._silent and start is not None and np.isfinite(start).all():
            self.command = start
        self._silent = False
        self.reason = ""
        self._send(integrate(self.command, (float(u[0]), float(u[1])), self._period, self._limits))

    def stop(self, reason: str) -> None:
        """Slow down for a period."""
        if not self.reason:
            self.stops += 1
        self.reason = reason
        if self._silent:
            self._last_call = self._node.steady_now
            return
        self._send(slow_down(self.command, self._period, self._limits))
        self._silent = not self.enabled and self.command == _AT_REST

    def _send(self, command: tuple[float, float]) -> None:
        self._last_call = self._node.steady_now
        self.command = command
        message = to_command(self._node.now, self._frame, *command, stamped=self._stamped)
        self._publisher.publish(message)

    def _watch(self) -> None:
        if (self._node.steady_now - self._last_call) * 1e-9 > 0.5:
            last = self._last_call
            self.stop("the node's clock stands still")
            self._last_call = last
            self._node.report()

    def _on_enable(self, request: Any, response: Any) -> Any:
        self.enabled = bool(request.data)
        response.success = True
        response.message = "enabled" if self.enabled else "disabled"
        return response
