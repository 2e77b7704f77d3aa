"""Commands from inputs: bounded in value and in rate, and a controlled stop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ebm_mpc_ros.control.problem import check_positive

if TYPE_CHECKING:
    from collections.abc import Iterable

Command = tuple[float, ...]

_MOTION = ("vx", "vy")
_HELD = ("steering",)


@dataclass(frozen=True, kw_only=True)
class CommandLimits:
    """What a base may be told, for each of the m commanded states.

    Attributes:
        names: The commanded states, such as vx and vyaw.
        lower: Lowest values, at most 0.
        upper: Highest values, above 0.
        gain: Highest rate away from 0, per second, above 0.
        loss: Highest rate towards 0, per second, above 0.
        turn_rate: Highest turn rate in rad/s that a steering makes, above 0 (`within_turn_rate`).

    Raises:
        ValueError: Lengths disagree, or a number is out of its range.
    """

    names: tuple[str, ...]
    lower: Command
    upper: Command
    gain: Command
    loss: Command
    turn_rate: float = math.inf

    def __post_init__(self) -> None:
        if not self.turn_rate > 0.0:
            raise ValueError(f"turn_rate is {self.turn_rate}: it must be above 0")
        for field in ("lower", "upper", "gain", "loss"):
            numbers = getattr(self, field)
            if len(numbers) != len(self.names):
                raise ValueError(f"{field} has {len(numbers)} values: {len(self.names)} are wanted")
            for name, number in zip(self.names, numbers, strict=True):
                if field != "lower":
                    check_positive(f"{field} of {name}", number)
                elif not (math.isfinite(number) and number <= 0.0):
                    raise ValueError(
                        f"lower of {name} is {number}: it must be finite and at most 0"
                    )

    def hold(self, command: Command) -> bool:
        """Return whether a command (m,) is within its bounds."""
        return all(
            low <= value <= high
            for low, value, high in zip(self.lower, command, self.upper, strict=True)
        )

    def reached(self, command: Command, dt: float) -> CommandLimits:
        """Return limits that lead a command (m,) out of its bounds back along `loss`.

        For limits that change while a robot drives; `dt` is the time to the next command in s.
        """
        step = [loss * dt for loss in self.loss]
        return replace(
            self,
            lower=tuple(min(b, c + d) for b, c, d in zip(self.lower, command, step, strict=True)),
            upper=tuple(max(b, c - d) for b, c, d in zip(self.upper, command, step, strict=True)),
        )


def integrate(
    command: Iterable[float], u: Iterable[float], dt: float, limits: CommandLimits
) -> Command:
    """Return the command (m,) after `dt`: clip(command + u·dt), with its rates bounded.

    A bound outranks a rate: a command out of bounds returns at once.

    Args:
        command: What was sent last (m,).
        u: Input of the model (m,), the rate of the command.
        dt: Time since the last command in seconds, above 0.
        limits: Bounds of the base.

    Raises:
        ValueError: A number is not finite, `dt` is not above 0, or lengths disagree.
    """
    sent, rates = _checked(command, limits, dt), _checked(u, limits, dt)
    following = []
    for k, (value, rate) in enumerate(zip(sent, rates, strict=True)):
        gain, loss = limits.gain[k], limits.loss[k]
        highest = _farthest(value, dt, gain, loss)
        lowest = -_farthest(-value, dt, gain, loss)
        wanted = _clip(value + rate * dt, lowest, highest)
        following.append(_clip(wanted, limits.lower[k], limits.upper[k]))
    return tuple(following)


def slow_down(command: Iterable[float], dt: float, limits: CommandLimits) -> Command:
    """Return the command (m,) after `dt` of slowing to rest along the deceleration limits.

    vx and vy fall together, so that the robot keeps its direction; wheels stay as they are steered.

    Raises:
        ValueError: A number is not finite, `dt` is not above 0, or lengths disagree.
    """
    sent = _checked(command, limits, dt)
    # What part each loses on its own; those that move the robot lose that of the slowest.
    parts = [
        min(1.0, loss * dt / abs(value)) if value else 1.0
        for value, loss in zip(sent, limits.loss, strict=True)
    ]
    moving = [part for name, part in zip(limits.names, parts, strict=True) if name in _MOTION]
    together = min(moving, default=1.0)
    following = []
    for k, (name, value) in enumerate(zip(limits.names, sent, strict=True)):
        lost = together if name in _MOTION else 0.0 if name in _HELD else parts[k]
        following.append(_clip(value - lost * value, limits.lower[k], limits.upper[k]))
    return tuple(following)


def at_rest(command: Iterable[float], names: Iterable[str]) -> Command:
    """Return a command (m,) of no motion, the wheels as they are steered."""
    return tuple(v if n in _HELD else 0.0 for n, v in zip(names, command, strict=True))


def _checked(values: Iterable[float], limits: CommandLimits, dt: float) -> list[float]:
    """Return the values (m,) as floats, all finite."""
    numbers = [float(value) for value in values]
    if len(numbers) != len(limits.names):
        raise ValueError(f"command or input is {numbers}: {len(limits.names)} are wanted")
    if not (all(map(math.isfinite, numbers)) and math.isfinite(dt) and dt > 0.0):
        raise ValueError(
            f"command or input is {numbers} and dt {dt}: they must be finite and dt above 0"
        )
    return numbers


def _farthest(value: float, dt: float, gain: float, loss: float) -> float:
    """Return the highest value within reach: up to 0 by `loss`, beyond it by `gain`."""
    if value >= 0.0:
        return value + gain * dt
    left = dt + value / loss
    return gain * left if left > 0.0 else value + loss * dt


def _clip(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)
