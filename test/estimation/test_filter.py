"""Measurements in any order in, one belief in time out."""

import numpy as np
import pytest
from filtering import MS, START, measured, put, settings, started

from ebm_mpc_ros.estimation.ekf import Belief, predict, update
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.models import load_model


@pytest.fixture
def one(linear):
    return Filter(settings(linear))


def test_there_is_no_estimate_before_the_first_measurement(one):
    assert one.advance(START) is None
    assert one.estimate is None


def test_the_first_measurement_is_taken_as_it_is(linear):
    P = np.eye(4) * 0.5
    P[0, 2] = P[2, 0] = 0.49
    one = Filter(settings(linear, initial_covariance=P, initial_state=np.array([9.0, 8, 7, 6])))
    put(one, measured(START, [0, 1], [1.0, 2.0], 1e-4), START)
    stamp, belief = one.advance(START)
    assert stamp == START
    np.testing.assert_allclose(belief.state, [1.0, 2.0, 7.0, 6.0])
    np.testing.assert_allclose(np.diagonal(belief.covariance), [1e-4, 1e-4, 0.5, 0.5])
    assert np.linalg.eigvalsh(belief.covariance).min() > 0.0
    assert not one.resets


def test_it_predicts_from_one_stamp_to_the_next_and_updates_there(linear):
    one = started(linear)
    before = one.estimate.belief
    z = measured(START + 30 * MS, 0, 1.5)
    put(one, z, START + 50 * MS)
    stamp, belief = one.advance(START + 50 * MS)
    expected = update(linear, predict(linear, before, np.zeros(2), 0.03, np.eye(4) * 0.1), z).belief
    assert stamp == START + 30 * MS
    np.testing.assert_allclose(belief.state, expected.state, atol=1e-15)
    np.testing.assert_allclose(belief.covariance, expected.covariance, atol=1e-15)


def test_the_order_of_arrival_within_a_tick_does_not_matter(linear):
    rng = np.random.default_rng(0)
    batch = [
        measured(START + int(s) * MS, rng.integers(4), rng.normal())
        for s in rng.permutation(np.arange(1, 40))
    ]
    results = []
    for order in (batch, batch[::-1], sorted(batch, key=lambda m: m.stamp)):
        one = started(linear)
        for z in order:
            put(one, z, START + 40 * MS)
        results.append(one.advance(START + 40 * MS).belief)
    for other in results[1:]:
        np.testing.assert_array_equal(other.state, results[0].state)
        np.testing.assert_array_equal(other.covariance, results[0].covariance)


def test_the_same_calls_give_the_same_bits():
    def run():
        model = load_model("rigid_body")
        rng = np.random.default_rng(5)
        one = Filter(settings(model))
        bits = []
        for tick in range(50):
            now = START + tick * 33 * MS
            for _ in range(3):
                rows = np.sort(rng.permutation(15)[:4])
                stamp = now - int(rng.integers(40 * MS))
                put(one, measured(stamp, rows, rng.normal(size=4)), now)
            _, belief = one.advance(now)
            bits.append(belief.state.tobytes() + belief.covariance.tobytes())
        return bits

    assert run() == run()


def test_a_late_measurement_is_fused_into_the_belief_as_it_stands(linear):
    one = started(linear)
    put(one, measured(START + 60 * MS, 0, 1.2), START + 60 * MS)
    one.advance(START + 60 * MS)
    before, late = one.estimate, measured(START + 20 * MS, 0, 3.0)
    assert not put(one, late, START + 80 * MS)
    stamp, belief = one.advance(START + 80 * MS)
    assert stamp == before.stamp
    np.testing.assert_array_equal(belief.state, update(linear, before.belief, late).belief.state)
    assert belief.state[0] > before.belief.state[0]


def test_a_measurement_waits_for_its_time(linear):
    one = started(linear)
    assert not put(one, measured(START + 300 * MS, 0, 5.0), START)
    assert one.advance(START + 50 * MS).belief.state[0] == 1.0
    assert one.advance(START + 300 * MS).stamp == START + 300 * MS
    assert one.estimate.belief.state[0] > 1.0


@pytest.mark.parametrize(
    ("offset", "reason"), [(501 * MS, "stamp in the future"), (-2001 * MS, "stamp too old")]
)
def test_a_stamp_out_of_range_is_refused_and_counted(linear, offset, reason):
    one = started(linear)
    before = one.estimate
    for _ in range(2):
        assert put(one, measured(START + offset, 0, 9.0), START) == reason
    one.advance(START)
    assert one.estimate is before


@pytest.mark.parametrize("offset", [500 * MS, -2000 * MS])
def test_a_stamp_at_the_limit_is_taken(linear, offset):
    assert not put(started(linear), measured(START + offset, 0, 9.0), START)


def test_an_outlier_is_rejected_and_counted(linear):
    one = started(linear)
    put(one, measured(START + MS, 0, 50.0, threshold=5.0), START + MS)
    assert one.advance(START + MS).belief.state[0] == pytest.approx(1.0)
    assert one.dropped == {("odom0", "beyond the rejection threshold"): 1}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda b: Belief(b.state * np.nan, b.covariance), "the estimate is not finite"),
        (lambda b: Belief(b.state, b.covariance * np.inf), "the estimate is not finite"),
        (lambda b: Belief(b.state, -b.covariance), "the covariance is indefinite"),
        (lambda b: Belief(b.state + 2e7, b.covariance), "x ran away"),
    ],
)
def test_a_belief_that_is_none_any_more_is_started_over(linear, damage, reason):
    one = started(linear)
    with np.errstate(invalid="ignore"):
        one.restart(START, damage(one.estimate.belief), 0)
    assert one.advance(START) is None
    assert one.resets == {reason: 1}
    put(one, measured(START + MS, 0, 4.0), START + MS)
    assert one.advance(START + MS).belief.state[0] == 4.0


def test_a_correctly_specified_filter_is_consistent(linear):
    rng = np.random.default_rng(11)
    noise, R = np.eye(4) * 0.1, 0.2
    one = Filter(settings(linear, process_noise=noise, initial_covariance=np.eye(4) * 1e-6))
    x, now = np.zeros(4), START
    put(one, measured(now, [0, 1, 2, 3], 0.0, 1e-6), now)
    for _ in range(1500):
        now += 50 * MS
        x = linear.f(x, np.zeros(2), 0.05, rng.normal(size=4) * np.sqrt(0.1 * 0.05))
        z = x[[0, 1]] + rng.normal(size=2) * np.sqrt(R)
        put(one, measured(now, [0, 1], z, R, "gps"), now)
        one.advance(now)
    statistics = one.consistency["gps"]
    low, high = statistics.bounds(0.999)
    assert statistics.degrees == 3000
    assert low < statistics.ratio < high
    error = x - one.estimate.belief.state
    assert error @ np.linalg.solve(one.estimate.belief.covariance, error) < 20.0


def test_an_overconfident_filter_is_found_out(linear):
    rng = np.random.default_rng(12)
    one = Filter(settings(linear))
    put(one, measured(START, [0, 1, 2, 3], 0.0), START)
    for k in range(1, 200):
        now = START + k * 50 * MS
        put(one, measured(now, 0, 3.0 * rng.normal(), 0.1), now)
        one.advance(now)
    assert one.consistency["odom0"].ratio > one.consistency["odom0"].bounds()[1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"process_noise": np.eye(3)}, r"process_noise has shape \(3, 3\).*\(4, 4\)"),
        ({"initial_covariance": -np.eye(4)}, "initial_covariance .*semidefinite"),
        ({"initial_covariance": np.eye(4) * np.nan}, "initial_covariance .*finite"),
        ({"process_noise": np.triu(np.ones((4, 4)))}, "process_noise .*symmetric"),
        ({"initial_state": np.zeros(3)}, "initial_state must be 4"),
        ({"initial_state": np.full(4, np.inf)}, "initial_state must be 4 finite"),
        ({"sensor_timeout": 0.0}, "sensor_timeout = 0.0: must be above 0"),
        ({"future_limit": -1.0}, "future_limit = -1.0"),
        ({"past_limit": np.nan}, "past_limit = nan"),
    ],
)
def test_impossible_settings_are_named(linear, changes, named):
    with pytest.raises(ValueError, match=named):
        settings(linear, **changes)
