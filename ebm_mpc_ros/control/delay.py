"""Delay compensation: where the robot will be when the next input acts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm_mpc_ros.control.problem import FARTHEST, check_not_negative, check_positive

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]

_SECOND = 1_000_000_000


class _Sent(NamedTuple):
    stamp: int
    input: Vector


class DelayCompensation:
    """Predicts the state with the inputs that were sent and have not acted yet.

    An input sent at t acts from t + latency on, until the next one does, and for `hold` at most:
    the commands that carry it hold a speed, not an acceleration. In between there is none.

    Args:
        model: The robot.
        latency: Time from sending an input to its acting in seconds, at least 0.
        hold: Longest time that an input acts in seconds, above 0: the period of the sender.
        memory: Highest age of a state in seconds, above 0.

    Raises:
        ValueError: A time is out of its range.
    """

    def __init__(
        self, model: Model, *, latency: float = 0.0, hold: float = 0.05, memory: float = 2.0
    ) -> None:
        check_not_negative("latency", latency)
        check_positive("hold", hold)
        check_positive("memory", memory)
        self._model = model
        self._latency, self._hold = round(latency * _SECOND), round(hold * _SECOND)
        self._memory = round(memory * _SECOND)
        self._kept = self._memory + self._latency + self._hold
        self._sent: list[_Sent] = []

    def with_latency(self, latency: float) -> DelayCompensation:
        """Return one of another latency that knows what was sent; this one is left as it is.

        Raises:
            ValueError: The latency is out of its range.
        """
        hold, memory = self._hold / _SECOND, self._memory / _SECOND
        other = DelayCompensation(self._model, latency=latency, hold=hold, memory=memory)
        other._sent = self._sent.copy()
        return other

    def clear(self) -> None:
        """Forget what was sent."""
        self._sent.clear()

    def sent(self, stamp: int, u: ArrayLike) -> None:
        """Remember an input (m,) sent at `stamp` (ns).

        Raises:
            ValueError: It is of a wrong length, not finite, or older than the last one.
        """
        given = np.array(u, dtype=np.float64)
        if given.shape != (len(self._model.input_names),) or not np.isfinite(given).all():
            raise ValueError(
                f"u is {given.tolist()}: {len(self._model.input_names)} finite numbers are wanted"
            )
        if self._sent and stamp < self._sent[-1].stamp:
            raise ValueError(f"stamp is {stamp}: it must not be before the last one's")
        self._sent.append(_Sent(stamp, given))
        while stamp - self._sent[0].stamp > self._kept:
            del self._sent[0]

    def predict(self, state: ArrayLike, stamp: int, now: int) -> Vector:
        """Return the state (state_size,) at `now` + latency, when an input sent `now` acts.

        Args:
            state: State (state_size,) at `stamp`.
            stamp: Time of the state in ns.
            now: Time in ns.

        Raises:
            ValueError: The state is older than `memory`, of a wrong length, not finite or absurd.
        """
        x: Vector = np.array(state, dtype=np.float64)
        if x.shape != (self._model.state_size,):
            raise ValueError(f"state has shape {x.shape}: {self._model.state_size} are wanted")
        # A comparison with NaN is false.
        if not np.abs(x).max() < FARTHEST:
            raise ValueError(f"state is {x.tolist()}: not finite, or absurdly far")
        if now - stamp > self._memory:
            raise ValueError(
                f"the state is {(now - stamp) / _SECOND:.3g} s old: too old to predict"
            )
        at, end = stamp, now + self._latency
        while at < end:
            u, until = self._acting(at, end)
            x = self._advance(x, u, (until - at) / _SECOND)
            at = until
        return x

    def _acting(self, at: int, end: int) -> tuple[Vector, int]:
        """Return the input that acts at a time, and until when it does, `end` at most."""
        following = end
        for sent in reversed(self._sent):
            start = sent.stamp + self._latency
            if start <= at:
                until = min(following, start + self._hold)
                if at < until:
                    return sent.input, until
                break
            following = min(start, end)
        return np.zeros(len(self._model.input_names)), following

    def _advance(self, x: Vector, u: Vector, duration: float) -> Vector:
        """Return the state after `duration` seconds of an input, in steps of `hold` at most."""
        steps = math.ceil(duration * _SECOND / self._hold)
        for _ in range(steps):
            x = self._model.f(x, u, duration / steps)
        return x
