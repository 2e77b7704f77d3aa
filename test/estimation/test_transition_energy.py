"""The filter on a transition energy: where that is quadratic it is the Kalman filter."""

import numpy as np
import pytest
from filtering import MS, START, measured, put, settings

from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.models import Jacobians, Model, load_model
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition

DT = 0.1


class Stable(Model):
    """x' = A x + B u + W w, with a random stable A and a W that mixes the noises."""

    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = state_names
    state_size = 4

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(4, 4))
        self.A = 0.98 * A / np.abs(np.linalg.eigvals(A)).max()
        self.B, self.W = rng.normal(size=(4, 2)), np.eye(4) + 0.4 * rng.normal(size=(4, 4))

    def f(self, x, u, dt, w=None):
        assert w is None
        return self.A @ x + self.B @ u

    def jacobians(self, x, u, dt):
        return Jacobians(self.A, self.B, self.W)


def measurement(rows, values, R):
    return Measurement(0, "odom0", tuple(rows), np.asarray(values, float), R)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_quadratic_energy_it_is_the_kalman_filter(seed, spd):
    rng, model = np.random.default_rng(seed), Stable(seed)
    A, B, W, Q = model.A, model.B, model.W, spd(4, rng)
    energy = EnergyModel(GaussianTransition(model, Q))
    x, P = rng.normal(size=4), spd(4, rng)
    belief = Belief(x.copy(), P.copy())
    for _ in range(200):
        u = rng.normal(size=2)
        x, P = A @ x + B @ u, A @ P @ A.T + W @ (Q * DT) @ W.T
        belief = predict(energy, belief, u, DT, Q)
        rows = rng.permutation(4)[: rng.integers(1, 5)]
        z, R = rng.normal(size=len(rows)), spd(len(rows), rng)
        C = np.eye(4)[rows]
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
        x, P = x + K @ (z - C @ x), (np.eye(4) - K @ C) @ P
        belief = update(energy, belief, measurement(rows, z, R)).belief
        np.testing.assert_allclose(belief.state, x, rtol=0, atol=1e-8)
        np.testing.assert_allclose(belief.covariance, P, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["diff_drive", "rigid_body"])
def test_on_a_robots_own_energy_it_is_the_filter_of_the_robot(name, spd, somewhere):
    model, rng = load_model(name), np.random.default_rng(5)
    n = len(model.state_names)
    Q = spd(n, rng)
    energy = EnergyModel(GaussianTransition(model, Q))
    ours = theirs = Belief(somewhere(model, rng), spd(n, rng))
    for _ in range(200):
        u, dt = rng.normal(size=len(model.input_names)), rng.uniform(0.01, 0.2)
        rows = rng.permutation(n)[: rng.integers(1, n + 1)]
        z = model.h(theirs.state)[rows] + 0.1 * rng.normal(size=len(rows))
        measured_now = measurement(rows, z, spd(len(rows), rng))
        ours = update(energy, predict(energy, ours, u, dt, Q), measured_now).belief
        theirs = update(model, predict(model, theirs, u, dt, Q), measured_now).belief
        np.testing.assert_allclose(model.minus(ours.state, theirs.state), 0.0, atol=1e-8)
        np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=0, atol=1e-8)


def test_the_filter_takes_it_as_any_model():
    model, Q = load_model("diff_drive"), np.diag([4e-3, 1e-3, 2e-3, 0.02, 0.05])
    estimates = []
    for one in (model, EnergyModel(GaussianTransition(model, Q))):
        running = Filter(settings(one, process_noise=Q))
        for k in range(20):
            stamp = START + 50 * k * MS
            assert not put(running, measured(stamp, (3, 4), (0.5, 0.2)), stamp)
            estimate = running.advance(stamp)
        estimates.append(estimate.belief)
    np.testing.assert_allclose(estimates[1].state, estimates[0].state, rtol=0, atol=1e-10)
    np.testing.assert_allclose(estimates[1].covariance, estimates[0].covariance, rtol=0, atol=1e-10)
