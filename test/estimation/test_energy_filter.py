"""The energy filter where it must be the Kalman filter, and what it does with bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import (
    Ended,
    EnergyFilterSettings,
    predict,
    start,
    update,
)
from ebm_mpc_ros.estimation.particles import Particles, gaussian, placed
from ebm_mpc_ros.estimation.terms import Linear
from ebm_mpc_ros.models import Jacobians, Model, load_model
from ebm_mpc_ros.models.transition import GaussianTransition

DT = 0.1


class Mixing(Model):
    """x' = A x + B u + W w with a random stable A and a W that mixes the noises."""

    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = state_names
    state_size = 4

    def __init__(self):
        rng = np.random.default_rng(0)
        A = rng.normal(size=(4, 4))
        self.A = 0.98 * A / np.abs(np.linalg.eigvals(A)).max()
        self.B, self.W = rng.normal(size=(4, 2)), np.eye(4) + 0.4 * rng.normal(size=(4, 4))

    def f(self, x, u, dt, w=None):
        return x @ self.A.T + u @ self.B.T

    def jacobians(self, x, u, dt):
        shape = x.shape[:-1]
        return Jacobians(
            *(np.broadcast_to(M, (*shape, *M.shape)) for M in (self.A, self.B, self.W))
        )


MODEL = Mixing()
Q = np.diag([3.0, 1.0, 2.0, 0.5])
ROWS = (0, 2)
Z = np.array([0.8, -1.1])
U = np.array([0.3, -0.2])
PRIOR = Belief(np.array([0.4, -0.3, 1.0, 0.2]), np.diag([1.0, 0.5, 0.3, 0.6]))


def filtering(model=MODEL, noise=Q, **changes):
    energy = GaussianTransition(model, noise)
    return EnergyFilterSettings(energy=energy, **({"particles": 4000} | changes))


def measured(values, covariance, rows=ROWS, **changes):
    return Measurement(0, "odom0", rows, np.asarray(values, float), covariance, **changes)


def predicted(one, rng, prior=PRIOR):
    return predict(one, start(one, prior, rng), U, DT, rng)


def same(found, wanted, worth, sigmas=5.0):
    """Assert a sample's mean and covariance, given how many independent draws it is worth."""
    x, P = wanted
    deviation = np.sqrt(P.diagonal())
    assert (np.abs(found.state - x) < sigmas * deviation / np.sqrt(worth)).all()
    error = np.sqrt((np.outer(P.diagonal(), P.diagonal()) + P * P) / worth)
    assert (np.abs(found.covariance - P) < sigmas * error).all()


STRENGTHS = [1e-4, 0.1, 100.0]


@pytest.mark.parametrize("resample_below", [0.0, 1.0])
@pytest.mark.parametrize("variance", STRENGTHS)
def test_mean_covariance_and_likelihood_are_the_kalman_filters(variance, resample_below):
    one, rng = filtering(resample_below=resample_below), np.random.default_rng(1)
    R = variance * np.array([[1.0, 0.3], [0.3, 0.8]])
    before = predicted(one, rng)
    expected = ekf.predict(MODEL, PRIOR, U, DT, Q)
    same(gaussian(MODEL, before), expected, one.particles)
    result = update(one, before, measured(Z, R), rng)
    wanted = ekf.update(MODEL, expected, measured(Z, R))
    assert result.ended is Ended.FUSED
    worth = min(result.ancestors, result.draws)
    assert worth > 400
    same(gaussian(MODEL, result.particles), wanted.belief, worth)
    nu, S = wanted.innovation, wanted.innovation_covariance
    log_likelihood = -0.5 * (wanted.nis + np.log(np.linalg.det(2.0 * np.pi * S)))
    assert result.log_likelihood == pytest.approx(log_likelihood, abs=5.0 / np.sqrt(worth))
    bound = 5.0 * np.sqrt(S.diagonal() / one.particles)
    assert (np.abs(result.innovation - nu) < bound).all()
    np.testing.assert_allclose(result.innovation_covariance, S, rtol=0.1, atol=0.05)
    assert 0.7 < result.acceptance < 0.9


@pytest.mark.parametrize("variance", STRENGTHS)
def test_the_gain_is_the_kalman_gain(variance):
    """How far the mean goes with z, over two standard deviations of the innovation."""
    little = 0.1 * Q
    one = filtering(noise=little, particles=20_000)
    R = variance * np.eye(1)
    P = ekf.predict(MODEL, PRIOR, U, DT, little).covariance
    S = P[0, 0] + variance
    means = []
    for sign in (-1.0, 1.0):
        rng = np.random.default_rng(2)
        before = predicted(one, rng)
        z = gaussian(MODEL, before).state[:1] + sign * np.sqrt(S)
        result = update(one, before, measured(z, R, rows=(0,)), rng)
        means.append(gaussian(MODEL, result.particles).state)
    gain = (means[1] - means[0]) / (2.0 * np.sqrt(S))
    after = (P - np.outer(P[:, 0], P[0]) / S).diagonal()
    error = np.sqrt(2.0 * after / result.ancestors) / (2.0 * np.sqrt(S))
    assert (np.abs(gain - P[:, 0] / S) < 5.0 * error + 1e-12).all()
    # That of chains whose ancestors are not weighted would be far off.
    noise = (MODEL.W @ (little * DT) @ MODEL.W.T)[0, 0]
    if variance == 0.1:
        unweighted = noise / (noise + variance)
        assert abs(unweighted - P[0, 0] / S) > 20.0 * error[0]


def test_a_run_of_steps_is_the_kalman_filters():
    one, rng = filtering(), np.random.default_rng(3)
    particles, belief, worth = start(one, PRIOR, rng), PRIOR, []
    for k in range(12):
        rows = [(0, 2), (1,), (3, 1)][k % 3]
        z = measured(rng.normal(size=len(rows)), 0.2 * np.eye(len(rows)), rows)
        particles = predict(one, particles, U, DT, rng)
        result = update(one, particles, z, rng)
        belief = ekf.update(MODEL, ekf.predict(MODEL, belief, U, DT, Q), z).belief
        particles = result.particles
        worth.append(min(result.ancestors, result.draws))
        # What steps have lost adds up, and is forgotten at the rate of the motion.
        same(gaussian(MODEL, particles), belief, 0.3 * min(worth))


def test_measurements_of_one_instant_are_their_joint_measurement():
    one, R = filtering(), np.array([[0.2, 0.05], [0.05, 0.1]])
    joint_z = measured(
        [*Z, 0.4], np.block([[R, np.zeros((2, 1))], [np.zeros((1, 2)), 0.3]]), (0, 2, 1)
    )
    rng = np.random.default_rng(4)
    before = predicted(one, rng)
    first = update(one, before, measured(Z, R), rng)
    second = update(one, first.particles, measured([0.4], 0.3 * np.eye(1), (1,)), rng)
    joint = update(one, before, joint_z, rng)
    wanted = ekf.update(MODEL, ekf.predict(MODEL, PRIOR, U, DT, Q), joint_z).belief
    same(gaussian(MODEL, second.particles), wanted, second.ancestors)
    total = first.log_likelihood + second.log_likelihood
    assert total == pytest.approx(joint.log_likelihood, abs=1e-9)


def test_a_start_is_the_belief_and_its_first_measurement_the_kalman_filters():
    one, rng = filtering(), np.random.default_rng(5)
    particles = start(one, PRIOR, rng)
    same(gaussian(MODEL, particles), PRIOR, one.particles)
    z = measured(Z, 1e-3 * np.eye(2))
    result = update(one, particles, z, rng)
    same(gaussian(MODEL, result.particles), ekf.update(MODEL, PRIOR, z).belief, result.ancestors)


@pytest.mark.parametrize("name", ["diff_drive", "rigid_body"])
def test_of_a_robot_known_well_it_is_the_extended_kalman_filter(name, spd, somewhere):
    model, rng = load_model(name), np.random.default_rng(6)
    n = len(model.state_names)
    belief = Belief(somewhere(model, rng), 1e-4 * spd(n, rng) / n)
    noise = 1e-4 * np.eye(n)
    one = filtering(model, noise, particles=2000)
    u = 0.1 * rng.normal(size=len(model.input_names))
    rows = (0, 1, 2) if name == "diff_drive" else (0, 3, 5, 8)
    particles = predict(one, start(one, belief, rng), u, DT, rng)
    expected = ekf.predict(model, belief, u, DT, noise)
    z = model.h(expected.state)[list(rows)] + 5e-3 * rng.normal(size=len(rows))
    seen = measured(z, 1e-4 * np.eye(len(rows)), rows)
    result = update(one, particles, seen, rng)
    wanted, found = ekf.update(model, expected, seen).belief, gaussian(model, result.particles)
    delta = model.minus(found.state, wanted.state)
    same(Belief(delta, found.covariance), Belief(0.0, wanted.covariance), 0.5 * result.ancestors)
    assert result.draws > 0.95 * result.ancestors > 400


def test_the_lever_arm_of_a_sensor_counts():
    model, rng = load_model("diff_drive"), np.random.default_rng(7)
    belief, noise = Belief(np.array([0.0, 0.0, 0.3, 0.5, 0.1]), 0.01 * np.eye(5)), 0.01 * np.eye(5)
    one = filtering(model, noise)
    arm = Linear((4,), np.array([[-0.4]]))
    seen = measured([0.7], 1e-3 * np.eye(1), (3,), terms=(arm,))
    result = update(one, start(one, belief, rng), seen, rng)
    wanted = ekf.update(model, belief, seen).belief
    same(gaussian(model, result.particles), wanted, result.ancestors)


@settings(max_examples=10, deadline=None)
@given(angle=st.floats(-np.pi, np.pi))
def test_turning_the_world_turns_the_particles(angle):
    model = load_model("diff_drive")
    one = filtering(model, np.diag([0.02, 0.01, 0.02, 0.1, 0.1]), particles=50)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])

    def turned(x):
        x = np.concatenate([x[..., :2] @ turn.T, x[..., 2:]], axis=-1)
        x[..., 2] += angle
        return x

    R = np.array([[0.04, 0.01], [0.01, 0.02]])
    begun = start(one, Belief(np.zeros(5), 0.1 * np.eye(5)), np.random.default_rng(8))
    runs = []
    for particles, z in (
        (begun, measured([0.3, 0.2], R, (0, 1))),
        (
            begun._replace(states=turned(begun.states)),
            measured(turn @ [0.3, 0.2], turn @ R @ turn.T, (0, 1)),
        ),
    ):
        rng = np.random.default_rng(9)
        result = update(one, predict(one, particles, U, DT, rng), z, rng)
        runs.append(gaussian(model, result.particles))
    delta = model.minus(runs[1].state, turned(runs[0].state))
    np.testing.assert_allclose(delta, 0.0, atol=1e-8)
    block = runs[0].covariance[:2, :2]
    np.testing.assert_allclose(runs[1].covariance[:2, :2], turn @ block @ turn.T, atol=1e-8)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(20)))
def test_the_order_of_the_particles_counts_for_nothing(order):
    one, order = filtering(particles=20), np.array(order)
    before = predicted(one, np.random.default_rng(10))
    step = before.step
    ancestors = step.ancestors[order]
    mixed = Particles(
        before.states[order],
        before.weights[order],
        step._replace(
            ancestors=ancestors,
            weights=step.weights[order],
            placed=placed(one.energy, ancestors, U, DT),
            prior=step.prior.of(order),
        ),
    )
    z = measured(Z, 0.1 * np.eye(2))
    left, right = (update(one, p, z, np.random.default_rng(0)) for p in (before, mixed))
    for name in ("innovation", "innovation_covariance", "nis", "log_likelihood", "ancestors"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), rtol=1e-9)


def test_the_mean_of_headings_about_half_a_turn_is_there():
    model, rng = load_model("diff_drive"), np.random.default_rng(11)
    one = filtering(model, 0.01 * np.eye(5))
    belief = Belief(np.array([0.0, 0.0, np.pi, 0.0, 0.0]), 0.04 * np.eye(5))
    found = gaussian(model, start(one, belief, rng))
    assert abs(model.minus(found.state, belief.state)[2]) < 5.0 * 0.2 / np.sqrt(one.particles)
    assert found.covariance[2, 2] == pytest.approx(0.04, rel=0.15)


def check_left_alone(result, before, ended):
    assert result.ended is ended
    assert result.reason
    assert result.particles is before


@pytest.mark.parametrize(
    ("values", "covariance"),
    [
        ([np.nan, 0.0], np.eye(2)),
        ([np.inf, 0.0], np.eye(2)),
        ([0.0, 0.0], np.full((2, 2), np.nan)),
        ([0.0, 0.0], -np.eye(2)),
        ([0.0, 0.0], np.zeros((2, 2))),
        ([0.0, 0.0], np.eye(3)),
        ([0.0, 0.0], np.array([[1.0, 0.5], [0.0, 1.0]])),
    ],
)
def test_a_bad_measurement_is_refused_with_a_reason(values, covariance):
    one, rng = filtering(particles=50), np.random.default_rng(12)
    before = predicted(one, rng)
    check_left_alone(update(one, before, measured(values, covariance), rng), before, Ended.REFUSED)


def test_one_beyond_the_threshold_is_rejected():
    one, rng = filtering(particles=200), np.random.default_rng(13)
    before = predicted(one, rng)
    far = measured([30.0, 0.0], np.eye(2), threshold=5.0)
    result = update(one, before, far, rng)
    check_left_alone(result, before, Ended.REJECTED)
    assert result.nis > 25.0
    near = measured(gaussian(MODEL, before).state[[0, 2]], np.eye(2), threshold=0.5)
    assert update(one, before, near, rng).ended is Ended.FUSED


def test_one_that_no_particle_explains_leaves_them_alone():
    one, rng = filtering(particles=50), np.random.default_rng(14)
    before = predicted(one, rng)
    result = update(one, before, measured([1e6, 0.0], 1e-300 * np.eye(2)), rng)
    check_left_alone(result, before, Ended.IMPOSSIBLE)
    result = update(one, before, measured([1e200, 0.0], np.eye(2)), rng)
    check_left_alone(result, before, Ended.REJECTED)


def test_one_particle_with_all_the_weight_is_told_and_spreads_again():
    one, rng = filtering(particles=500, resample_below=1.0), np.random.default_rng(15)
    alone = np.zeros(500)
    alone[3] = 1.0
    before = start(one, PRIOR, rng)._replace(weights=alone)
    assert before.effective_sample_size == 1.0
    result = update(one, predict(one, before, U, DT, rng), measured(Z, 0.1 * np.eye(2)), rng)
    assert result.ancestors == pytest.approx(1.0)
    found = gaussian(MODEL, result.particles)
    single = Belief(before.states[3], np.zeros((4, 4)))
    wanted = ekf.update(MODEL, ekf.predict(MODEL, single, U, DT, Q), measured(Z, 0.1 * np.eye(2)))
    same(found, wanted.belief, result.draws)


def test_a_measurement_far_off_is_followed_and_its_likelihood_says_so():
    one, rng = filtering(particles=200), np.random.default_rng(16)
    result = update(one, predicted(one, rng), measured([50.0, 0.0], 1e-4 * np.eye(2)), rng)
    assert result.ended is Ended.FUSED
    assert result.log_likelihood < -500.0
    assert result.ancestors < 5.0
    found = gaussian(MODEL, result.particles)
    assert np.isfinite(found.state).all()
    assert np.isfinite(found.covariance).all()
    assert abs(found.state[0] - 50.0) < 0.1


def test_one_particle_out_of_bounds_weighs_nothing():
    one, rng = filtering(particles=50), np.random.default_rng(17)
    before = start(one, PRIOR, rng)
    states = before.states.copy()
    states[7] = 1e308
    after = predict(one, before._replace(states=states), U, DT, rng)
    assert after.weights[7] == 0.0
    assert np.isfinite(after.states).all()
    result = update(one, after, measured(Z, 0.1 * np.eye(2)), rng)
    assert np.isfinite(gaussian(MODEL, result.particles).covariance).all()
    with pytest.raises(FloatingPointError, match="finite next state"):
        predict(one, before._replace(states=np.full_like(states, 1e308)), U, DT, rng)


def test_a_measurement_of_nothing_changes_nothing():
    one, rng = filtering(particles=20), np.random.default_rng(18)
    before = predicted(one, rng)
    result = update(one, before, measured((), np.eye(0), ()), rng)
    assert result.ended is Ended.FUSED
    assert result.particles is before


def test_no_time_is_no_step_and_a_bad_one_is_refused():
    one, rng = filtering(particles=20), np.random.default_rng(19)
    before = start(one, PRIOR, rng)
    assert predict(one, before, U, 0.0, rng) is before
    with pytest.raises(ValueError, match="dt = -1"):
        predict(one, before, U, -1.0, rng)
    with pytest.raises(ValueError, match="u must be finite"):
        predict(one, before, np.array([np.nan, 0.0]), DT, rng)
    with pytest.raises(ValueError, match="covariance must be positive"):
        start(one, Belief(np.zeros(4), -np.eye(4)), rng)
    with pytest.raises(ValueError, match="state must be finite"):
        start(one, Belief(np.full(4, np.nan), np.eye(4)), rng)


def test_a_state_known_exactly_starts_and_goes_on():
    one, rng = filtering(particles=500), np.random.default_rng(20)
    begun = start(one, Belief(PRIOR.state, np.zeros((4, 4))), rng)
    np.testing.assert_allclose(begun.states, np.broadcast_to(PRIOR.state, (500, 4)))
    result = update(one, begun, measured(Z, np.eye(2)), rng)
    np.testing.assert_allclose(result.particles.states, begun.states)
    exact = Belief(PRIOR.state, np.zeros((4, 4)))
    wanted = ekf.predict(MODEL, exact, U, DT, Q)
    same(gaussian(MODEL, predict(one, begun, U, DT, rng)), wanted, 500)


def test_the_same_seed_gives_the_same_bits():
    one, runs = filtering(particles=50), []
    for _ in range(2):
        rng = np.random.default_rng(21)
        runs.append(update(one, predicted(one, rng), measured(Z, 0.1 * np.eye(2)), rng).particles)
    np.testing.assert_array_equal(runs[0].states, runs[1].states)
    np.testing.assert_array_equal(runs[0].weights, runs[1].weights)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("particles", 1),
        ("mode_steps", 0),
        ("moves", -1),
        ("step_size", 0.0),
        ("step_size", np.nan),
        ("resample_below", 1.1),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        filtering(**{name: value})
