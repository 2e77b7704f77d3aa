"""The turn rate that a car's steering makes, kept within its limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.control.actuation import Actuation
    from ebm_mpc_ros.control.limiter import Command, CommandLimits


def within_turn_rate(
    before: Sequence[float], command: Command, dt: float, limits: CommandLimits, robot: Actuation
) -> Command:
    """Return a command (m,) whose steering turns the robot at `limits.turn_rate` at most.

    The speed falls first, so that the robot keeps to its bend: held steering would lead it wide.
    Only where its deceleration doesn't suffice does the steering wait, where it is, for the speed.
    A command within the turn rate is thus followed by one within it; one that was beyond it, as of
    a robot taken over, comes back along the deceleration.

    Args:
        before: What was sent last (m,).
        command: What is to be sent (m,), within the other limits.
        dt: Time between them in seconds.
        limits: Bounds of the base.
        robot: Its actuation; one without a speed and a steering is left alone.
    """
    if not {"vx", "steering"} <= set(limits.names):
        return command
    rate = abs(robot.twist(command)[2])
    if rate <= limits.turn_rate:
        return command
    v, s = limits.names.index("vx"), limits.names.index("steering")
    speed, steering = command[v], command[s]
    allowed = abs(speed) * limits.turn_rate / rate
    slowest = abs(before[v]) - limits.loss[v] * dt if before[v] * speed > 0.0 else 0.0
    slower = min(abs(speed), max(allowed, slowest))
    if slower > allowed:
        most = abs(robot.turning(slower, limits.turn_rate)[s])
        if before[s] * steering > 0.0:
            most = max(most, abs(before[s]))
        steering = math.copysign(min(abs(steering), most), steering)
    following = list(command)
    following[v], following[s] = math.copysign(slower, speed), steering
    return tuple(following)
