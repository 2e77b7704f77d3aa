"""Smoothing: the batch solution where all is linear, and better than the filter elsewhere."""

import numpy as np
import pytest
from driving import MODEL, SECOND

from ebm_mpc_ros.estimation.commands import CommandHistory
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.estimation.filter import FilterSettings
from ebm_mpc_ros.estimation.history import Estimate
from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.smoothing import smooth

NOISE = np.diag([1e-3, 1e-3, 1e-3, 0.2, 0.2])


def settings(**changes):
    return FilterSettings(
        model=MODEL,
        process_noise=NOISE,
        initial_covariance=np.eye(5),
        initial_state=np.zeros(5),
        sensor_timeout=1.0,
        **changes,
    )


def along_a_line(seed=0, count=30):
    """Return measurements of x and vx of a robot that doesn't turn, and its true states."""
    rng = np.random.default_rng(seed)
    x, measurements, truth = np.array([0.0, 0.0, 0.0, 0.5, 0.0]), [], []
    for k in range(1, count + 1):
        w = rng.normal(size=5) * np.sqrt(np.diag(NOISE) * 0.05) * [1, 0, 0, 1, 0]
        x = MODEL.f(x, np.zeros(2), 0.05, w)
        z = x[[0, 3]] + rng.normal(size=2) * [0.05, 0.3]
        R = np.diag([0.05**2, 0.3**2])
        measurements.append(Measurement(k * SECOND // 20, "s", (0, 3), z, R))
        truth.append(x)
    return measurements, np.array(truth)


START = Estimate(0, Belief(np.array([0.0, 0, 0, 0.5, 0]), np.diag([1e-4, 1e-9, 1e-9, 0.04, 1e-9])))


def batch(measurements):
    """Return the least-squares solution for x and vx at all stamps, and its variances."""
    count = len(measurements) + 1
    A = np.array([[1.0, 0.05], [0.0, 1.0]])
    Q = np.diag([1e-3, 0.2]) * 0.05
    information, vector = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)
    P = np.diag([1e-4, 0.04])
    information[:2, :2] += np.linalg.inv(P)
    vector[:2] += np.linalg.inv(P) @ [0.0, 0.5]
    for k, measurement in enumerate(measurements, start=1):
        here, before = slice(2 * k, 2 * k + 2), slice(2 * k - 2, 2 * k)
        J = np.zeros((2, 2 * count))
        J[:, here], J[:, before] = np.eye(2), -A
        information += J.T @ np.linalg.inv(Q) @ J
        information[here, here] += np.linalg.inv(measurement.covariance)
        vector[here] += np.linalg.inv(measurement.covariance) @ measurement.values
    covariance = np.linalg.inv(information)
    return (covariance @ vector).reshape(-1, 2), covariance.diagonal().reshape(-1, 2)


def test_on_a_linear_system_it_is_the_batch_least_squares_solution():
    measurements, _ = along_a_line()
    expected, variances = batch(measurements)
    found = smooth(settings(), START, measurements, None)
    states = np.array([estimate.belief.state for estimate in found])
    np.testing.assert_allclose(states[:, [0, 3]], expected, atol=1e-8)
    P = np.array([estimate.belief.covariance.diagonal() for estimate in found])
    np.testing.assert_allclose(P[:, [0, 3]], variances, atol=1e-8)


def test_it_ends_as_the_filter_and_keeps_the_stamps():
    measurements, _ = along_a_line()
    belief, stamp = START.belief, 0
    for measurement in measurements:
        dt = (measurement.stamp - stamp) / SECOND
        belief = predict(MODEL, belief, np.zeros(2), dt, NOISE)
        belief, stamp = update(MODEL, belief, measurement).belief, measurement.stamp
    found = smooth(settings(), START, measurements[::-1], None)
    assert [e.stamp for e in found] == [0, *(m.stamp for m in measurements)]
    np.testing.assert_allclose(found[-1].belief.state, belief.state, atol=1e-12)


def test_it_takes_the_commands_for_what_moved_the_robot():
    commands = CommandHistory(memory=10.0)
    for k in range(21):
        commands.add(k * SECOND // 20, [0.5 + 0.05 * k, 0, 0, 0, 0, 0])
    still = Measurement(SECOND, "s", (1,), np.zeros(1), np.eye(1))
    (_, told), (_, untold) = (
        smooth(settings(), START, [still], given) for given in (commands, None)
    )
    assert told.belief.state[3] == pytest.approx(0.5 + 0.95, abs=1e-6)
    assert untold.belief.state[3] == pytest.approx(0.5, abs=1e-6)


def test_it_is_nearer_to_the_truth_than_the_filter():
    errors = []
    for seed in range(8):
        measurements, truth = along_a_line(seed, 60)
        found = np.array([e.belief.state for e in smooth(settings(), START, measurements, None)])
        belief, stamp, filtered = START.belief, 0, []
        for measurement in measurements:
            dt = (measurement.stamp - stamp) / SECOND
            belief = predict(MODEL, belief, np.zeros(2), dt, NOISE)
            belief, stamp = update(MODEL, belief, measurement).belief, measurement.stamp
            filtered.append(belief.state)
        speeds = np.array(filtered)[:, 3], found[1:, 3]
        errors.append([np.mean((speed - truth[:, 3]) ** 2) for speed in speeds])
    by_filter, by_smoother = np.mean(errors, axis=0)
    assert by_smoother < 0.8 * by_filter


def test_a_filter_that_scales_its_noise_is_refused():
    with pytest.raises(DataError, match="without dynamic noise"):
        smooth(settings(dynamic_process_noise=True), START, [], None)


def test_over_a_silence_it_is_as_if_there_had_been_stops_on_the_way():
    measurements, _ = along_a_line()
    sparse = measurements[::10]
    nothing = np.zeros(0), np.zeros((0, 0))
    stops = [
        Measurement(sparse[0].stamp + k * SECOND // 10, "stop", (), *nothing)
        for k in range(1, 10)
        if k % 5
    ]
    without = smooth(settings(), START, sparse, None)
    stopping = {e.stamp: e.belief for e in smooth(settings(), START, [*sparse, *stops], None)}
    assert len(stopping) == len(without) + len(stops)
    for stamp, belief in without:
        np.testing.assert_allclose(belief.state, stopping[stamp].state, atol=1e-9)
        np.testing.assert_allclose(belief.covariance, stopping[stamp].covariance, atol=1e-9)
