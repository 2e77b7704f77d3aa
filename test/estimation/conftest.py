"""What the tests of the estimation share: a linear model, sensors, derivatives."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ebm_mpc_ros.estimation.sensors import SensorSettings
from ebm_mpc_ros.models import CANONICAL_STATES, Jacobians, load_model
from ebm_mpc_ros.models.base import Model

HERE = Path(__file__).resolve()
sys.path += [str(HERE.parent), str(HERE.parents[2] / "bench")]


class Linear(Model):
    """Position and speed on two axes; x' = A(dt) x + B(dt) u + w."""

    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = ("x", "y", "vx", "vy")
    state_size = 4

    @staticmethod
    def matrices(dt):
        A, B = np.eye(4), np.zeros((4, 2))
        A[0, 2] = A[1, 3] = dt
        B[0, 0] = B[1, 1] = 0.5 * dt * dt
        B[2, 0] = B[3, 1] = dt
        return A, B

    def f(self, x, u, dt, w=None):
        A, B = self.matrices(dt)
        moved = A @ x + B @ u
        return moved if w is None else moved + w

    def jacobians(self, x, u, dt):
        A, B = self.matrices(dt)
        return Jacobians(A, B, np.eye(4))


@pytest.fixture
def linear():
    return Linear()


@pytest.fixture(scope="session")
def sensor():
    """Return a function that makes the settings of a sensor with a mask of those names."""

    def made(*names, model="rigid_body", name="odom0", **changes):
        model = load_model(model) if isinstance(model, str) else model
        mask = tuple(state in names for state in CANONICAL_STATES)
        return SensorSettings(name=name, model=model, mask=mask, **changes)

    return made


@pytest.fixture(scope="session")
def somewhere():
    """Return a function that draws a state of a model, at any attitude."""

    def drawn(model, rng):
        return model.plus(np.array(model.origin()), rng.normal(size=len(model.state_names)))

    return drawn


@pytest.fixture(scope="session")
def spd():
    """Return a function that draws a positive definite matrix."""

    def drawn(size, rng):
        root = rng.normal(size=(size, size))
        return root @ root.T + 0.1 * np.eye(size)

    return drawn


@pytest.fixture(scope="session")
def derivative():
    """Return a function that differentiates f(δ) (k,) at δ = 0 (size,) by central differences."""

    def differentiated(function, size, step=1e-6):
        columns = [(function(d) - function(-d)) / (2 * step) for d in step * np.eye(size)]
        return np.column_stack(columns)

    return differentiated
