"""The state is predicted with what was sent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.control import DelayCompensation
from ebm_mpc_ros.models import load_model

MS = 1_000_000
START = np.array([0.0, 0.0, 0.0, 1.0, 0.0])


@pytest.fixture
def make():
    def make(**changes):
        return DelayCompensation(load_model("diff_drive"), **({"hold": 0.05} | changes))

    return make


def test_without_inputs_the_speed_is_kept(make):
    moved = make(latency=0.1).predict(START, 0, 20 * MS)
    np.testing.assert_allclose(moved, [0.12, 0, 0, 1, 0], atol=1e-12)


def test_without_age_and_latency_nothing_moves(make):
    compensation = make()
    compensation.sent(0, [1.0, 0.0])
    np.testing.assert_array_equal(compensation.predict(START, 10 * MS, 10 * MS), START)


def test_an_input_acts_after_the_latency_and_as_long_as_it_is_held(make):
    compensation = make(latency=0.1)
    compensation.sent(0, [1.0, 0.0])
    speeds = [compensation.predict(START, 0, t * MS)[3] for t in (0, 25, 50, 100)]
    np.testing.assert_allclose(speeds, [1.0, 1.025, 1.05, 1.05])


def test_an_input_gives_way_to_the_next(make):
    compensation = make(latency=0.1)
    compensation.sent(0, [1.0, 0.0])
    compensation.sent(20 * MS, [0.0, 2.0])
    moved = compensation.predict(START, 0, 100 * MS)
    np.testing.assert_allclose(moved[3:], [1.02, 0.1])


def test_what_acted_before_the_state_does_not_count(make):
    compensation = make()
    compensation.sent(0, [1.0, 0.0])
    assert compensation.predict(START, 50 * MS, 100 * MS)[3] == 1.0
    assert compensation.predict(START, 30 * MS, 100 * MS)[3] == pytest.approx(1.02)


@given(st.lists(st.tuples(st.integers(1, 80), st.floats(-1, 1)), max_size=8), st.integers(0, 200))
def test_the_speed_gained_is_the_integral_of_what_was_sent(spans, latency):
    compensation = DelayCompensation(load_model("diff_drive"), latency=latency / 1000, hold=0.05)
    stamp, gain = 0, 0.0
    for span, value in spans:
        compensation.sent(stamp * MS, [value, 0.0])
        gain += value * min(span, 50) / 1000
        stamp += span
    moved = compensation.predict(START, 0, stamp * MS)
    np.testing.assert_allclose(moved[3], 1.0 + gain, atol=1e-9)


def test_the_state_is_where_the_robot_comes_when_commands_arrive_late(make):
    model, compensation = load_model("diff_drive"), make(latency=0.1)
    rng, sent = np.random.default_rng(0), []
    for k in range(10):
        sent.append(rng.normal(size=2))
        compensation.sent(k * 50 * MS, sent[-1])
    # At 400 ms the input of 300 ms acts; the one to be sent at 500 ms acts at 600 ms.
    state, expected = START, START
    for u in sent[6:10]:
        expected = model.f(expected, u, 0.05)
    np.testing.assert_allclose(compensation.predict(state, 400 * MS, 500 * MS), expected)


def test_old_inputs_are_forgotten(make):
    compensation = make(memory=0.5)
    for k in range(1000):
        compensation.sent(k * 50 * MS, [1.0, 0.0])
    assert len(compensation._sent) < 15
    compensation.clear()
    assert compensation.predict(START, 0, 100 * MS)[3] == 1.0


def test_a_state_that_is_too_old_is_refused(make):
    with pytest.raises(ValueError, match="too old"):
        make(memory=0.5).predict(START, 0, 501 * MS)


@pytest.mark.parametrize("u", [[1.0], [np.nan, 0.0]])
def test_a_bad_input_is_refused(make, u):
    with pytest.raises(ValueError, match="finite numbers"):
        make().sent(0, u)


def test_inputs_come_in_order(make):
    compensation = make()
    compensation.sent(10, [1.0, 0.0])
    with pytest.raises(ValueError, match="before"):
        compensation.sent(9, [1.0, 0.0])


@pytest.mark.parametrize(("name", "value"), [("latency", -0.1), ("hold", 0.0), ("memory", np.inf)])
def test_a_bad_time_is_named(make, name, value):
    with pytest.raises(ValueError, match=name):
        make(**{name: value})


def test_another_latency_knows_what_was_sent(make):
    before = make(latency=0.1)
    before.sent(0, [1.0, 0.0])
    after = before.with_latency(0.2)
    assert after.predict(START, 0, 0)[3] == 1.0
    assert after.predict(START, 0, 50 * MS)[3] == pytest.approx(1.05)
    after.sent(100 * MS, [1.0, 0.0])
    assert before.predict(START, 0, 100 * MS)[3] == pytest.approx(1.05)
    with pytest.raises(ValueError, match="latency"):
        before.with_latency(-1.0)
