"""How a belief begins, and what it must be to be told to anybody."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.belief import covariance_problem, saturated, start, trustworthy
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.terms import Offset
from ebm_mpc_ros.models import CANONICAL_STATES, load_model

MODEL = load_model("rigid_body")


def measurement(rows, values, R, terms=()):
    return Measurement(0, "odom0", tuple(rows), np.asarray(values, float), R, terms=terms)


def begun(model, outputs, P, *arguments, **more):
    return start(model, np.asarray(outputs, float), P, measurement(*arguments, **more))


def test_what_is_measured_is_taken_as_it_is_and_the_rest_stays(linear):
    P = np.diag([1.0, 2.0, 3.0, 4.0])
    P[0, 2] = P[2, 0] = 0.9
    P[1, 3] = P[3, 1] = 0.8
    R = np.array([[0.1, 0.02], [0.02, 0.3]])
    belief = begun(linear, [9.0, 8.0, 7.0, 6.0], P, (0, 2), (1.0, 2.0), R)
    np.testing.assert_array_equal(belief.state, [1.0, 8.0, 2.0, 6.0])
    expected = np.array([[0.1, 0, 0.02, 0], [0, 2, 0, 0.8], [0.02, 0, 0.3, 0], [0, 0.8, 0, 4]])
    np.testing.assert_array_equal(belief.covariance, expected)


@pytest.mark.parametrize("yaw", [0.0, 0.7, np.pi / 2, -3.0])
def test_an_attitude_begins_with_the_covariance_that_its_innovation_has(yaw):
    R = np.array([[0.1, 0.01, 0.0], [0.01, 0.2, 0.02], [0.0, 0.02, 0.3]])
    belief = begun(MODEL, np.zeros(15), np.eye(15), (3, 4, 5), (0.1, -0.2, yaw), R)
    np.testing.assert_allclose(MODEL.h(belief.state)[3:6], [0.1, -0.2, yaw], atol=1e-12)
    H = MODEL.residual_jacobian(belief.state, (3, 4, 5))
    np.testing.assert_allclose(H @ belief.covariance @ H.T, R, atol=1e-12)


@pytest.mark.parametrize("row", [3, 4])
@pytest.mark.parametrize("yaw", [0.0, 0.7, np.pi / 2])
def test_a_tilt_alone_begins_with_a_positive_covariance(row, yaw):
    outputs = np.zeros(15)
    outputs[5] = yaw
    P = np.eye(15) * 0.5
    belief = begun(MODEL, outputs, P, (row,), (0.1,), np.array([[0.01]]))
    assert np.linalg.eigvalsh(belief.covariance).min() > 0.0
    assert belief.covariance.max() <= 0.5


def test_terms_are_taken_off_at_the_state_before():
    P, ahead = np.eye(5), Offset((0, 1), np.array([0.5, 0.0, 0.0]))
    outputs = [0.0, 0.0, np.pi / 2, 0.0, 0.0]
    model = load_model("diff_drive")
    belief = begun(model, outputs, P, (0, 1), (3.0, 4.0), np.eye(2), terms=(ahead,))
    np.testing.assert_allclose(belief.state, [3.0, 3.5, np.pi / 2, 0.0, 0.0], atol=1e-12)


def test_an_output_that_is_no_state_sets_the_state_and_not_its_covariance():
    model = load_model("ackermann")
    outputs = [0.0, 0.0, 0.0, 1.0, 0.0]
    belief = begun(model, outputs, np.eye(5) * 0.2, (3, 4), (1.0, 0.5), np.eye(2) * 0.1)
    np.testing.assert_allclose(model.h(belief.state)[3:], [1.0, 0.5])
    np.testing.assert_allclose(belief.covariance.diagonal(), [0.2, 0.2, 0.2, 0.1, 0.2])


def test_variances_do_not_grow_without_bound():
    P = np.diag([1e10, 4.0, 1e6])
    P[0, 1] = P[1, 0] = 1e5
    belief = saturated(Belief(np.zeros(3), P))
    np.testing.assert_allclose(belief.covariance.diagonal(), [1e6, 4.0, 1e6])
    # The correlation stays.
    assert belief.covariance[0, 1] == pytest.approx(1e5 / np.sqrt(1e10 * 4.0) * np.sqrt(4e6))
    fine = Belief(np.zeros(2), np.eye(2) * 1e6)
    assert saturated(fine) is fine


def state(**outputs):
    values = np.array([float(outputs.get(name, 0.0)) for name in CANONICAL_STATES])
    return np.asarray(MODEL.state(values))


@pytest.mark.parametrize(
    ("x", "P", "problem"),
    [
        (state(x=9e6, vx=900.0), np.eye(15), ""),
        (state(), np.diag([0.0] * 3 + [1e-9] * 12), ""),
        (state(), np.eye(15) - 1e-12 * np.ones((15, 15)), ""),
        (state() * np.nan, np.eye(15), "the estimate is not finite"),
        (state(), np.full((15, 15), np.inf), "the estimate is not finite"),
        (state(), np.diag([1.0] * 14 + [-1e-3]), "the covariance is indefinite"),
        (state(), np.eye(15) + np.eye(15, k=1) * 2 + np.eye(15, k=-1) * 2, "the covariance is"),
        (state(y=-1.1e7), np.eye(15), "y ran away"),
        (state(vz=1.1e3), np.eye(15), "vz ran away"),
        (state(vyaw=-1.1e3), np.eye(15), "vyaw ran away"),
    ],
)
def test_a_belief_is_told_only_if_it_can_be_one(x, P, problem):
    found = trustworthy(MODEL, Belief(x, P))
    assert found == problem or (problem and found.startswith(problem))


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        (np.eye(2), ""),
        (np.zeros((2, 2)), ""),
        (np.eye(3), "has shape (3, 3): must be (2, 2)"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "must be finite and symmetric"),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "must be finite and symmetric"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "must be positive semidefinite"),
    ],
)
def test_what_is_no_covariance_is_said(matrix, problem):
    assert covariance_problem(matrix, 2) == problem
