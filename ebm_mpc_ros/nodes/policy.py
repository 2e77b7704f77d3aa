"""policy_node: samples plans with Langevin dynamics and publishes the best."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from ebm_mpc_ros.control import Actuation, planar_outputs
from ebm_mpc_ros.energy.outcome import Ended
from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.driver import ARRIVED, JUMPED, Driver
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.obstacle_input import ObstacleInput
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.plan_message import to_plan
from ebm_mpc_ros.ros.planning_thread import Job, Made, PlanningThread
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS
from ebm_mpc_ros.ros.process import spin
from ebm_mpc_ros.ros.reference_input import ReferenceInput
from ebm_mpc_ros.ros.robot_parameters import (
    command_limits,
    follower_settings,
    robot_model_of,
)
from ebm_mpc_ros.ros.sample_markers import to_samples
from ebm_mpc_ros.ros.timing import Timing
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ebm_mpc_ros.energy.outcome import Plan

_SAMPLES_PERIOD = 0.2
_CUTS = 10
_NO_TORCH = (
    "torch isn't installed: install it as docs/dependencies.md says, or drive without a policy"
)


class PolicyNode(ManagedNode):
    """Thin around a `Policy`, which runs on a thread of its own; the newest state wins."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("policy_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return POLICY_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Build the sampler, its inputs and its outputs, and start its thread."""
        model = robot_model_of(values)
        self._model, self._actuation = model, Actuation(model)
        self._dt, self._horizon = values["dt"], values["horizon"]
        self._frame, self._base = values["odom_frame"], values["base_link_frame"]
        self._shown = values["samples_shown"]
        self._max_age = values["plan_max_age"]
        self._transforms = Transforms(self, publish=False)
        self._estimate = EstimateInput(
            self,
            model,
            frame=self._frame,
            child=self._base,
            timeout=values["estimate_timeout"],
            simulated=self.simulated,
            taken=self._propose,
        )
        self._path = ReferenceInput(
            self, model, follower_settings(values, model), self._transforms, self._frame
        )
        self._obstacles = ObstacleInput(self, self._transforms, self._frame)
        self._plans = self.advertise(MultiDOFJointTrajectory, "policy/plan", qos.OUTPUT)
        self._samples = self.advertise(MarkerArray, "policy/samples", qos.OUTPUT)
        self._driver: Driver | None = None
        if values["send_commands"]:
            self._driver = Driver(
                self,
                self._actuation,
                command_limits(values, model),
                period=values["command_period"],
                frame=self._base,
                enabled=values["enabled"],
                stamped=values["enable_stamped_cmd_vel"],
                simulated=self.simulated,
                fault=self._fault,
                rolling=self._estimate.rolling,
            )
            self.every(values["command_period"], self._drive)
        self._times, self._ages = Timing(), Timing()
        self._period, self._due = round(1e9 / values["frequency"]), 0
        self._reason = "no plan yet"
        self._newest: tuple[int, Plan] | None = None
        self._published = self._skipped = self._switches = 0
        self._samples_shown_at = 0
        self._cut = self._cut_in_a_row = 0
        self._plan_by(values)
        self._planning = PlanningThread(self._policy, self._take)
        self.at_clean_up(self._planning.close)
        self.every(1.0 / values["frequency"], self._supervise)

    def _plan_by(self, values: dict[str, Any]) -> None:
        """Build the sampler. Torch takes seconds to import, in which others find the topics."""
        try:
            from ebm_mpc_ros.energy.device import choose_device  # noqa: PLC0415
            from ebm_mpc_ros.ros.policy_choice import policy_of, reference_steps  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise UserError(_NO_TORCH) from error
        try:
            self._device = choose_device(values["device"])
        except ValueError as error:
            raise ParameterError(f"parameter {error}") from error
        self._policy = policy_of(values, self._model, self._device)
        self._ahead = reference_steps(values, self._policy)

    def change(self, values: dict[str, Any]) -> Callable[[], None]:
        """Take other limits, weights, speeds and margins."""
        from ebm_mpc_ros.ros.policy_choice import plan_cost, reference_steps  # noqa: PLC0415

        cost = plan_cost(values, self._model)
        steps = reference_steps(values, self._policy)
        limits = command_limits(values, self._model)
        settings = follower_settings(values, self._model)
        try:
            path = self._path.change(settings)
        except ValueError as error:
            raise ParameterError(str(error)) from error

        def apply() -> None:
            path()
            self._ahead = steps
            if self._driver is not None:
                self._driver.use(limits)
            self._planning.use(cost)

        return apply

    def deactivate(self) -> None:
        """Stop the robot, then forget the estimate and the policy's plan; the path stays."""
        if self._driver is not None:
            self._driver.halt()
        self._estimate.reset()
        self._planning.forget()
        self._newest = None

    def condition(self) -> Condition:
        """Say why there is no plan, or why the robot is stopped."""
        reason = self._reason or self._estimate.fault()
        if reason:
            return Condition(Level.ERROR, f"no plan: {reason}")
        if self._driver is not None and self._driver.reason not in ("", ARRIVED):
            return Condition(Level.WARN, f"stopping: {self._driver.reason}")
        if self._cut_in_a_row >= _CUTS:
            words = f"planning, but time_limit cut short the last {self._cut_in_a_row} plans"
            return Condition(Level.WARN, words)
        ignored = self._path.refusal or self._obstacles.ignored
        if ignored:
            return Condition(Level.WARN, f"planning; ignored: {ignored}")
        return Condition(Level.OK, "planning")

    def figures(self) -> dict[str, object]:
        """Say how long sampling takes, how old plans are, and how the chains do."""
        values: dict[str, object] = {
            "plans": self._published,
            "sampling median ms": f"{self._times.quantile(0.5):.2f}",
            "sampling p99 ms": f"{self._times.quantile(0.99):.2f}",
            "state age median ms": f"{self._ages.quantile(0.5):.1f}",
            "state age p99 ms": f"{self._ages.quantile(0.99):.1f}",
            "states skipped": self._skipped,
            "plans cut short by time_limit": self._cut,
            "better plans taken": self._switches,
            "device": self._device,
        }
        if self._newest is not None:
            newest = self._newest[1]
            values |= {
                "energy": f"{newest.energy:.3f}",
                "clearance m": f"{newest.clearance:.3f}",
            }
            if not math.isnan(newest.acceptance):
                values["acceptance"] = f"{newest.acceptance:.2f}"
        values |= {f"estimate dropped: {key}": n for key, n in self._estimate.dropped.items()}
        values |= {f"obstacle dropped: {key}": n for key, n in self._obstacles.dropped.items()}
        values |= self._path.dropped
        return values

    def _propose(self) -> None:
        """Plan from the estimate that has just come, `frequency` times a second."""
        if self._estimate.fault() or self._path.fault():
            return
        now, period = self.now, self._period
        slack = period // 4
        if now + slack < self._due <= now + period + slack:
            return
        due = self._due + period
        self._due = due if now < due <= now + period + slack else now + period
        state = self._estimate.completed(self._driver.command if self._driver else None)
        stamp = self._estimate.stamp
        reference = self._path.reference(state, *self._ahead, (stamp - now) * 1e-9)
        job = Job(stamp, state, reference, self._obstacles.circles())
        self._skipped += self._planning.offer(job)

    def _supervise(self) -> None:
        """See whether there is what to plan from; a bug on the planning thread ends the node."""
        if self._planning.error is not None:
            raise self._planning.error
        self._reason = self._estimate.fault() or self._path.fault() or self._reason
        self.report()

    def _take(self, made: Made) -> None:
        """Publish a plan, unless it must not be driven. Called on the planning thread."""
        job, plan, seconds = made
        self._times.add(seconds)
        cut = plan.ended is Ended.DEADLINE
        self._cut, self._cut_in_a_row = self._cut + cut, (self._cut_in_a_row + 1) * cut
        self._reason = plan.reason if not plan.usable else ""
        if plan.clearance < 0.0:
            self._reason = "the best plan found touches an obstacle"
        if self._reason or self._path.fault():
            return
        self._newest = (job.stamp, plan)
        self._switches += plan.switched
        planar = planar_outputs(self._model, plan.states)
        self._plans.publish(
            to_plan(
                job.stamp,
                self._frame,
                self._base,
                self._dt,
                planar,
                plan.inputs,
                self._model.input_names,
            )
        )
        self._published += 1
        self._ages.add((self.now - job.stamp) * 1e-9)
        if self._shown and abs(job.stamp - self._samples_shown_at) >= _SAMPLES_PERIOD * 1e9:
            self._samples_shown_at = job.stamp
            self._samples.publish(to_samples(job.stamp, self._frame, plan))

    def _drive(self) -> None:
        """Send the plan's input, where there is no controller to do it."""
        assert self._driver is not None  # noqa: S101  only called with one
        if self._estimate.jumped and self._driver.enabled:
            self._estimate.reset()
            self._driver.disable(JUMPED)
            return
        self._estimate.jumped = False
        if not self._driver.enabled:
            self._driver.stop(self._driver.disabled_because)
            return
        reason = self._fault()
        if reason:
            self._driver.stop(reason)
            return
        assert self._newest is not None  # noqa: S101  no fault
        stamp, plan = self._newest
        index = min(max(int((self.now - stamp) * 1e-9 / self._dt), 0), self._horizon - 1)
        self._driver.drive(plan.inputs[index], start=self._actuation.of(plan.states[0]))

    def _fault(self) -> str:
        """Return why no plan can be driven; empty if one can."""
        reason = self._estimate.fault() or self._path.fault() or self._reason
        if reason:
            return reason
        if self._newest is None:
            return "no plan yet"
        if (self.now - self._newest[0]) * 1e-9 > self._max_age:
            return f"plan was made from a state more than {self._max_age:g} s old"
        return self._path.ended


def main() -> None:
    """Run the node."""
    sys.exit(spin(PolicyNode))


if __name__ == "__main__":
    main()
