"""The controller's solution as a plan to start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.energy.outcome import Floats
    from ebm_mpc_ros.models.base import Model

# The controller takes none of 0.
_LEAST_WEIGHT = 1e-6


class Controlled:
    """The optimum of a tracking cost within its bounds, obstacles left out, from call to call."""

    def __init__(self, model: Model, cost: PlanCost, dt: float, horizon: int) -> None:
        """Take the robot, weights and bounds, the step in s and the number of steps N."""
        problem = ControlProblem(
            model=model,
            dt=dt,
            horizon=horizon,
            state_weights=cost.state_weight,
            input_weights=cost.input_weight,
            terminal_weights=cost.terminal_weight,
            input_lower=cost.input_lower,
            input_upper=cost.input_upper,
            state_lower=cost.state_lower,
            state_upper=cost.state_upper,
            slack_weight=max(cost.state_bound_weight, _LEAST_WEIGHT),
        )
        self._controller = RealTimeIteration(problem)

    def reset(self) -> None:
        """Forget the last plan."""
        self._controller.reset()

    def inputs(self, state: Floats, reference: Floats) -> Floats | None:
        """Return inputs (N, m) from `state` (n,) for `reference` (N + 1, n); None without any."""
        self._controller.prepare(reference)
        solution = self._controller.feedback(state)
        return solution.inputs if solution.usable else None
