"""What /diagnostics says of the controller. No rclpy here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.timing import Deadline, Timing, Window

if TYPE_CHECKING:
    from ebm_mpc_ros.ros.controller import Controller, Decision

_TOO_OFTEN = 0.05


class ControllerHealth:
    """Watches the controller's ticks.

    Args:
        period: Time between two of them in s.

    Attributes:
        deadline: Whether they come and end in time.
        plan_ages: Ages of policy/plan, where it is followed.
    """

    def __init__(self, period: float) -> None:
        self.deadline = Deadline(period)
        self.plan_ages = Timing()
        self._ticks, self._prepares, self._feedbacks = Timing(), Timing(), Timing()
        self._estimate_ages, self._iterations = Timing(), Window()
        self._amiss = ""
        self._status = "none yet"
        self._failures = 0
        self._last_failure = "none"

    def ended(self, duration: float) -> None:
        """Note that a tick took `duration` s."""
        self._ticks.add(duration)
        self.deadline.end(duration)

    def estimated(self, age: float) -> None:
        """Note the age of the estimate of a tick in s."""
        self._estimate_ages.add(age)

    def decided(self, decision: Decision) -> None:
        """Note how a tick's solve ended and what it took."""
        solution = decision.solution
        self._prepares.add(decision.prepare)
        self._feedbacks.add(decision.feedback)
        self._iterations.add(solution.iterations)
        self._status = solution.status.value
        self._amiss = decision.reason
        if not solution.usable:
            self._failures += 1
            self._last_failure = (
                f"{solution.reason}; {solution.iterations} iterations, prepared in "
                f"{1e3 * decision.prepare:.3f} ms, solved in {1e3 * decision.feedback:.3f} ms"
            )

    def stopped(self) -> None:
        """Note that the robot is stopped for a reason that is not the controller's."""
        self._amiss = ""

    def pause(self) -> None:
        """Note that no tick comes for a while."""
        self.stopped()
        self.deadline.pause()

    def condition(self, *, stopped_because: str, enabled: bool, ignored: str) -> Condition:
        """Say what the robot does and why.

        Args:
            stopped_because: Why it is stopped; empty while it drives.
            enabled: Whether commands are sent at all.
            ignored: Input that was refused or dropped while the robot drives on.
        """
        if stopped_because:
            level = Level.ERROR if enabled else Level.WARN
            return Condition(level, f"stopping: {stopped_because}")
        share = self.deadline.share
        late = f"{share:.0%} of the ticks of 10 s missed their deadline"
        amiss = self._amiss or (late if share > _TOO_OFTEN else "") or ignored
        return (
            Condition(Level.WARN, f"driving; {amiss}") if amiss else Condition(Level.OK, "driving")
        )

    def figures(self, controller: Controller) -> dict[str, object]:
        """Say how long ticks take, how solves end and what was done where they failed."""
        deadline = self.deadline
        values: dict[str, object] = {"ticks": deadline.ticks}
        for name, window in (
            ("tick", self._ticks),
            ("prepare", self._prepares),
            ("feedback", self._feedbacks),
        ):
            values |= _spread(name, " ms", window, ".3f")
        values |= _spread("solver iterations", "", self._iterations, ".0f")
        values |= {
            "late ticks": deadline.late,
            "overruns": deadline.overruns,
            "deadline misses": deadline.misses,
            "OSQP": self._status,
            "solver failures": self._failures,
            "last solver failure": self._last_failure,
        }
        values |= {f"after failures: {key}": n for key, n in sorted(controller.counts.items())}
        values |= _spread("estimate age", " ms", self._estimate_ages, ".1f")
        if self.plan_ages:
            values |= _spread("plan age", " ms", self.plan_ages, ".1f")
        values["acts after ms"] = f"{1e3 * controller.ahead:.1f}"
        return values


def _spread(name: str, unit: str, window: Window, form: str) -> dict[str, object]:
    return {
        f"{name} {word}{unit}": f"{window.quantile(q):{form}}"
        for word, q in (("median", 0.5), ("p99", 0.99))
    }
