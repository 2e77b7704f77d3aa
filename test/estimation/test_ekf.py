"""Predict and update against the textbook's Kalman filter and what must hold of any filter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.models import load_model

Q = np.diag([0.01, 0.02, 0.1, 0.2])


def covariance(rng, size, scale=1.0):
    root = rng.normal(size=(size, size))
    return scale * (root @ root.T + 0.1 * np.eye(size))


def measurement(rows, values, R, threshold=np.inf):
    return Measurement(0, "odom0", tuple(rows), np.asarray(values, float), R, threshold)


def somewhere(model, rng):
    """Return a random state of `model`."""
    return model.plus(np.array(model.origin()), rng.normal(size=len(model.state_names)))


@pytest.mark.parametrize("seed", range(5))
def test_on_a_linear_model_it_is_the_kalman_filter(linear, seed):
    rng = np.random.default_rng(seed)
    x, P = rng.normal(size=4), covariance(rng, 4)
    belief = Belief(x.copy(), P.copy())
    for _ in range(200):
        dt, u = rng.uniform(0.01, 0.2), rng.normal(size=2)
        A, B = linear.matrices(dt)
        x, P = A @ x + B @ u, A @ P @ A.T + Q * dt
        belief = predict(linear, belief, u, dt, Q)
        rows = rng.permutation(4)[: rng.integers(1, 5)]
        z, R = rng.normal(size=len(rows)), covariance(rng, len(rows))
        C = np.eye(4)[rows]
        K = P @ C.T @ np.linalg.inv(C @ P @ C.T + R)
        x, P = x + K @ (z - C @ x), (np.eye(4) - K @ C) @ P
        belief = update(linear, belief, measurement(rows, z, R)).belief
    np.testing.assert_allclose(belief.state, x, atol=1e-12, rtol=1e-12)
    np.testing.assert_allclose(belief.covariance, P, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", ["diff_drive", "rigid_body"])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_covariance_stays_symmetric_and_positive_semidefinite(name, seed):
    model, rng = load_model(name), np.random.default_rng(seed)
    n = len(model.state_names)
    noise = np.diag(10.0 ** rng.uniform(-6, 0, n))
    belief = Belief(somewhere(model, rng), np.eye(n) * 10.0 ** rng.uniform(-9, 2))
    for _ in range(50):
        u = rng.normal(size=len(model.input_names))
        belief = predict(model, belief, u, 10.0 ** rng.uniform(-3, 0), noise)
        rows = rng.permutation(n)[: rng.integers(1, n + 1)]
        R = covariance(rng, len(rows), 10.0 ** rng.uniform(-8, 2))
        z = model.h(belief.state)[rows] + 0.1 * rng.normal(size=len(rows))
        belief = update(model, belief, measurement(rows, z, R)).belief
        P = belief.covariance
        np.testing.assert_array_equal(P, P.T)
        assert np.linalg.eigvalsh(P).min() >= -1e-12 * np.abs(P).max()


@pytest.mark.parametrize("name", ["diff_drive", "rigid_body"])
def test_an_update_never_adds_uncertainty(name):
    model, rng = load_model(name), np.random.default_rng(3)
    n = len(model.state_names)
    belief = Belief(somewhere(model, rng), covariance(rng, n))
    rows = np.arange(n)
    z = model.h(belief.state)
    after = update(model, belief, measurement(rows, z, covariance(rng, n))).belief
    assert np.linalg.eigvalsh(belief.covariance - after.covariance).min() > 0.0


def test_independent_parts_fused_in_turn_are_the_joint_update(linear):
    rng = np.random.default_rng(1)
    belief = Belief(rng.normal(size=4), covariance(rng, 4))
    first, second = covariance(rng, 2), covariance(rng, 2)
    z = rng.normal(size=4)
    R = np.zeros((4, 4))
    R[:2, :2], R[2:, 2:] = first, second
    joint = update(linear, belief, measurement(range(4), z, R)).belief
    parts = update(linear, belief, measurement([0, 1], z[:2], first)).belief
    parts = update(linear, parts, measurement([2, 3], z[2:], second)).belief
    np.testing.assert_allclose(parts.state, joint.state, atol=1e-12)
    np.testing.assert_allclose(parts.covariance, joint.covariance, atol=1e-12)


def test_a_perfect_measurement_of_the_attitude_is_believed():
    model, rng = load_model("rigid_body"), np.random.default_rng(4)
    belief = Belief(somewhere(model, rng), np.eye(15) * 0.04)
    truth = model.plus(belief.state, np.concatenate((np.zeros(3), [0.2, -0.1, 0.3], np.zeros(9))))
    z = model.h(truth)[3:6]
    R = np.eye(3) * 1e-12
    for _ in range(3):
        belief = update(model, belief, measurement([3, 4, 5], z, R)).belief
        belief = Belief(belief.state, np.eye(15) * 0.04)
    np.testing.assert_allclose(model.minus(belief.state, truth), 0.0, atol=1e-9)


def test_innovations_of_angles_are_wrapped():
    model = load_model("diff_drive")
    belief = Belief(np.array([0.0, 0.0, np.pi - 0.05, 0.0, 0.0]), np.eye(5))
    result = update(model, belief, measurement([2], [-np.pi + 0.05], np.eye(1)))
    np.testing.assert_allclose(result.innovation, [0.1], atol=1e-12)


@pytest.mark.parametrize(("threshold", "accepted"), [(2.01, True), (1.99, False)])
def test_the_threshold_is_a_mahalanobis_distance(linear, threshold, accepted):
    belief = Belief(np.zeros(4), np.eye(4) * 3.0)
    far = measurement([0], [4.0], np.eye(1), threshold)
    result = update(linear, belief, far)
    assert result.accepted is accepted
    assert result.nis == pytest.approx(4.0)
    if not accepted:
        assert result.belief is belief


def test_the_distance_takes_correlation_into_account(linear):
    P = np.eye(4)
    P[0, 1] = P[1, 0] = 0.99
    belief, R = Belief(np.zeros(4), P), np.eye(2) * 1e-6
    along = update(linear, belief, measurement([0, 1], [1.0, 1.0], R, 3.0))
    across = update(linear, belief, measurement([0, 1], [1.0, -1.0], R, 3.0))
    assert along.accepted
    assert not across.accepted


@pytest.mark.parametrize("values", [[np.nan], [np.inf]])
def test_a_value_that_is_not_finite_leaves_the_belief_alone(linear, values):
    belief = Belief(np.zeros(4), np.eye(4))
    result = update(linear, belief, measurement([0], values, np.eye(1)))
    assert not result.accepted
    assert result.belief is belief


def test_an_impossible_innovation_covariance_leaves_the_belief_alone(linear):
    belief = Belief(np.zeros(4), np.zeros((4, 4)))
    result = update(linear, belief, measurement([0], [1.0], -np.eye(1)))
    assert not result.accepted
    assert result.nis == np.inf
    assert result.belief is belief


def test_nothing_given_is_written_to(linear):
    rng = np.random.default_rng(2)
    belief = Belief(rng.normal(size=4), covariance(rng, 4))
    z = measurement([1, 3], rng.normal(size=2), covariance(rng, 2))
    kept = [belief.state.copy(), belief.covariance.copy(), z.values.copy(), z.covariance.copy()]
    update(linear, predict(linear, belief, np.ones(2), 0.1, Q), z)
    update(linear, belief, z)
    now = [belief.state, belief.covariance, z.values, z.covariance]
    for before, after in zip(kept, now, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("rows", [(3,), (4,), (5,), (3, 4), (3, 5), (4, 5), (3, 4, 5), (0, 5, 9)])
def test_H_of_some_outputs_is_the_derivative_of_their_innovation(derivative, rows):
    model = load_model("rigid_body")
    outputs = np.random.default_rng(6).normal(size=15) * 0.5
    x = np.asarray(model.state(outputs))

    def innovation(delta):
        z = model.h(model.plus(x, delta))[list(rows)]
        return update(model, Belief(x, np.eye(15)), measurement(rows, z, np.eye(len(rows))))[1]

    found = model.residual_jacobian(x, rows)
    np.testing.assert_allclose(found, derivative(innovation, 15), atol=1e-7)


def test_a_measurement_of_nothing_changes_nothing_and_says_nothing(linear, capfd):
    belief = Belief(np.ones(4), np.eye(4))
    result = update(linear, belief, measurement((), (), np.eye(0)))
    np.testing.assert_array_equal(result.belief.state, belief.state)
    np.testing.assert_array_equal(result.belief.covariance, belief.covariance)
    assert capfd.readouterr() == ("", "")
