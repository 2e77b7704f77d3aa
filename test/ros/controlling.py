"""A controller and a base in closed loop: commands may arrive late, ticks may be lost."""

from collections import deque

import numpy as np

from ebm_mpc_ros.control import (
    Actuation,
    CommandLimits,
    ControlProblem,
    FallbackSettings,
    SolverSettings,
    integrate,
    slow_down,
)
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.controller import Controller, ControllerSettings

MS = 1_000_000
DT = 0.05
HORIZON = 25
NO_DISCS = np.empty((0, 3))
_WEIGHTS = {"x": 20.0, "y": 20.0, "yaw": 2.0, "vx": 0.5, "vy": 0.5}
_TOP = {"vx": 1.15, "vy": 0.5, "vyaw": 1.7, "steering": 0.6}
_RATES = {"vx": 1.0, "vy": 1.0, "vyaw": 2.0, "steering": 1.5}


def settings(model=None, **changes):
    """Return settings for a model; `changes` are fields of them or of their problem."""
    model = model or load_model("diff_drive")
    names = model.state_names
    Q = np.array([_WEIGHTS.get(name, 0.1) for name in names])
    top = np.array([_TOP.get(name, np.inf) for name in names])
    rates = np.array([_RATES[name] for name in Actuation(model).names])
    problem = {
        "model": model,
        "dt": DT,
        "horizon": HORIZON,
        "state_weights": Q,
        "input_weights": [0.1] * len(rates),
        "terminal_weights": 5.0 * Q,
        "input_lower": -rates,
        "input_upper": rates,
        "state_lower": np.where(np.array(names) == "vx", -0.2, -top),
        "state_upper": top,
        "half_planes": 2,
    }
    fields = {
        "solver": SolverSettings(),
        "fallback": FallbackSettings(),
        "latency": 0.0,
        "robot_radius": 0.2,
        "obstacle_clearance": 0.1,
        "lateral_acceleration": 1.0,
    }
    known = ControlProblem.__dataclass_fields__
    problem |= {name: changes.pop(name) for name in list(changes) if name in known}
    return ControllerSettings(problem=ControlProblem(**problem), **(fields | changes))


def limits(model):
    names = Actuation(model).names
    top, rate = (tuple(table[name] for name in names) for table in (_TOP, _RATES))
    return CommandLimits(
        names=names,
        lower=tuple(-0.2 if name == "vx" else -_TOP[name] for name in names),
        upper=top,
        gain=rate,
        loss=rate,
    )


class Loop:
    """A base that takes the velocities commanded, `delay` s later; a tick each 50 ms.

    `reference` returns x_ref (N+1, state_size) from a state and a time (s).
    """

    def __init__(self, made, reference, state, *, delay=0.0, age=0.0):
        self.controller, self.reference = Controller(made), reference
        self.model = made.problem.model
        self.actuation, self.limits = Actuation(self.model), limits(self.model)
        self.state, self.now = np.array(state, float), 0
        self.delay, self.age = round(delay * 1e9), round(age * 1e9)
        self.command = tuple(self.actuation.of(self.state).tolist())
        self.arriving = deque()
        self.past = deque([(0, self.state)])
        self.discs, self.guess = NO_DISCS, None
        self.path, self.commands, self.decisions = [self.state], [self.command], []

    def run(self, ticks, *, lost=lambda k: False):
        periods = 1
        for k in range(ticks):
            if lost(k):
                periods += 1
            else:
                self.tick(periods)
                periods = 1
            self.move()
        return self

    def tick(self, periods=1):
        controller, now = self.controller, self.now
        while len(self.past) > 1 and self.past[1][0] <= now - self.age:
            self.past.popleft()
        stamp, seen = self.past[0]
        state = controller.predict(seen, stamp, now)
        reference = self.reference(state, now * 1e-9 + controller.ahead)
        guess = None if self.guess is None else self.guess(now * 1e-9 + controller.ahead)
        decision = controller.tick(state, reference, self.discs, guess, periods)
        self.decisions.append(decision)
        before = self.command
        if decision.input is None:
            self.command = slow_down(before, DT, self.limits)
        else:
            self.command = integrate(before, decision.input.tolist(), DT, self.limits)
        controller.sent(now, np.subtract(self.command, before) / DT)
        self.commands.append(self.command)
        self.arriving.append((now + self.delay, self.command))

    def move(self):
        for _ in range(5):
            while self.arriving and self.arriving[0][0] <= self.now:
                self.state = self.state.copy()
                self.state[self.actuation.indices] = self.arriving.popleft()[1]
            u = np.zeros(len(self.command))
            self.state = np.asarray(self.model.f(self.state, u, 0.2 * DT))
            self.now += 10 * MS
            self.past.append((self.now, self.state))
            self.path.append(self.state)

    @property
    def places(self):
        return np.array(self.path)[:, :2]

    def clearance(self):
        """Return the least distance of the robot's circle from the discs."""
        away = self.places[:, None] - self.discs[:, :2]
        gaps = np.hypot(away[..., 0], away[..., 1]) - self.discs[:, 2]
        return float(gaps.min()) - self.controller.settings.robot_radius
