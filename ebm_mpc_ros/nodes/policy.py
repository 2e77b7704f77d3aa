"""policy_node: samples plans with Langevin dynamics and publishes the best."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from trajectory_msgs.msg import MultiDOFJointTrajectory
from visualization_msgs.msg import MarkerArray

from ebm_mpc_ros.energy.cost import PlanCost
from ebm_mpc_ros.energy.device import choose_device, use_one_thread
from ebm_mpc_ros.energy.planner import Plan, Planner, PlannerSettings
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.driver import ARRIVED, JUMPED, Driver
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.node import ManagedNode, spin
from ebm_mpc_ros.ros.obstacle_input import ObstacleInput
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.plan_message import to_plan
from ebm_mpc_ros.ros.reference_input import ReferenceInput
from ebm_mpc_ros.ros.robot_parameters import (
    ROBOT_PARAMETERS,
    bounds,
    command_limits,
    follower_settings,
    planar_model,
    weights,
)
from ebm_mpc_ros.ros.sample_markers import to_samples
from ebm_mpc_ros.ros.timing import Timing
from ebm_mpc_ros.ros.transforms import Transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

Floats = NDArray[np.float64]


def _count(name: str, default: int, minimum: int, description: str) -> Parameter:
    return Parameter(
        name=name, kind="int", default=default, minimum=minimum, description=description
    )


def _number(
    name: str, default: float, unit: str, description: str, maximum: float | None = None
) -> Parameter:
    return Parameter(
        name=name,
        kind="float",
        default=default,
        above=0.0,
        maximum=maximum,
        unit=unit,
        description=description,
    )


_TABLE = (
    *ROBOT_PARAMETERS,
    _number("frequency", 20.0, "Hz", "Rate of plans.", 200.0),
    _number("dt", 0.1, "s", "Step of a plan."),
    _count("horizon", 20, 2, "Steps of a plan."),
    _count("chains", 64, 4, "Langevin chains, all in parallel."),
    _count("steps", 6, 1, "Langevin steps of a call."),
    _number("temperature", 0.1, "", "T of p(U) = exp(-J(U)/T)/Z."),
    _number("switch_margin", 0.5, "", "Energy by which another mode must beat the present plan."),
    _number("robot_radius", 0.2, "m", "Radius of the robot's circle."),
    _number("obstacle_margin", 0.15, "m", "Clearance below which an obstacle costs."),
    _number("obstacle_weight", 1500.0, "1/m^2", "Weight of a clearance below the margin."),
    _number("time_limit", 0.045, "s", "Time after which a call returns the best plan so far."),
    _count("seed", 0, 0, "Seed of all noise."),
    _count("samples_shown", 12, 0, "Chains in policy/samples; 0 for none."),
    _number("plan_max_age", 0.3, "s", "A plan made from an older state is not driven.", 1.0),
    Parameter(
        name="device",
        kind="str",
        default="auto",
        description="auto (CUDA where there is a GPU), cpu, cuda or cuda:N.",
    ),
    Parameter(
        name="send_commands",
        kind="bool",
        default=False,
        description="Drive cmd_vel from the plan, without mpc_node.",
    ),
    _number("command_period", 0.05, "s", "Period of cmd_vel where commands are sent.", 0.1),
)
_SAMPLES_PERIOD = 0.2


class _Job(NamedTuple):
    stamp: int
    state: Floats
    reference: Floats
    obstacles: Floats


class PolicyNode(ManagedNode):
    """Thin around `Planner`, which runs on a thread of its own; the newest state wins."""

    def __init__(self) -> None:
        """Declare the parameters."""
        self._thread: threading.Thread | None = None
        super().__init__("policy_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return _TABLE

    def configure(self, values: dict[str, Any]) -> None:
        """Build the sampler, its inputs and its outputs, and start its thread."""
        model = planar_model(values["model"])
        try:
            self._device = choose_device(values["device"])
        except ValueError as error:
            raise ParameterError(f"parameter {error}") from error
        self._planner = _planner(values, model, self._device)
        self._dt, self._horizon = values["dt"], values["horizon"]
        self._frame, self._base = values["odom_frame"], values["base_link_frame"]
        self._shown = values["samples_shown"]
        self._max_age = values["plan_max_age"]
        self._names = model.state_names
        self._transforms = Transforms(self, publish=False)
        self._estimate = EstimateInput(
            self,
            model,
            frame=self._frame,
            child=self._base,
            timeout=values["estimate_timeout"],
        )
        self._path = ReferenceInput(
            self, model, follower_settings(values), self._transforms, self._frame
        )
        self._obstacles = ObstacleInput(self, self._transforms, self._frame)
        self._plans = self.advertise(MultiDOFJointTrajectory, "policy/plan", qos.OUTPUT)
        self._samples = self.advertise(MarkerArray, "policy/samples", qos.OUTPUT)
        self._driver: Driver | None = None
        if values["send_commands"]:
            self._driver = Driver(
                self,
                command_limits(values),
                period=values["command_period"],
                frame=self._base,
                enabled=values["enabled"],
                stamped=values["enable_stamped_cmd_vel"],
            )
            self.every(values["command_period"], self._drive)
        self._times, self._ages = Timing(), Timing()
        self._reason = "no plan yet"
        self._newest: tuple[int, Plan] | None = None
        self._published = self._skipped = self._switches = 0
        self._samples_shown_at = 0
        self._job: _Job | None = None
        self._closing = self._busy = False
        self._error: BaseException | None = None
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="sampling", daemon=True)
        self._thread.start()
        self.every(1.0 / values["frequency"], self._tick)

    def deactivate(self) -> None:
        """Stop the robot, then forget the estimate and the plan."""
        if self._driver is not None:
            self._driver.halt()
        self._estimate.reset()
        self._newest = None

    def release(self) -> None:
        """Stop the sampling thread."""
        if self._thread is not None:
            with self._wake:
                self._closing = True
                self._wake.notify()
            self._thread.join(timeout=5.0)
            self._thread = None

    def condition(self) -> Condition:
        """Say why there is no plan, or why the robot is stopped."""
        reason = self._reason or self._estimate.fault()
        if reason:
            return Condition(Level.ERROR, f"no plan: {reason}")
        if self._driver is not None and self._driver.reason not in ("", ARRIVED):
            return Condition(Level.WARN, f"stopping: {self._driver.reason}")
        ignored = self._path.refusal or next(iter(self._obstacles.dropped), "")
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
            "ticks skipped": self._skipped,
            "better plans taken": self._switches,
            "device": self._device,
        }
        if self._newest is not None:
            newest = self._newest[1]
            values |= {
                "acceptance": f"{newest.acceptance:.2f}",
                "energy": f"{newest.energy:.3f}",
                "clearance m": f"{newest.clearance:.3f}",
            }
        values |= {f"estimate dropped: {key}": n for key, n in self._estimate.dropped.items()}
        values |= {f"obstacle dropped: {key}": n for key, n in self._obstacles.dropped.items()}
        values |= self._path.dropped
        return values

    def _tick(self) -> None:
        if self._error is not None:
            raise self._error
        reason = self._estimate.fault() or self._path.fault()
        if reason:
            self._reason = reason
        else:
            state = self._estimate.state
            assert state is not None  # noqa: S101  fault() was empty
            with self._wake:
                if self._busy:
                    self._skipped += 1
                self._job = _Job(
                    self._estimate.stamp,
                    state,
                    self._path.reference(state, self._dt, self._horizon),
                    self._obstacles.circles(),
                )
                self._wake.notify()
        self.report()

    def _work(self) -> None:
        """Sample for the newest job, for as long as the node is configured."""
        use_one_thread()
        last: int | None = None
        while True:
            with self._wake:
                self._busy = False
                while self._job is None and not self._closing:
                    self._wake.wait()
                if self._closing:
                    return
                job, self._job, self._busy = self._job, None, True
            assert job is not None  # noqa: S101
            try:
                if last is None or not 0 <= job.stamp - last < 1_000_000_000:
                    self._planner.reset()
                    last = job.stamp
                self._sample(job, (job.stamp - last) * 1e-9)
                last = job.stamp
            except BaseException as error:  # noqa: BLE001  raised again by the next tick
                self._error = error
                return

    def _sample(self, job: _Job, elapsed: float) -> None:
        started = time.perf_counter()
        plan = self._planner.plan(job.state, job.reference, job.obstacles, elapsed)
        self._times.add(time.perf_counter() - started)
        self._reason = plan.reason if not plan.usable else ""
        if plan.clearance < 0.0:
            self._reason = "the best plan found touches an obstacle"
        if self._reason or not self.active:
            return
        self._newest = (job.stamp, plan)
        self._switches += plan.switched
        planar = plan.states[:, [self._names.index(n) for n in ("x", "y", "yaw", "vx", "vyaw")]]
        self._plans.publish(
            to_plan(job.stamp, self._frame, self._base, self._dt, planar, plan.inputs)
        )
        self._published += 1
        self._ages.add((self.now - job.stamp) * 1e-9)
        if self._shown and abs(job.stamp - self._samples_shown_at) >= _SAMPLES_PERIOD * 1e9:
            self._samples_shown_at = job.stamp
            self._samples.publish(to_samples(job.stamp, self._frame, plan, self._shown))

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
        reason = self._estimate.fault() or self._path.fault() or self._reason
        newest = self._newest
        if newest is None:
            self._driver.stop(reason or "no plan yet")
            return
        stamp, plan = newest
        age = (self.now - stamp) * 1e-9
        if not reason and age > self._max_age:
            reason = f"plan was made from a state more than {self._max_age:g} s old"
        if not reason and self._path.finished:
            reason = ARRIVED
        if reason:
            self._driver.stop(reason)
            return
        index = min(max(int(age / self._dt), 0), self._horizon - 1)
        vx, vyaw = self._names.index("vx"), self._names.index("vyaw")
        velocity = (float(plan.states[0, vx]), float(plan.states[0, vyaw]))
        self._driver.drive(plan.inputs[index], start=velocity)


def _planner(values: dict[str, Any], model: Any, device: str) -> Planner:
    inputs, states = bounds(values, model)
    try:
        cost = PlanCost(
            state_weight=tuple(weights(values, "state_weights", model.state_names)),
            terminal_weight=tuple(weights(values, "terminal_weights", model.state_names)),
            input_weight=tuple(weights(values, "input_weights", model.input_names)),
            state_lower=tuple(states[0]),
            state_upper=tuple(states[1]),
            input_lower=tuple(inputs[0]),
            input_upper=tuple(inputs[1]),
            obstacle_weight=values["obstacle_weight"],
            robot_radius=values["robot_radius"],
            margin=values["obstacle_margin"],
        )
        settings = PlannerSettings(
            horizon=values["horizon"],
            dt=values["dt"],
            chains=values["chains"],
            steps=values["steps"],
            temperature=values["temperature"],
            switch_margin=values["switch_margin"],
            time_limit=values["time_limit"],
            seed=values["seed"],
        )
        return Planner(model, cost, settings, device=device)
    except ValueError as error:
        raise ParameterError(f"parameter {error}") from error


def main() -> None:
    """Run the node."""
    sys.exit(spin(PolicyNode))


if __name__ == "__main__":
    main()
