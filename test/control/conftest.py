"""The robot, the problem and the course that the tests of this room share."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm_mpc_ros.control import ControlProblem
from ebm_mpc_ros.models import load_model

_HERE = Path(__file__).resolve()
sys.path += [str(_HERE.parent), str(_HERE.parents[2] / "bench")]

DT = 0.05
_WEIGHTS = np.array([20.0, 20.0, 2.0, 0.5, 0.1])


@pytest.fixture
def make_problem():
    def make(**changes: Any) -> ControlProblem:
        fields = {
            "model": load_model("diff_drive"),
            "dt": DT,
            "horizon": 20,
            "state_weights": _WEIGHTS,
            "input_weights": [0.1, 0.05],
            "terminal_weights": 5 * _WEIGHTS,
            "input_lower": [-1.0, -2.0],
            "input_upper": [1.0, 2.0],
            "state_lower": [-np.inf, -np.inf, -np.inf, -0.2, -1.7],
            "state_upper": [np.inf, np.inf, np.inf, 1.15, 1.7],
        }
        return ControlProblem(**(fields | changes))

    return make


@pytest.fixture(scope="session")
def figure_eight():
    """Return states (ticks, 5) of x = 3 sin s, y = 1.5 sin 2s, driven at 1 m/s."""

    def drive(ticks: int) -> np.ndarray:
        s = np.linspace(0, 2 * np.pi, 100_001)
        steps = np.hypot(np.diff(3 * np.sin(s)), np.diff(1.5 * np.sin(2 * s)))
        arc = np.concatenate([[0], np.cumsum(steps)])
        at = np.interp(np.arange(ticks) * DT % arc[-1], arc, s)
        dx, dy = 3 * np.cos(at), 3 * np.cos(2 * at)
        ddx, ddy = -3 * np.sin(at), -6 * np.sin(2 * at)
        bend = (dx * ddy - dy * ddx) / np.hypot(dx, dy) ** 3
        heading = np.arctan2(dy, dx)
        columns = [3 * np.sin(at), 1.5 * np.sin(2 * at), heading, np.ones_like(at), bend]
        return np.column_stack(columns)

    return drive
