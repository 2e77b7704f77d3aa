"""Each robot follows the course in closed loop on a plant that is integrated finer, with noise."""

import functools
import math
from typing import NamedTuple

import numpy as np
import pytest

from ebm_mpc_ros.control import (
    Actuation,
    CommandLimits,
    ControlProblem,
    FollowerSettings,
    PathFollower,
    RealTimeIteration,
    ReferencePath,
    integrate,
    model_reference,
    planar_outputs,
    slow_down,
)
from ebm_mpc_ros.models import Model, load_model
from ebm_mpc_ros.simulation.courses import cross_track, load_course

DT, HORIZON, FINER = 0.05, 20, 5
# The highest root mean square of the distance from the course in m.
ROBOTS = {"diff_drive": 0.013, "ackermann": 0.008, "omni": 0.005, "lagging:Lagging": 0.013}
COURSES = ("figure_eight", "slalom")
SETTLED = 40
# Weight of an error, and the bounds where there are any.
STATES = {
    "x": (20.0,),
    "y": (20.0,),
    "yaw": (2.0,),
    "vx": (0.5, -0.2, 1.15),
    "vy": (0.5, -0.5, 0.5),
    "vyaw": (0.1, -1.7, 1.7),
    "steering": (0.1, -0.5, 0.5),
    "ax": (0.01,),
}
INPUTS = {"ax": (0.1, 1.0), "ay": (0.1, 1.0), "alpha": (0.05, 2.0), "steering_rate": (0.05, 1.5)}
NOISE = {"x": 0.005, "y": 0.005, "yaw": 0.01, "ax": 0.0}
OTHER_NOISE = 0.01


class Run(NamedTuple):
    model: Model
    states: np.ndarray
    commands: np.ndarray
    usable: float
    finished: bool


def problem_of(model):
    inputs = np.array([INPUTS[name] for name in model.input_names])
    free = (-np.inf, np.inf)
    lower, upper = np.transpose([STATES[name][1:] or free for name in model.state_names])
    weights = np.array([STATES[name][0] for name in model.state_names])
    return ControlProblem(
        model=model,
        dt=DT,
        horizon=HORIZON,
        state_weights=weights,
        input_weights=inputs[:, 0],
        terminal_weights=5.0 * weights,
        input_lower=-inputs[:, 1],
        input_upper=inputs[:, 1],
        state_lower=lower,
        state_upper=upper,
        period=DT,
    )


def limits_of(problem):
    actuation = Actuation(problem.model)
    lower, upper = problem.state_lower, problem.state_upper
    return CommandLimits(
        names=actuation.names,
        lower=tuple(lower[actuation.indices]),
        upper=tuple(upper[actuation.indices]),
        gain=tuple(problem.input_upper),
        loss=tuple(problem.input_upper),
    )


def follow(robot, course, seed=0, offset=(0.1, -0.1)):
    """Return what a robot did on a course, from beside its start on until it stands again."""
    rng, model = np.random.default_rng(seed), load_model(robot, {"wheelbase": 0.4})
    problem = problem_of(model)
    limits, controller = limits_of(problem), RealTimeIteration(problem)
    points = np.concatenate([course.points, course.points[:1]]) if course.closed else course.points
    follower = PathFollower(
        ReferencePath(points), FollowerSettings(cruise_speed=course.speed, max_yaw_rate=1.3)
    )
    spread = np.array([NOISE.get(name, OTHER_NOISE) for name in model.state_names])
    state = np.zeros(model.state_size)
    state[:3] = course.start
    state[:2] += offset
    command = (0.0,) * len(model.input_names)
    states, commands, usable = [state], [command], []
    for _ in range(800):
        measured = state + spread * rng.normal(size=spread.shape)
        reference = follower.reference(planar_outputs(model, measured), DT, HORIZON)
        before = command
        if follower.finished:
            command = slow_down(command, DT, limits)
        else:
            controller.prepare(model_reference(model, reference))
            solution = controller.feedback(measured)
            usable.append(solution.usable)
            command = integrate(command, solution.inputs[0], DT, limits)
        u = np.subtract(command, before) / DT
        for _ in range(FINER):
            state = model.f(state, u, DT / FINER)
        states.append(state)
        commands.append(command)
        if follower.finished and np.abs(planar_outputs(model, state)[3:]).max() < 1e-3:
            break
    return Run(
        model, np.array(states), np.array(commands), float(np.mean(usable)), follower.finished
    )


@pytest.fixture(scope="module")
def runs():
    """Return a function that has a robot follow a course, once."""
    return functools.cache(lambda robot, name: follow(robot, load_course(name)))


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize(("robot", "rms"), ROBOTS.items())
def test_a_robot_keeps_to_the_course(runs, robot, name, rms):
    offset = cross_track(load_course(name), runs(robot, name).states[:, :2])
    assert abs(offset[0]) > 0.05
    assert np.sqrt(np.mean(offset[SETTLED:] ** 2)) < rms
    assert np.abs(offset[SETTLED:]).max() < 2.5 * rms


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_arrives_and_stops(runs, robot, name):
    run, course = runs(robot, name), load_course(name)
    end = course.points[0] if course.closed else course.points[-1]
    assert run.finished
    assert math.dist(run.states[-1, :2], end) < 0.05
    assert np.abs(planar_outputs(run.model, run.states[-1])[3:]).max() < 1e-3


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_on_a_course_keeps_its_bounds(runs, robot, name):
    run = runs(robot, name)
    limits = limits_of(problem_of(run.model))
    assert all(map(limits.hold, run.commands.tolist()))
    assert np.all(np.abs(np.diff(run.commands, axis=0)) <= DT * np.array(limits.gain) + 1e-12)
    reached = run.states[:, Actuation(run.model).indices]
    assert np.all(
        (reached > np.array(limits.lower) - 1e-9) & (reached < np.array(limits.upper) + 1e-9)
    )


@pytest.mark.parametrize("name", COURSES)
@pytest.mark.parametrize("robot", ROBOTS)
def test_there_is_a_plan_at_every_tick_of_a_course(runs, robot, name):
    assert runs(robot, name).usable == 1.0


def test_a_robot_cuts_no_crossing_short(runs):
    run, course = runs("diff_drive", "figure_eight"), load_course("figure_eight")
    length = np.hypot(*np.diff(run.states[:, :2], axis=0).T).sum()
    assert length == pytest.approx(course.length, rel=0.03)
