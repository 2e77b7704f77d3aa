"""Velocity commands from accelerations: bounded in speed and in rate, and a controlled stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ebm_mpc_ros.control.problem import check_positive


@dataclass(frozen=True, kw_only=True)
class CommandLimits:
    """What a base may be told.

    Attributes:
        max_speed: Highest forward speed in m/s, above 0.
        min_speed: Lowest speed in m/s, at most 0; negative is backwards.
        max_yaw_rate: Highest turn rate either way in rad/s, above 0.
        max_acceleration: Highest gain of speed, forwards or backwards, in m/s², above 0.
        max_deceleration: Highest loss of speed in m/s², above 0.
        max_yaw_acceleration: Highest change of the turn rate in rad/s², above 0.

    Raises:
        ValueError: A field is out of its range.
    """

    max_speed: float
    min_speed: float
    max_yaw_rate: float
    max_acceleration: float
    max_deceleration: float
    max_yaw_acceleration: float

    def __post_init__(self) -> None:
        for name in (
            *("max_speed", "max_yaw_rate"),
            *("max_acceleration", "max_deceleration", "max_yaw_acceleration"),
        ):
            check_positive(name, getattr(self, name))
        if not (math.isfinite(self.min_speed) and self.min_speed <= 0.0):
            raise ValueError(f"min_speed is {self.min_speed}: it must be finite and at most 0")


def integrate(
    command: tuple[float, float],
    acceleration: tuple[float, float],
    dt: float,
    limits: CommandLimits,
) -> tuple[float, float]:
    """Return the command after `dt`: clip(command + acceleration·dt), with its rates bounded.

    A speed bound outranks a rate bound: a command out of bounds returns at once.

    Args:
        command: Speed and turn rate sent last, in m/s and rad/s.
        acceleration: Input of the model: change of speed and turn rate, in m/s² and rad/s².
        dt: Time since the last command in seconds, above 0.
        limits: Bounds of the base.

    Raises:
        ValueError: A number is not finite, or `dt` is not above 0.
    """
    (speed, rate), (linear, angular) = command, acceleration
    _check(speed, rate, linear, angular, dt)
    gain, loss = limits.max_acceleration, limits.max_deceleration
    highest = _fastest(speed, dt, gain, loss)
    lowest = -_fastest(-speed, dt, gain, loss)
    turn = limits.max_yaw_acceleration
    return (
        _clip(_clip(speed + linear * dt, lowest, highest), limits.min_speed, limits.max_speed),
        _clip(rate + _clip(angular, -turn, turn) * dt, -limits.max_yaw_rate, limits.max_yaw_rate),
    )


def slow_down(
    command: tuple[float, float], dt: float, limits: CommandLimits
) -> tuple[float, float]:
    """Return the command after `dt` of slowing to rest along the deceleration limits.

    Raises:
        ValueError: A number is not finite, or `dt` is not above 0.
    """
    speed, rate = command
    _check(speed, rate, dt)
    loss, turn = limits.max_deceleration * dt, limits.max_yaw_acceleration * dt
    return (
        _clip(speed - _clip(speed, -loss, loss), limits.min_speed, limits.max_speed),
        _clip(rate - _clip(rate, -turn, turn), -limits.max_yaw_rate, limits.max_yaw_rate),
    )


def _fastest(speed: float, dt: float, gain: float, loss: float) -> float:
    """Return the highest speed within reach: braking to 0 by `loss`, beyond it by `gain`."""
    if speed >= 0.0:
        return speed + gain * dt
    left = dt + speed / loss
    return gain * left if left > 0.0 else speed + loss * dt


def _check(*numbers: float) -> None:
    """Raise ValueError unless all are finite and the last, the time step, is above 0."""
    if not all(map(math.isfinite, numbers)) or numbers[-1] <= 0.0:
        raise ValueError(
            f"command, acceleration or dt is {numbers}: they must be finite and dt above 0"
        )


def _clip(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)
