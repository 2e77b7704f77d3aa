"""mpc_node's parameters, and what its controller makes of them. No rclpy here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ebm_mpc_ros.control import ControlProblem, FallbackSettings, SolverSettings
from ebm_mpc_ros.ros.controller import ControllerSettings
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.robot_model import check_step
from ebm_mpc_ros.ros.robot_parameters import HEAVIEST, LIGHTEST, ROBOT_PARAMETERS, bounds, weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ebm_mpc_ros.models import Model

MPC_PARAMETERS = (
    *ROBOT_PARAMETERS,
    Parameter(
        name="dt",
        kind="float",
        default=0.05,
        minimum=0.001,
        maximum=0.1,
        unit="s",
        description="Period of a tick and step of the model.",
    ),
    Parameter(
        name="horizon",
        kind="int",
        default=25,
        minimum=2,
        maximum=500,
        description="Steps of the horizon.",
    ),
    Parameter(
        name="terminal_cost",
        kind="str",
        default="given",
        choices=("given", "riccati"),
        description="terminal_weights, or the infinite horizon's cost about the reference's end.",
    ),
    Parameter(
        name="slack_weight",
        kind="float",
        default=1000.0,
        minimum=LIGHTEST,
        maximum=HEAVIEST,
        description="Weight of a violated state bound, squared.",
        live=True,
    ),
    Parameter(
        name="slack_weight_l1",
        kind="float",
        default=0.0,
        minimum=0.0,
        maximum=HEAVIEST,
        description="Weight of a violated state bound as it is.",
        live=True,
    ),
    Parameter(
        name="input_rate_weights",
        kind="floats",
        default=[],
        minimum=0.0,
        maximum=HEAVIEST,
        description="Diagonal of S, the weights of the inputs' changes per second; empty for 0.",
        live=True,
    ),
    Parameter(
        name="input_rate_limits",
        kind="floats",
        default=[],
        minimum=0.001,
        maximum=HEAVIEST,
        description="Highest changes of the inputs per second (jerks); empty for none.",
        live=True,
    ),
    Parameter(
        name="max_iterations",
        kind="int",
        default=200,
        minimum=1,
        maximum=100_000,
        description="OSQP's iterations in a tick.",
    ),
    Parameter(
        name="fallback_ticks",
        kind="int",
        default=3,
        minimum=0,
        maximum=1000,
        description="Ticks driven along the last plan without a solution; a stop begins in 0.2 s.",
    ),
    Parameter(
        name="latency",
        kind="float",
        default=0.0,
        minimum=0.0,
        maximum=1.0,
        unit="s",
        description="Time from sending a command to its acting; the estimate's age is measured.",
        live=True,
    ),
    Parameter(
        name="half_planes",
        kind="int",
        default=2,
        minimum=0,
        maximum=20,
        description="Obstacles kept clear of at each step, the nearest ones; 0 ignores all.",
    ),
    Parameter(
        name="robot_radius",
        kind="float",
        default=0.2,
        minimum=0.0,
        maximum=100.0,
        unit="m",
        description="Radius of the robot's circle.",
    ),
    Parameter(
        name="obstacle_clearance",
        kind="float",
        default=0.1,
        minimum=0.0,
        maximum=100.0,
        unit="m",
        description="Distance to keep between that circle and obstacles.",
        live=True,
    ),
    Parameter(
        name="reference_source",
        kind="str",
        default="policy",
        choices=("policy", "plan"),
        description="Follow policy/plan, or plan and goal_pose.",
    ),
    Parameter(
        name="plan_timeout",
        kind="float",
        default=0.12,
        minimum=0.001,
        maximum=0.3,
        unit="s",
        description="Silence of policy/plan that stops the robot.",
    ),
    Parameter(
        name="plan_max_age",
        kind="float",
        default=0.3,
        minimum=0.001,
        maximum=1.0,
        unit="s",
        description="A policy/plan made from an older state is refused.",
    ),
)


# s after the last solution within which a stop begins.
_STOP_WITHIN = 0.2


def controller_settings(values: Mapping[str, Any], model: Model) -> ControllerSettings:
    """Return what the controller does.

    Raises:
        ParameterError: Values don't fit the model or each other.
    """
    check_step(model, values["dt"])
    inputs, states = bounds(values, model)
    try:
        problem = ControlProblem(
            model=model,
            dt=values["dt"],
            horizon=values["horizon"],
            state_weights=weights(values, "state_weights", model.state_names),
            input_weights=weights(values, "input_weights", model.input_names),
            terminal_weights=weights(values, "terminal_weights", model.state_names),
            input_lower=inputs[0],
            input_upper=inputs[1],
            state_lower=states[0],
            state_upper=states[1],
            slack_weight=values["slack_weight"],
            slack_weight_l1=values["slack_weight_l1"],
            terminal=values["terminal_cost"],
            input_rate_weights=_of_inputs(values, "input_rate_weights", model),
            input_rate_limits=_of_inputs(values, "input_rate_limits", model),
            half_planes=values["half_planes"],
        )
        return ControllerSettings(
            problem=problem,
            solver=SolverSettings(max_iterations=values["max_iterations"]),
            fallback=FallbackSettings(tail_ticks=_tail_ticks(values)),
            latency=values["latency"],
            robot_radius=values["robot_radius"],
            obstacle_clearance=values["obstacle_clearance"],
            lateral_acceleration=values["max_lateral_acceleration"],
        )
    except ValueError as error:
        raise ParameterError(f"parameter {error}") from error


def _tail_ticks(values: Mapping[str, Any]) -> int:
    """Return how many ticks are driven along the last plan: the one after them stops."""
    # A share of a tick makes up for rounding.
    most: int = math.floor(_STOP_WITHIN / values["dt"] + 1e-6) - 1
    return min(int(values["fallback_ticks"]), most)


def _of_inputs(values: Mapping[str, Any], name: str, model: Model) -> list[float] | None:
    """Return one number for each of the model's inputs, None where the list is empty."""
    given: list[float] = values[name]
    if not given:
        return None
    if len(given) != len(model.input_names):
        wanted = ", ".join(model.input_names)
        raise ParameterError(
            f"parameter {name} has {len(given)} values: must be none, or one each of {wanted}"
        )
    return given
