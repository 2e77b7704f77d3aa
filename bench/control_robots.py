"""Random robots and problems, and what they follow, as control_trials drives them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.control import Actuation, CommandLimits, ControlProblem, SolverSettings
from ebm_mpc_ros.models import Jacobians, Model, load_model

Vector = NDArray[np.float64]
Random = np.random.Generator

KINDS = ("diff_drive", "ackermann", "omni", "linear")
LASTING = 0.02
"""How often a reference takes another course."""
_WHEELBASE = 0.5
_STRONGEST = 5.0
_OFTEN = (0.1, 0.1, 0.2, 0.3, 0.15, 0.1, 0.05)


class Linear(Model):
    """x' = A x + B u."""

    noise_names = ()

    def __init__(self, A: Vector, B: Vector) -> None:
        self._A, self._B = A, B
        self.state_size = len(A)
        self.state_names = ("x", "y", "z", "vx", "vy", "vz")[: len(A)]
        self.input_names = ("ax", "ay", "az")[: B.shape[1]]

    def f(self, x: Any, u: Any, dt: Any, w: Any = None) -> Any:  # noqa: ARG002
        """Return the next state."""
        return x @ self._A.T + u @ self._B.T

    def jacobians(self, x: Any, u: Any, dt: Any) -> Jacobians:  # noqa: ARG002
        """Return A, B and W of each state."""
        A, B, W = (
            np.broadcast_to(M, (*x.shape[:-1], *M.shape))
            for M in (self._A, self._B, np.zeros((len(self._A), 0)))
        )
        return Jacobians(A, B, W)


class Ghost:
    """A point that drives arcs; the reference is where it will be."""

    def __init__(self, rng: Random, model: Model, dt: float, horizon: int) -> None:
        self._rng, self._model, self._dt = rng, model, dt
        self._times = dt * np.arange(horizon + 1)
        self.pose = np.concatenate([rng.normal(size=2) * 10.0 ** rng.uniform(0, 5), [0.0]])
        self._speed = self._turn = 0.0

    def reference(self) -> Vector:
        """Return the states (N+1, state_size) from here on, and go on by a step."""
        rng, model = self._rng, self._model
        if rng.random() < LASTING:
            self._speed, self._turn = rng.uniform(-0.1, 1.0), rng.uniform(-0.8, 0.8)
            self._speed *= rng.random() > 0.2
            if model.state_names[-1] == "steering":
                self._turn *= self._speed
        yaw = self.pose[2] + self._turn * self._times
        middle = yaw[:-1] + 0.5 * self._turn * self._dt
        step = self._speed * self._dt
        reference = np.zeros((len(yaw), model.state_size))
        reference[1:, 0] = np.cumsum(step * np.cos(middle))
        reference[1:, 1] = np.cumsum(step * np.sin(middle))
        reference[:, :2] += self.pose[:2]
        reference[:, 2], reference[:, 3] = yaw, self._speed
        last = self._turn
        if model.state_names[-1] == "steering":
            last = math.atan(self._turn * _WHEELBASE / self._speed) if self._speed else 0.0
        reference[:, -1] = last
        self.pose = reference[1, :3].copy()
        return reference


def random_problem(rng: Random, kind: str) -> ControlProblem:
    """Return a problem of a robot of that kind."""
    return _linear(rng) if kind == "linear" else _robot(rng, kind)


def _robot(rng: Random, kind: str) -> ControlProblem:
    """Return a random problem of a robot on wheels."""
    model = load_model(kind)
    names = model.state_names
    size = {"vx": 1.15, "vy": 0.6, "vyaw": 1.7, "steering": 0.5}
    highest = np.array([size.get(name, math.inf) for name in names]) * rng.uniform(0.7, 1.3)
    lowest = -highest
    lowest[names.index("vx")] = -0.2
    state_weights = np.array([20.0, 20.0, 2.0, *[0.5] * (len(names) - 3)])
    return _problem(rng, model, state_weights, (lowest, highest))


def _linear(rng: Random) -> ControlProblem:
    """Return a random problem of a linear model."""
    n, m = int(rng.integers(3, 7)), int(rng.integers(1, 4))
    A = np.eye(n) + 0.3 * rng.normal(size=(n, n))
    A *= min(1.0, rng.uniform(0.5, 1.0) / np.abs(np.linalg.eigvals(A)).max())
    highest = rng.choice([0.5, 2.0, math.inf], size=n)
    weights = rng.uniform(0.5, 5.0, n)
    model = Linear(A, rng.normal(size=(n, m)) * (rng.random((n, m)) < 0.7))
    return _problem(rng, model, weights, (-highest, highest))


def _problem(
    rng: Random, model: Model, state_weights: Vector, states: tuple[Vector, Vector]
) -> ControlProblem:
    n, m = len(model.state_names), len(model.input_names)
    dt = float(rng.choice([0.02, 0.05, 0.1]))
    highest = rng.choice([0.5, 1.0, 2.0, math.inf], size=m, p=[0.3, 0.3, 0.3, 0.1])
    lowest = -highest * rng.uniform(0.5, 1.0)
    if isinstance(model, Linear) and rng.random() < 0.1:
        lowest[0] = 0.25 * min(highest[0], 1.0)  # No input is out of bounds.
    scale = 10.0 ** rng.uniform(-1, 1, size=n)
    Q: Vector = state_weights * scale
    terminal = rng.uniform(1.0, 5.0) * Q
    if rng.random() < 0.3:
        Q = _coupled(rng, Q)
    R: Vector = rng.choice([0.05, 0.1, 1.0], size=m)
    if rng.random() < 0.3:
        R = _coupled(rng, R)
    linear = float(rng.choice([0.0, 1.0, 100.0], p=[0.6, 0.2, 0.2]))
    half_planes = int(rng.choice([0, 1, 2, 3], p=[0.5, 0.2, 0.2, 0.1]))
    limits = None
    if rng.random() < 0.3:
        limits = rng.choice([0.5, 5.0, 50.0, math.inf], size=m)
    return ControlProblem(
        model=model,
        dt=dt,
        horizon=int(rng.choice([1, 2, 3, 5, 8, 12, 20], p=_OFTEN)),
        state_weights=Q,
        input_weights=R,
        terminal_weights=terminal,
        input_lower=lowest,
        input_upper=highest,
        state_lower=states[0],
        state_upper=states[1],
        slack_weight=10.0 ** rng.uniform(1, 4),
        slack_weight_l1=linear,
        terminal="riccati" if rng.random() < 0.15 else "given",
        input_rate_weights=rng.uniform(0.0, 0.01, m) if rng.random() < 0.4 else None,
        input_rate_limits=limits,
        half_planes=half_planes,
        half_plane_weight=10.0 ** rng.uniform(2, 5),
        half_plane_weight_l1=float(rng.choice([0.0, 10.0, 300.0])),
        period=dt,
    )


def _coupled(rng: Random, diagonal: Vector) -> Vector:
    """Return a positive definite matrix of about these weights."""
    root = np.sqrt(diagonal)
    lean = 0.3 * rng.normal(size=(len(root), len(root)))
    matrix: Vector = root[:, None] * (np.eye(len(root)) + lean @ lean.T) * root
    return 0.5 * (matrix + matrix.T)


def random_settings(rng: Random) -> SolverSettings:
    """Return the usual settings, at times others."""
    if rng.random() < 0.7:
        return SolverSettings()
    return SolverSettings(
        max_iterations=int(rng.choice([2, 10, 50, 200])),
        check_interval=int(rng.choice([1, 2, 10])),
        jump=float(rng.choice([0.1, 1.0, 10.0])),
        max_failures=int(rng.integers(1, 5)),
    )


def random_limits(rng: Random, problem: ControlProblem) -> CommandLimits | None:
    """Return those of the problem's bounds, as mpc_node does, at times others."""
    model = problem.model
    if isinstance(model, Linear):
        return None
    actuation = Actuation(model)
    sides = [
        *(
            np.asarray(side)[actuation.indices]
            for side in (problem.state_lower, problem.state_upper)
        ),
        *(
            np.minimum(np.abs(side), _STRONGEST)
            for side in (problem.input_upper, problem.input_lower)
        ),
    ]
    if rng.random() < 0.2:
        sides = [side * rng.uniform(0.3, 1.5, side.size) for side in sides]
    lower, upper, gain, loss = (tuple(side.tolist()) for side in sides)
    return CommandLimits(names=actuation.names, lower=lower, upper=upper, gain=gain, loss=loss)
