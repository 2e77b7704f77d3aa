"""What policy_node plans by: the tracking cost, or a trained policy. Has torch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.planner import Planner, PlannerSettings
from ebm_mpc_ros.energy.risk_seeking import RiskSeekingPlanner
from ebm_mpc_ros.learning.checkpoint import CheckpointError, load
from ebm_mpc_ros.learning.policy import LearnedPolicy, PolicySettings, added
from ebm_mpc_ros.resources import resolved
from ebm_mpc_ros.ros.parameters import ParameterError
from ebm_mpc_ros.ros.robot_model import check_step, is_learned, nominal_name
from ebm_mpc_ros.ros.robot_parameters import bounds, weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ebm_mpc_ros.energy.outcome import Plan
    from ebm_mpc_ros.models import Model

# Of the time in which an unhindered robot gets as far as a trained policy looks.
_SLACK, _STEPS = 2.0, 60
# With the controller's standard weights of the inputs the chains mix badly.
_INPUT_FACTOR = 5.0


class Policy(Protocol):
    """What plans from a state: `Planner`, `RiskSeekingPlanner` or `LearnedPolicy`."""

    def use(self, cost: PlanCost) -> None:
        """Take other costs; the last plan goes on."""

    def reset(self) -> None:
        """Forget the last plan; start the noise over."""

    def plan(
        self,
        state: NDArray[np.float64],
        reference: NDArray[np.float64],
        obstacles: NDArray[np.float64],
        elapsed_s: float = 0.0,
    ) -> Plan:
        """Return a plan from `state`."""


def policy_of(values: Mapping[str, Any], model: Model, device: str) -> Policy:
    """Return what plans: a checkpoint's policy where one is named, else the tracking cost's.

    Raises:
        ParameterError: The values don't fit together, or the checkpoint is none for this robot.
    """
    cost = plan_cost(values, model)
    check_step(model, values["dt"])
    try:
        if not values["checkpoint"]:
            return _planner(values, model, cost, device)
        if values["risk_seeking_noise"]:
            raise ParameterError("parameter risk_seeking_noise is not for a checkpoint's energy")
        return LearnedPolicy(
            load(resolved(values["checkpoint"])),
            model,
            cost,
            policy_settings(values),
            name=nominal_name(values),
            dt=values["dt"],
            horizon=values["horizon"],
            device=device,
        )
    except (CheckpointError, FileNotFoundError) as error:
        raise ParameterError(f"parameter checkpoint: {error}") from error
    except ValueError as error:
        raise ParameterError(f"parameter {error}") from error


def _planner(values: Mapping[str, Any], model: Model, cost: PlanCost, device: str) -> Policy:
    settings, noise = planner_settings(values), values["risk_seeking_noise"]
    if not noise:
        return Planner(model, cost, settings, device=device)
    if is_learned(values):
        raise ParameterError("parameter risk_seeking_noise is not for a learned model")
    if len(noise) != len(model.noise_names):
        wanted = f"one for each of {', '.join(model.noise_names)}"
        raise ParameterError(f"parameter risk_seeking_noise has {len(noise)} values, not {wanted}")
    return RiskSeekingPlanner(model, cost, settings, noise_density=np.diag(noise), device=device)


def reference_steps(values: Mapping[str, Any], policy: Policy) -> tuple[float, int]:
    """Return the step in s and the number of steps of the reference that the policy needs.

    A trained one looks for a place on it, which even a robot that backs up must get to.
    """
    if not isinstance(policy, LearnedPolicy):
        return values["dt"], values["horizon"]
    speed = min(values["cruise_speed"], -values["min_speed"] or math.inf)
    acceleration = min(values["max_acceleration"], values["max_deceleration"])
    time = _SLACK * (policy.look_ahead / speed + speed / acceleration)
    return time / _STEPS, _STEPS


def plan_cost(values: Mapping[str, Any], model: Model) -> PlanCost:
    """Return what a plan costs: with a checkpoint, what is added to its energy.

    Raises:
        ParameterError: The values don't fit together, or not the model.
    """
    inputs, states = bounds(values, model)
    input_weights = weights(values, "input_weights", model.input_names)
    if not values["input_weights"]:
        input_weights = [_INPUT_FACTOR * weight for weight in input_weights]
    try:
        cost = PlanCost(
            state_weight=tuple(weights(values, "state_weights", model.state_names)),
            terminal_weight=tuple(weights(values, "terminal_weights", model.state_names)),
            input_weight=tuple(input_weights),
            state_lower=tuple(states[0]),
            state_upper=tuple(states[1]),
            input_lower=tuple(inputs[0]),
            input_upper=tuple(inputs[1]),
            obstacle_weight=values["obstacle_weight"],
            robot_radius=values["robot_radius"],
            margin=values["obstacle_margin"],
        )
    except ValueError as error:
        raise ParameterError(f"parameter {error}") from error
    if not values["checkpoint"]:
        return cost
    return added(cost, model, goal=values["goal_weight"], smoothness=values["smoothness"])


def planner_settings(values: Mapping[str, Any]) -> PlannerSettings:
    """Return how plans are sampled from the tracking cost.

    Raises:
        ValueError: The values don't fit together.
    """
    return PlannerSettings(
        horizon=values["horizon"],
        dt=values["dt"],
        chains=values["chains"],
        steps=values["steps"],
        temperature=values["temperature"],
        switch_margin=values["switch_margin"],
        shown=values["samples_shown"],
        time_limit=values["time_limit"],
        seed=values["seed"],
    )


def policy_settings(values: Mapping[str, Any]) -> PolicySettings:
    """Return how chunks are sampled from a trained policy.

    Raises:
        ValueError: The values don't fit together.
    """
    return PolicySettings(
        chains=values["chains"],
        levels=values["levels"],
        steps=values["level_steps"],
        sampler=values["sampler"],
        fresh_share=values["fresh_share"],
        switch_margin=values["switch_margin"],
        shown=values["samples_shown"],
        time_limit=values["time_limit"],
        seed=values["seed"],
    )
