"""A robot with slippery wheels and a payload, and its drives."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from fitted_model import MOVING, Commanded, Transitions

from ebm_mpc_ros.control import (
    PathFollower,
    ReferencePath,
    integrate,
    model_reference,
    planar_outputs,
)
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.controller import Controller
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.robot_parameters import command_limits, follower_settings
from ebm_mpc_ros.simulation.courses import Course, load_course
from ebm_mpc_ros.simulation.robot import RobotSettings
from ebm_mpc_ros.simulation.sensors import Imu, Odometry, SensorSettings
from ebm_mpc_ros.simulation.simulation import Simulation, SimulationSettings

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model
    from ebm_mpc_ros.simulation.simulation import Sample

    Vector = NDArray[np.float64]

DT = 0.05
_ROBOT = RobotSettings(wheel_friction=0.15, payload_mass=6.0)
_SENSORS = SensorSettings(imu_rate=1.0 / DT, odometry_rate=1.0 / DT)
_HORIZON = 20
_SPEED, _RATE = 3, 4
_NO_OBSTACLES = np.empty((0, 3))
# m, s and m/s², of what the training drive is shaken by.
_SPEEDS, _RATES, _PUSH, _PAUSE, _HASTE = (
    (0.1, 1.15),
    (-1.7, 1.7),
    (0.4, 1.2),
    (0.5, 2.5),
    (0.2, 0.8),
)
_CRUISE, _LATERAL, _STRETCH = (0.4, 1.15), (0.5, 2.0), (3.0, 8.0)


class Drive(NamedTuple):
    """What a drive was: true states (k+1, 7), inputs (k, 2), and what the sensors said by step."""

    states: Vector
    inputs: Vector
    samples: list[tuple[Sample, ...]]

    @property
    def transitions(self) -> Transitions:
        """Its steps."""
        return Transitions(self.states[:-1], self.inputs, self.states[1:])


def training_course() -> Course:
    """Return the figure of eight, without its obstacle."""
    return dataclasses.replace(load_course("figure_eight"), obstacles=_NO_OBSTACLES)


def unseen_course(rng: Generator) -> Course:
    """Return a clover leaf, its size, depth and place of start drawn."""
    radius, depth = rng.uniform(1.9, 2.4), rng.uniform(0.6, 0.9)
    angle = rng.uniform(0.0, 2.0 * math.pi) + np.linspace(0.0, 2.0 * math.pi, 4001)
    distance = radius + depth * np.cos(3.0 * angle)
    fine = np.column_stack([distance * np.cos(angle), distance * np.sin(angle)])
    along = np.concatenate([[0.0], np.hypot(*np.diff(fine, axis=0).T).cumsum()])
    places = np.linspace(0.0, along[-1], round(along[-1] / 0.05), endpoint=False)
    points = np.column_stack([np.interp(places, along, column) for column in fine.T])
    return Course(
        name="clover",
        points=points,
        closed=True,
        obstacles=_NO_OBSTACLES,
        half_width=1.0,
        speed=1.0,
    )


def drive(
    course: Course, seed: int, seconds: float, *, model: Model | None = None, shaken: bool = False
) -> Drive:
    """Drive a course with the MPC at mpc_node's defaults, on true states.

    Args:
        course: Where.
        seed: Of the sensors and of what shakes the drive.
        seconds: How long.
        model: The MPC's; the nominal one if omitted.
        shaken: Whether speeds and pushes are drawn, to tell a training what there is.
    """
    model, rng = model or Commanded(), np.random.default_rng([2, seed])
    values = _values()
    limits = command_limits(values, model)
    settings = controller_settings(values, model)
    problem = settings.problem
    edges = [np.array(problem.state_lower), np.array(problem.state_upper)]
    edges[0][MOVING:], edges[1][MOVING:] = limits.lower, limits.upper
    problem = dataclasses.replace(problem, state_lower=edges[0], state_upper=edges[1])
    controller = Controller(dataclasses.replace(settings, problem=problem))
    path = ReferencePath(np.vstack([course.points, course.points[:1]]))
    follower = PathFollower(path, follower_settings(values, model))
    simulation = Simulation(course, seed, SimulationSettings(robot=_ROBOT, sensors=_SENSORS))
    pushes = _Pushes(rng) if shaken else None
    steps = round(DT / simulation.robot.timestep)
    command: tuple[float, ...] = (0.0, 0.0)
    states, inputs, samples = [_state(simulation, command)], [], []
    next_stretch = 0.0
    while simulation.time < seconds:
        time, x = simulation.time, states[-1]
        if shaken and time >= next_stretch:
            drawn = {
                "cruise_speed": rng.uniform(*_CRUISE),
                "max_lateral_acceleration": rng.uniform(*_LATERAL),
            }
            follower = follower.with_settings(follower_settings(_values(drawn), model))
            next_stretch = time + rng.uniform(*_STRETCH)
        wanted = pushes.input(time, command) if pushes is not None else None
        if wanted is None:
            planar = follower.reference(planar_outputs(model, x), DT, _HORIZON)
            reference = model_reference(model, planar)
            found = controller.tick(x, reference, _NO_OBSTACLES).input
            wanted = np.zeros(2) if found is None else found
        else:
            controller.forget()
        before, command = command, integrate(command, wanted.tolist(), DT, limits)
        u = np.subtract(command, before) / DT
        controller.sent(round(1e9 * time), u)
        simulation.command(*command)
        samples.append(tuple(s for _ in range(steps) for s in simulation.step()))
        states.append(_state(simulation, command))
        inputs.append(u)
    return Drive(np.array(states), np.array(inputs), samples)


def measured(samples: tuple[Sample, ...]) -> list[tuple[int, float]]:
    """Return output and value of what a step's sensors said: wheel speed, turn rate."""
    found = []
    for sample in samples:
        if isinstance(sample, Odometry):
            found.append((_SPEED, float(sample.twist[0])))
        elif isinstance(sample, Imu):
            found.append((_RATE, float(sample.angular_velocity[2])))
    return found


def sensor_variances(taught: Drive) -> dict[int, float]:
    """Return the mean square of what each sensor was wrong by in a drive, by its output.

    What the odometry says of itself leaves out that wheels slip.
    """
    wrong: dict[int, list[float]] = {_SPEED: [], _RATE: []}
    for samples, state in zip(taught.samples, taught.states[1:], strict=True):
        for output, value in measured(samples):
            wrong[output].append(value - state[output])
    return {output: float(np.mean(np.square(errors))) for output, errors in wrong.items()}


class _Pushes:
    """From time to time a speed and a turn rate to be at, for about a second."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng
        self._begin, self._end = rng.uniform(*_PAUSE), -1.0
        self._wanted, self._haste = np.zeros(2), 1.0

    def input(self, time: float, command: tuple[float, ...]) -> Vector | None:
        """Return the input (2,) of a push, None between them."""
        if time >= self._begin:
            rng = self._rng
            self._wanted = np.array([rng.uniform(*_SPEEDS), rng.uniform(*_RATES)])
            self._haste = rng.uniform(*_HASTE)
            self._end = time + rng.uniform(*_PUSH)
            self._begin = self._end + rng.uniform(*_PAUSE)
        return (self._wanted - command) / self._haste if time < self._end else None


def _values(changes: dict[str, float] | None = None) -> dict[str, Any]:
    return read(MPC_PARAMETERS, {"dt": DT, "horizon": _HORIZON, **(changes or {})})[0]


def _state(simulation: Simulation, command: tuple[float, ...]) -> Vector:
    position, attitude = simulation.robot.pose
    linear, angular = simulation.robot.twist
    yaw = float(rotation.heading(attitude))
    return np.array([*position[:2], yaw, linear[0], angular[2], *command])
