"""mpc_node: follows a plan, one QP a tick, and stops the robot when it can't."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from nav_msgs.msg import Path
from numpy.typing import NDArray
from trajectory_msgs.msg import MultiDOFJointTrajectory

from ebm_mpc_ros.control import Actuation, model_reference, planar_outputs
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.controller_health import ControllerHealth
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.driver import ARRIVED, JUMPED, Driver
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.obstacle_input import ObstacleInput
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.plan_input import PlanInput
from ebm_mpc_ros.ros.prediction import Prediction
from ebm_mpc_ros.ros.process import spin
from ebm_mpc_ros.ros.reference_input import ReferenceInput
from ebm_mpc_ros.ros.robot_parameters import command_limits, follower_settings, robot_model_of
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Vector = NDArray[np.float64]

_WATCH_PERIOD = 0.02
_NO_OBSTACLES = np.empty((0, 3))


class MpcNode(ManagedNode):
    """Thin around `Controller`: estimate, reference and obstacles in, cmd_vel and plan out."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("mpc_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return MPC_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Build the controller, its inputs and its outputs."""
        model = self._model = robot_model_of(values)
        self._actuation = Actuation(model)
        self._controller = Controller(controller_settings(values, model))
        self._dt, self._horizon = values["dt"], values["horizon"]
        self._health = ControllerHealth(self._dt)
        self._frame = values["odom_frame"]
        base = values["base_link_frame"]
        self._transforms = Transforms(self, publish=False)
        self._estimate = EstimateInput(
            self,
            model,
            frame=self._frame,
            child=base,
            timeout=values["estimate_timeout"],
            simulated=self.simulated,
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
                simulated=self.simulated,
            )
            self.listen(MultiDOFJointTrajectory, "policy/plan", self._plan.take, qos.NEWEST)
        else:
            self._path = ReferenceInput(
                self, model, follower_settings(values, model), self._transforms, self._frame
            )
        self._obstacles: ObstacleInput | None = None
        if values["half_planes"]:
            self._obstacles = ObstacleInput(self, self._transforms, self._frame)
        self._driver = Driver(
            self,
            self._actuation,
            command_limits(values, model),
            period=self._dt,
            frame=base,
            enabled=values["enabled"],
            stamped=values["enable_stamped_cmd_vel"],
            simulated=self.simulated,
            fault=self._held_back,
            rolling=self._estimate.rolling,
        )
        self._predictions = self.advertise(Path, "mpc/prediction", qos.OUTPUT)
        self._prediction = Prediction(self._frame, self._dt, self._horizon)
        self._jumps = 0
        self.every(self._dt, self._tick)
        self.every(_WATCH_PERIOD, self._watch, steady=True)

    def change(self, values: dict[str, Any]) -> Callable[[], None]:
        """Take other weights, limits, speeds, clearances and latencies."""
        limits = command_limits(values, self._model)
        try:
            changes = [self._controller.change(controller_settings(values, self._model))]
            if self._path is not None:
                changes.append(self._path.change(follower_settings(values, self._model)))
        except ValueError as error:
            raise ParameterError(str(error)) from error

        def apply() -> None:
            self._driver.use(limits)
            for change in changes:
                change()

        return apply

    def deactivate(self) -> None:
        """Stop the robot, then forget the policy's plan and the estimate; a path stays."""
        self._driver.halt()
        self._estimate.reset()
        if self._plan is not None:
            self._plan.reset()
        self._controller.forget()
        self._health.pause()

    def condition(self) -> Condition:
        """Say why the robot is stopped, or what is amiss while it drives."""
        reason = self._driver.reason
        if reason == ARRIVED:
            return Condition(Level.OK, ARRIVED)
        return self._health.condition(
            stopped_because=reason, enabled=self._driver.enabled, ignored=self._ignored()
        )

    def figures(self) -> dict[str, object]:
        """Say how long ticks take, how old plans are, what failed and what was dropped."""
        values = self._health.figures(self._controller)
        values |= {"stops": self._driver.stops, "estimate jumps": self._jumps}
        values |= {f"estimate dropped: {key}": n for key, n in self._estimate.dropped.items()}
        if self._plan is not None:
            values |= {f"plan dropped: {key}": n for key, n in self._plan.dropped.items()}
        if self._path is not None:
            values |= self._path.dropped
        if self._obstacles is not None:
            values["obstacles"] = len(self._obstacles.circles())
            values |= {f"obstacle dropped: {key}": n for key, n in self._obstacles.dropped.items()}
        return values

    def _ignored(self) -> str:
        if self._path is not None and self._path.refusal:
            return self._path.refusal
        ignored = "" if self._obstacles is None else self._obstacles.ignored
        return f"an obstacle is ignored: {ignored}" if ignored else ""

    def _tick(self) -> None:
        started = time.perf_counter()
        periods = self._health.deadline.begin(self.now if self.simulated else self.steady_now)
        reason = self._fault()
        if reason:
            self._stop(reason)
        else:
            self._drive(periods, started)
        self._health.ended(time.perf_counter() - started)
        self.report()

    def _watch(self) -> None:
        """Begin to stop at once when something fails between two ticks."""
        reason = "" if self._driver.reason else self._fault()
        if reason:
            self._stop(reason)
            self.report()

    def _stop(self, reason: str) -> None:
        """Stop for a reason that is not the solver's."""
        self._controller.rest()
        self._health.stopped()
        self._controller.sent(self.now, self._driver.stop(reason))

    def _fault(self) -> str:
        if not self._driver.enabled:
            self._estimate.jumped = False
            return self._driver.disabled_because
        if self._estimate.jumped:
            self._estimate.reset()
            self._driver.disable(JUMPED)
            self._jumps += 1
            return JUMPED
        return self._held_back()

    def _held_back(self) -> str:
        """Return why an enabled robot can't be driven; empty if it can."""
        source = self._plan if self._plan is not None else self._path
        assert source is not None  # noqa: S101  configure has made one of them
        return self._estimate.fault() or source.fault()

    def _drive(self, periods: int, started: float) -> None:
        """Solve and command; `started` is when the tick began (perf_counter)."""
        now = self.now
        self._health.estimated((now - self._estimate.stamp) * 1e-9)
        state = self._predicted(now)
        reference, guess = self._reference(state, now)
        if self._path is not None and self._path.ended:
            self._stop(self._path.ended)
            return
        obstacles = _NO_OBSTACLES if self._obstacles is None else self._obstacles.circles()
        decision = self._controller.tick(state, reference, obstacles, guess, periods)
        self._health.decided(decision)
        if decision.input is None:
            sent = self._driver.stop(decision.reason)
        else:
            sent = self._driver.drive(decision.input, start=self._actuation.of(state))
        self._controller.sent(self.now, sent, time.perf_counter() - started)
        if decision.solution.usable and self._health.deadline.ticks % 2 == 0:
            self._publish(decision.solution.states, now)

    def _predicted(self, now: int) -> Vector:
        """Return the state when the next input acts."""
        command = self._driver.command
        found = self._estimate.completed(command)
        state = self._controller.predict(found, self._estimate.stamp, now)
        for k in self._actuation.hidden:
            # What stands in for a measurement has in it what was sent since.
            index = self._actuation.indices[k]
            if found[index] == command[k]:
                state[index] = command[k]
        return state

    def _reference(self, state: Vector, now: int) -> tuple[Vector, Vector | None]:
        """Return what to track (N+1, state_size), and the policy's way past obstacles (N+1, 2)."""
        if self._path is not None:
            ahead = self._controller.ahead
            return self._path.reference(state, self._dt, self._horizon, ahead), None
        assert self._plan is not None  # noqa: S101
        plan = self._plan.newest
        assert plan is not None  # noqa: S101  no fault
        age = (now - plan.stamp) * 1e-9
        self._health.plan_ages.add(age)
        planar = plan.trajectory.resample(age + self._controller.ahead, self._dt, self._horizon)
        return model_reference(self._model, planar), planar[:, :2]

    def _publish(self, states: Vector, now: int) -> None:
        if self._predictions.get_subscription_count():
            begin = now + round(1e9 * self._controller.ahead)
            poses = planar_outputs(self._model, states)[:, :3]
            self._predictions.publish(self._prediction.message(begin, poses))


def main() -> None:
    """Run the node."""
    sys.exit(spin(MpcNode))


if __name__ == "__main__":
    main()
