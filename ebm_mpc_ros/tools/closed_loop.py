"""The simulated robot driven by inputs, through the limiter, without ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ebm_mpc_ros.control import Actuation, integrate, model_reference, slow_down
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.simulation.courses import clearance
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS
from ebm_mpc_ros.simulation.simulation import GroundTruth, Simulation

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from ebm_mpc_ros.control import CommandLimits
    from ebm_mpc_ros.models import Model
    from ebm_mpc_ros.simulation.courses import Course
    from ebm_mpc_ros.simulation.simulation import Sample

    Vector = NDArray[np.float64]

# m/s and rad/s that a push brings to, for how long (s), and how fast (s).
_SPEEDS, _RATES, _PUSH, _HASTE = (0.1, 1.0), (-1.2, 1.2), (0.4, 1.2), 0.2


class ClosedLoop:
    """A robot on a course that takes an input each `period`, as a node sends commands.

    Args:
        model: The robot's model.
        course: Where it starts, and its obstacles.
        limits: Of the commands.
        period: Time between two commands in s.
        seed: Of the sensors' noise.

    Attributes:
        period: Time between two commands in s.
        command: What was commanded last (m,).
        closest: Least gap so far between the robot's circle and an obstacle in m.
        touched: Whether the robot has touched one.
    """

    def __init__(
        self, model: Model, course: Course, limits: CommandLimits, *, period: float, seed: int
    ) -> None:
        self._model, self._course, self._limits = model, course, limits
        self._actuation = Actuation(model)
        self.period = period
        self._simulation = Simulation(course, seed)
        self._steps = round(period / self._simulation.robot.timestep)
        self.command = (0.0,) * len(model.input_names)
        self.closest = np.inf
        self.touched = False

    @property
    def time(self) -> float:
        """Simulated time in s."""
        return self._simulation.time

    @property
    def state(self) -> Vector:
        """The true state (state_size,)."""
        position, attitude = self._simulation.robot.pose
        linear, angular = self._simulation.robot.twist
        yaw = float(rotation.heading(attitude))
        planar = np.array([position[0], position[1], yaw, linear[0], linear[1], angular[2]])
        return model_reference(self._model, planar)

    @property
    def twist(self) -> tuple[float, float, float]:
        """The velocity commanded, vx, vy in m/s and vyaw in rad/s."""
        return self._actuation.twist(self.command)

    def send(self, u: Vector | None) -> Vector:
        """Command an input (m,), or a stop; return the input that was sent (m,)."""
        before = self.command
        if u is None:
            self.command = slow_down(before, self.period, self._limits)
        else:
            self.command = integrate(before, u.tolist(), self.period, self._limits)
        speed, _, rate = self.twist
        self._simulation.command(speed, rate)
        return np.subtract(self.command, before) / self.period

    def advance(self) -> list[Sample]:
        """Let a period pass; return the samples of its time."""
        samples = [sample for _ in range(self._steps) for sample in self._simulation.step()]
        places = [s.position[:2] for s in samples if isinstance(s, GroundTruth)]
        if places:
            gap = clearance(self._course, np.array(places), ROBOT_RADIUS)
            self.closest = min(self.closest, float(gap.min()))
        self.touched |= any(s.touching for s in samples if isinstance(s, GroundTruth))
        return samples


def push(loop: ClosedLoop, rng: Generator) -> None:
    """Bring the robot off its way for about a second: to a speed and a turn rate drawn."""
    wanted = np.array([rng.uniform(*_SPEEDS), rng.uniform(*_RATES)])
    for _ in range(round(rng.uniform(*_PUSH) / loop.period)):
        loop.send((wanted - loop.command) / _HASTE)
        loop.advance()
