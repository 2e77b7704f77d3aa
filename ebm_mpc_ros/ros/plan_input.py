"""policy/plan as the controller reads it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.ros.plan_message import BadPlanError, PlanMessage, from_plan

if TYPE_CHECKING:
    from ebm_mpc_ros.ros.node import ManagedNode


class PlanInput:
    """The newest plan of the policy, and why it can't be used when it can't."""

    def __init__(
        self,
        node: ManagedNode,
        *,
        frame: str,
        child: str,
        timeout: float,
        max_age: float,
        simulated: bool = False,
    ) -> None:
        """Plans must come at least every `timeout` s, from states younger than `max_age` s.

        With the clock of a simulation (`simulated`) its seconds count.
        """
        self.dropped: Counter[str] = Counter()
        self.newest: PlanMessage | None = None
        self._node, self._frame, self._child = node, frame, child
        self._timeout, self._max_age = timeout, max_age
        self._simulated = simulated
        self._arrival = 0
        self._unusable = ""

    def reset(self) -> None:
        """Forget the plan, and what was wrong with others."""
        self.newest = None
        self._unusable = ""

    def take(self, message: Any) -> None:
        """Take a MultiDOFJointTrajectory; one that can't be used is dropped and counted."""
        try:
            plan = from_plan(message, self._frame, self._child)
        except BadPlanError as error:
            self._drop(str(error))
            return
        if (plan.stamp - self._node.now) * 1e-9 > self._max_age:
            self._drop("stamp in the future")
            return
        self.newest = plan
        self._arrival = self._time()

    def fault(self) -> str:
        """Return why there is no plan to follow; empty if there is one."""
        if self.newest is None:
            if self._unusable:
                return f"policy/plan unusable: {self._unusable}"
            return "no policy/plan yet"
        silence = (self._time() - self._arrival) * 1e-9
        age = (self._node.now - self.newest.stamp) * 1e-9
        if silence < 0.0 or age < -self._max_age:
            return "the clock jumped back behind policy/plan"
        if silence > self._timeout:
            return f"policy/plan silent for more than {self._timeout:g} s"
        if age > self._max_age:
            return f"policy/plan was made from a state more than {self._max_age:g} s old"
        return ""

    def _time(self) -> int:
        """Return the time in ns that silence is measured in: no clock's that may be set."""
        return self._node.now if self._simulated else self._node.steady_now

    def _drop(self, reason: str) -> None:
        self._unusable = reason
        self.dropped[reason] += 1
