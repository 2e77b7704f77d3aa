"""What /diagnostics and the log say of an estimator. No rclpy here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from ebm_mpc_ros.estimation.recursion import Sampled
from ebm_mpc_ros.estimation.time import nanoseconds
from ebm_mpc_ros.ros.diagnosis import Condition, Level

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.ros.estimator import Estimator

_WARNING_TIME = nanoseconds(5.0)


class Log(Protocol):
    """A node's logger."""

    def warning(self, text: str) -> object:
        """Log a warning."""

    def error(self, text: str) -> object:
        """Log an error."""


class EstimatorHealth:
    """Watches an estimator after every tick."""

    def __init__(self, estimator: Estimator, log: Log, publishers: Callable[[str], int]) -> None:
        """Tell `log`, each thing once; `publishers` returns how many a topic has."""
        self._estimator, self._log, self._publishers = estimator, log, publishers
        self._held_back = ""
        self._notice = ""
        self._notice_until = 0
        self._drops = self._jumps = 0
        self._resets: Counter[str] = Counter()
        self._told: set[str] = set()

    def tell_again(self) -> None:
        """Say again what was said: something has changed."""
        self._told.clear()

    def tell(self, warning: str) -> None:
        """Log a warning, once."""
        if warning not in self._told:
            self._told.add(warning)
            self._log.warning(warning)

    def watch(self, now: int, steady_now: int) -> None:
        """Notice what should be said, at a tick (ns of the node's and of the steady clock)."""
        estimator = self._estimator
        self._held_back = "; ".join(self._reasons(now))
        drops = estimator.filter.dropped.total()
        if drops != self._drops:
            self._drops = drops
            self._notice_drops()
            self._notice_until = steady_now + _WARNING_TIME
        if estimator.filter.resets != self._resets:
            reason = ", ".join(estimator.filter.resets - self._resets)
            self._resets = estimator.filter.resets.copy()
            self._log.error(f"starting over: {reason}")
            self._notice = f"started over: {reason}"
            self._notice_until = steady_now + _WARNING_TIME
        if estimator.time_jumps != self._jumps:
            self._jumps = estimator.time_jumps
            self._log.warning("the clock jumped back: starting over")
            self._notice = "started over: the clock jumped back"
            self._notice_until = steady_now + _WARNING_TIME
        if steady_now >= self._notice_until:
            self._notice = ""
        for warning in estimator.warnings:
            self.tell(warning)

    def condition(self) -> Condition:
        """Say what keeps the estimate back, what has just happened, or which input is silent."""
        if self._held_back:
            return Condition(Level.ERROR, f"no estimate: {self._held_back}")
        if not self._estimator.processing:
            return Condition(Level.WARN, "the service toggle has switched processing off")
        reason = self._notice or "; ".join(self._quiet_inputs())
        if reason:
            return Condition(Level.WARN, reason)
        return Condition(Level.OK, "estimating")

    def figures(self) -> dict[str, object]:
        """Count messages by input and reason, and say how consistent the innovations are."""
        estimator = self._estimator
        values: dict[str, object] = {}
        for name, state in estimator.states.items():
            values[f"{name} received"] = state.received
        for (name, reason), count in sorted(estimator.filter.dropped.items()):
            values[f"{name} dropped: {reason}"] = count
        for name, statistics in sorted(estimator.filter.consistency.items()):
            low, high = statistics.bounds()
            values[f"{name} NIS/dof"] = f"{statistics.ratio:.3f} ({low:.3f} to {high:.3f})"
        values |= self._particles()
        for reason, count in estimator.filter.resets.items():
            values[f"resets: {reason}"] = count
        for i, warning in enumerate(estimator.warnings):
            values[f"warning {i}"] = warning
        values |= estimator.stamp_problems
        estimator.stamp_problems.clear()
        return values

    def _particles(self) -> dict[str, object]:
        """Say how well the particles did at the last measurement; nothing without particles."""
        estimate = self._estimator.filter.estimate
        belief = None if estimate is None else estimate.belief
        if not isinstance(belief, Sampled) or belief.last is None:
            return {}
        last = belief.last
        return {
            "particles": len(belief.particles.weights),
            "particles that explain the last message": f"{last.ancestors:.0f}",
            "particles that its draws are worth": f"{last.draws:.0f}",
            "share of its Langevin steps accepted": f"{last.acceptance:.2f}",
        }

    def _notice_drops(self) -> None:
        dropped, topics = self._estimator.filter.dropped, self._estimator.topics
        for source, reason in dropped:
            self.tell(f"{source} ({topics.get(source, source)}): message dropped: {reason}")
        source, reason = max(dropped, key=dropped.__getitem__)
        self._notice = f"messages dropped, most so far: {source}: {reason}"

    def _reasons(self, now: int) -> list[str]:
        """Return why there is no estimate to publish; empty where there is."""
        estimator = self._estimator
        if not estimator.enabled:
            return ["disabled_at_startup: call the service enable"]
        reasons = estimator.held_back(now)
        if reasons or estimator.filter.estimate is not None:
            return reasons
        problems = [
            f"{name} ({topic}): {problem}"
            for name, topic in estimator.topics.items()
            if (problem := estimator.states[name].last_problem)
        ]
        return problems + self._quiet_inputs() or ["no measurement yet"]

    def _quiet_inputs(self) -> list[str]:
        """Return what to say of each input that has not sent a message yet."""
        quiet = []
        for name, topic in self._estimator.topics.items():
            if self._estimator.states[name].received == 0:
                why = "no message yet" if self._publishers(topic) else "nobody publishes it"
                quiet.append(f"{name} ({topic}): {why}")
        return quiet
