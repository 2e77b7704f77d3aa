"""mpc_node: follows a plan, one QP a tick, and stops the robot when it can't."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from nav_msgs.msg import Path
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ebm_mpc_ros.control import ControlProblem, RealTimeIteration, SolverSettings, model_reference
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.driver import ARRIVED, JUMPED, Driver
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.messages import to_path
from ebm_mpc_ros.ros.node import ManagedNode, spin
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.plan_input import PlanInput
from ebm_mpc_ros.ros.reference_input import ReferenceInput
from ebm_mpc_ros.ros.robot_parameters import (
    ROBOT_PARAMETERS,
    bounds,
    command_limits,
    follower_settings,
    planar_model,
    weights,
)
from ebm_mpc_ros.ros.timing import Timing
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

_TABLE = (
    *ROBOT_PARAMETERS,
    Parameter(
        name="dt",
        kind="float",
        default=0.05,
        above=0.0,
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
        name="slack_weight",
        kind="float",
        default=1000.0,
        above=0.0,
        description="Weight of a violated state bound.",
    ),
    Parameter(
        name="max_iterations",
        kind="int",
        default=50,
        minimum=1,
        description="OSQP's iterations in a tick.",
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
        above=0.0,
        maximum=0.3,
        unit="s",
        description="Silence of policy/plan that stops the robot.",
    ),
    Parameter(
        name="plan_max_age",
        kind="float",
        default=0.3,
        above=0.0,
        maximum=1.0,
        unit="s",
        description="A policy/plan made from an older state is refused.",
    ),
)


_WATCH_PERIOD = 0.02


class MpcNode(ManagedNode):
    """Thin around `RealTimeIteration`: estimate and reference in, cmd_vel and prediction out."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("mpc_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return _TABLE

    def configure(self, values: dict[str, Any]) -> None:
        """Build the controller, its inputs and its outputs."""
        model = planar_model(values["model"])
        self._problem = _problem(values, model)
        self._controller = RealTimeIteration(
            self._problem, SolverSettings(max_iterations=values["max_iterations"])
        )
        self._frame = values["odom_frame"]
        base = values["base_link_frame"]
        self._transforms = Transforms(self, publish=False)
        self._estimate = EstimateInput(
            self, model, frame=self._frame, child=base, timeout=values["estimate_timeout"]
        )
        self._plan: PlanInput | None = None
        self._path: ReferenceInput | None = None
        if values["reference_source"] == "policy":
            self._plan = PlanInput(
                self,
                frame=self._frame,
                child=base,
                timeout=values["plan_timeout"],
                max_age=values["plan_max_age"],
            )
            self.listen(MultiDOFJointTrajectory, "policy/plan", self._plan.take, qos.NEWEST)
        else:
            self._path = ReferenceInput(
                self, model, follower_settings(values), self._transforms, self._frame
            )
        self._driver = Driver(
            self,
            command_limits(values),
            period=self._problem.dt,
            frame=base,
            enabled=values["enabled"],
            stamped=values["enable_stamped_cmd_vel"],
        )
        self._prediction = self.advertise(Path, "mpc/prediction", qos.OUTPUT)
        self._u = np.zeros(len(model.input_names))
        self._times, self._ages = Timing(), Timing()
        self._ticks = self._failures = self._misses = self._jumps = 0
        self._last_tick: int | None = None
        self._iterations = 0
        self.every(self._problem.dt, self._tick)
        self.every(_WATCH_PERIOD, self._watch, steady=True)

    def deactivate(self) -> None:
        """Stop the robot, then forget plan and estimate."""
        self._driver.halt()
        self._estimate.reset()
        if self._plan is not None:
            self._plan.reset()
        self._controller.reset()

    def condition(self) -> Condition:
        """Say why the robot is stopped."""
        reason = self._driver.reason
        if reason == ARRIVED:
            return Condition(Level.OK, ARRIVED)
        if reason:
            level = Level.ERROR if self._driver.enabled else Level.WARN
            return Condition(level, f"stopping: {reason}")
        if self._path is not None and self._path.refusal:
            return Condition(Level.WARN, f"driving; {self._path.refusal}")
        return Condition(Level.OK, "driving")

    def figures(self) -> dict[str, object]:
        """Say how long ticks take, how old plans are, what failed and what was dropped."""
        values: dict[str, object] = {
            "ticks": self._ticks,
            "tick median ms": f"{self._times.quantile(0.5):.3f}",
            "tick p99 ms": f"{self._times.quantile(0.99):.3f}",
            "deadline misses": self._misses,
            "plan age median ms": f"{self._ages.quantile(0.5):.1f}",
            "plan age p99 ms": f"{self._ages.quantile(0.99):.1f}",
            "solver failures": self._failures,
            "solver iterations": self._iterations,
            "stops": self._driver.stops,
            "estimate jumps": self._jumps,
        }
        values |= {f"estimate dropped: {key}": n for key, n in self._estimate.dropped.items()}
        if self._plan is not None:
            values |= {f"plan dropped: {key}": n for key, n in self._plan.dropped.items()}
        if self._path is not None:
            values |= self._path.dropped
        return values

    def _tick(self) -> None:
        started = time.perf_counter()
        self._count_deadline()
        reason = self._fault() or self._drive()
        if reason:
            self._stop(reason)
        self._times.add(time.perf_counter() - started)
        self.report()

    def _watch(self) -> None:
        """Begin to stop at once when something fails between two ticks."""
        reason = "" if self._driver.reason else self._fault()
        if reason:
            self._stop(reason)
            self.report()

    def _stop(self, reason: str) -> None:
        self._u = np.zeros_like(self._u)
        self._controller.reset()
        self._driver.stop(reason)

    def _fault(self) -> str:
        if not self._driver.enabled:
            self._estimate.jumped = False
            return self._driver.disabled_because
        if self._estimate.jumped:
            self._estimate.reset()
            self._driver.disable(JUMPED)
            self._jumps += 1
            return JUMPED
        source = self._plan if self._plan is not None else self._path
        assert source is not None  # noqa: S101  configure has made one of them
        return self._estimate.fault() or source.fault()

    def _drive(self) -> str:
        """Solve and command; returns why not, where it can't."""
        problem, now = self._problem, self.now
        state = self._estimate.predicted(self._u)
        if self._path is not None:
            reference = self._path.reference(state, problem.dt, problem.horizon)
            if self._path.finished:
                return ARRIVED
        else:
            assert self._plan is not None  # noqa: S101
            plan = self._plan.newest
            assert plan is not None  # noqa: S101  fault() was empty
            age = (now - plan.stamp) * 1e-9
            self._ages.add(age)
            reference = model_reference(
                problem.model, plan.trajectory.resample(age, problem.dt, problem.horizon)
            )
        self._controller.prepare(reference)
        solution = self._controller.feedback(state)
        self._iterations = solution.iterations
        if not solution.usable:
            self._failures += 1
            return f"no solution: {solution.reason}"
        self._u = solution.inputs[0]
        names = problem.model.state_names
        velocity = (float(state[names.index("vx")]), float(state[names.index("vyaw")]))
        self._driver.drive(self._u, start=velocity)
        if self._ticks % 2 == 0:
            self._prediction.publish(to_path(now, self._frame, solution.states[:, :3].tolist()))
        return ""

    def _count_deadline(self) -> None:
        now = self.steady_now if not self.get_parameter("use_sim_time").value else self.now
        if self._last_tick is not None and (now - self._last_tick) * 1e-9 > 1.5 * self._problem.dt:
            self._misses += 1
        self._last_tick = now
        self._ticks += 1


def _problem(values: dict[str, Any], model: Any) -> ControlProblem:
    inputs, states = bounds(values, model)
    try:
        return ControlProblem(
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
        )
    except ValueError as error:
        raise ParameterError(f"parameter {error}") from error


def main() -> None:
    """Run the node."""
    sys.exit(spin(MpcNode))


if __name__ == "__main__":
    main()
