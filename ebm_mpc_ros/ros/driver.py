"""cmd_vel: limited, stopped when in doubt, and only while enabled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Twist, TwistStamped
from numpy.typing import NDArray
from std_srvs.srv import SetBool

from ebm_mpc_ros.control import (
    Actuation,
    CommandLimits,
    at_rest,
    integrate,
    slow_down,
    within_turn_rate,
)
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.clocks import BaseTime
from ebm_mpc_ros.ros.messages import to_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.ros.node import ManagedNode

Vector = NDArray[np.float64]
Command = tuple[float, ...]

ARRIVED = "arrived"
"""The reason for a stop that is none to worry about."""

JUMPED = "the estimate jumped or began anew: check it, then enable the robot again"
"""The reason for which a robot is disabled when its estimate jumps or is another node's."""

_NOT_ENABLED = "not enabled"
_NO_TICK = 0.15
_BASE_TIMEOUT = 0.2


class Driver:
    """Turns inputs into commands, and commands into velocities, one call a period.

    `drive` integrates an input; `stop` slows down along the deceleration limits. Without a call
    for 0.15 s of the steady clock it stops by itself, in a simulation where the node's clock has
    not moved for 0.5 s. After 0.2 s without a command a base has stopped on its own: what was
    commanded before counts no more, and the next command goes on from what the robot does. While
    not enabled it slows down what it had commanded, then is silent.
    """

    def __init__(
        self,
        node: ManagedNode,
        actuation: Actuation,
        limits: CommandLimits,
        *,
        period: float,
        frame: str,
        enabled: bool,
        stamped: bool,
        simulated: bool = False,
        fault: Callable[[], str] = str,
        rolling: Callable[[Command], Vector | None] = lambda _: None,
    ) -> None:
        """Advertise cmd_vel and the service ~/enable.

        Args:
            node: The node that drives.
            actuation: What the robot's base is told.
            limits: Bounds of the commands.
            period: Time between calls in s.
            frame: Frame of the velocities.
            enabled: Whether to send commands from the start.
            stamped: Whether to send TwistStamped; else Twist.
            simulated: Whether the node's clock is that of a simulation, and so the base's.
            fault: Says what would hold an enabled robot back; empty where nothing does.
            rolling: Says what the robot does now (m,), given what was sent last; None where
                nobody knows.
        """
        self.enabled = enabled
        self.disabled_because = _NOT_ENABLED
        """Why the robot is not enabled, while it is not."""
        self.command: Command = (0.0,) * len(actuation.names)
        """What was sent last (m,): the values of the commanded states."""
        self.reason = ""
        """Why the robot is being stopped; empty while it is driven."""
        self.stops = 0
        self._node, self._actuation, self._limits = node, actuation, limits
        self._period, self._frame, self._stamped = period, frame, stamped
        self._fault, self._rolling = fault, rolling
        self._enabled_at_start = enabled
        self._simulated = simulated
        self._time = BaseTime(node, simulated=simulated)
        self._in_charge = self._moving_on = self._returning = False
        self._last_sent = self._time.read()
        self._last_call = node.steady_now
        self._publisher = node.advertise(TwistStamped if stamped else Twist, "cmd_vel", qos.OUTPUT)
        node.serve(SetBool, "~/enable", self._on_enable)
        node.every(min(period, 0.05), self._watch, steady=True)

    def use(self, limits: CommandLimits) -> None:
        """Drive within other limits; a command out of them returns along the deceleration ones."""
        self._limits = limits
        self._returning = True

    def drive(self, u: Vector, start: Vector) -> Vector:
        """Command the input `u` (m,) for a period; returns the input that was sent (m,).

        `start` (m,) is what the robot does now, `Actuation.of` its state, to go on from where no
        command is in force.
        """
        if not self.enabled:
            return self.stop(self.disabled_because)
        if not (np.isfinite(u).all() and np.isfinite(start).all()):
            return self.stop("the input is not finite")
        if not self._moving_on or self._since_sent() > _BASE_TIMEOUT:
            self._take_over(start)
        self._moving_on = True
        self.reason = ""
        period = self._period
        limits = self._limits_for(period)
        wanted = integrate(self.command, u.tolist(), period, limits)
        following = within_turn_rate(self.command, wanted, period, limits, self._actuation)
        return self._send(following, period)

    def stop(self, reason: str) -> Vector:
        """Slow down for the time since the last command; returns the input that was sent (m,).

        Where no command is in force the robot is slowed down from what it does, if that is known.
        """
        return self._slow(reason, self._since_sent())

    def _slow(self, reason: str, elapsed: float) -> Vector:
        if not self.reason:
            self.stops += 1
        self.reason = reason
        self._last_call = self._node.steady_now
        if not (self.enabled or self._moving_on):
            self._in_charge = False
            return np.zeros(len(self.command))
        if not self._in_charge or elapsed > _BASE_TIMEOUT:
            self._take_over(self._rolling(self.command))
            elapsed = self._period
        following = self.command
        if elapsed > 0.0:
            following = slow_down(self.command, elapsed, self._limits_for(elapsed))
        sent = self._send(following, elapsed)
        self._moving_on = following != at_rest(following, self._actuation.names)
        return sent

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
            # The clock of a simulation is only heard between callbacks.
            self._slow("halting", self._since_sent(blocked=True))
        self.enabled = self._enabled_at_start
        self.disabled_because = _NOT_ENABLED
        self.command = at_rest(self.command, self._actuation.names)
        self._in_charge = False
        self.reason = ""

    def _take_over(self, motion: Vector | None) -> None:
        """Go on from what the robot does (m,); from rest where that isn't known."""
        if motion is None or not np.isfinite(motion).all():
            self.command = at_rest(self.command, self._actuation.names)
            return
        self.command = tuple(motion.tolist())
        self._returning = True

    def _send(self, command: Command, elapsed: float) -> Vector:
        """Send a command; returns its rate of change over `elapsed` seconds."""
        before, self.command = self.command, command
        self._in_charge = True
        self._last_sent, self._last_call = self._time.read(), self._node.steady_now
        twist = self._actuation.twist(command)
        self._publisher.publish(
            to_command(self._node.now, self._frame, twist, stamped=self._stamped)
        )
        if elapsed <= 0.0:
            return np.zeros(len(command))
        return np.array([(b - a) / elapsed for a, b in zip(before, command, strict=True)])

    def _limits_for(self, elapsed: float) -> CommandLimits:
        if self._returning:
            if not self._limits.hold(self.command):
                return self._limits.reached(self.command, elapsed)
            self._returning = False
        return self._limits

    def _since_sent(self, *, blocked: bool = False) -> float:
        return (self._time.read(blocked=blocked) - self._last_sent) * 1e-9

    def _watch(self) -> None:
        self._time.read()
        last = self._last_call
        reason = ""
        if self._simulated:
            reason = "the node's clock stands still" if self._time.stands_still else ""
        elif (self._node.steady_now - last) * 1e-9 > _NO_TICK:
            reason = f"no tick for {_NO_TICK:g} s"
        if reason:
            self.stop(reason)
            self._last_call = last
            self._node.report()

    def _on_enable(self, request: Any, response: Any) -> Any:
        before, self.enabled = self.enabled, bool(request.data)
        self.disabled_because = _NOT_ENABLED
        response.success = True
        response.message = "enabled" if self.enabled else "disabled"
        if self.enabled == before:
            response.message = f"already {response.message}"
        if self.enabled:
            fault = self._fault() if self._node.active else "the node is not active"
            if fault:
                response.message += f"; the robot is held back: {fault}"
        elif self._moving_on:
            response.message += "; slowing down to rest"
        return response
