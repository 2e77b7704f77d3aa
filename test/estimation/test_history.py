"""Late measurements in their place: the same belief as in order, at a bounded price."""

import numpy as np
import pytest
from filtering import MS, SECOND, START, fuse, measured, put, settings
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from ebm_mpc_ros.estimation import ekf as room
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, update
from ebm_mpc_ros.estimation.filter import Filter
from ebm_mpc_ros.estimation.history import Entry, Estimate, History
from ebm_mpc_ros.estimation.terms import Gravity, lever_arm
from ebm_mpc_ros.models import load_model, rotation

MODEL = load_model("rigid_body")
PERIOD, LATE, COUNT = 20, 300, 40
"""Of measurements (ms), the latest (ms), and how many."""
ARM = -rotation.skew(np.array([0.3, -0.2, 0.5]))


def rigid(**changes):
    values = {"process_noise": np.eye(15) * 0.05, "history": 0.5, "predict_to_current_time": True}
    return Filter(settings(MODEL, initial_covariance=np.eye(15) * 0.1, **(values | changes)))


def measurements(seed):
    """Return measurements of random outputs, some off-centre, some gated, some at one stamp."""
    rng = np.random.default_rng(seed)
    every = []
    for k in range(COUNT):
        stamp = START + int(k - k % 4 // 3) * PERIOD * MS
        rows = tuple(int(row) for row in np.sort(rng.permutation(15)[: rng.integers(1, 7)]))
        values = 0.5 * rng.normal(size=len(rows))
        root = 0.2 * rng.normal(size=(len(rows), len(rows)))
        R = root @ root.T + 0.05 * np.eye(len(rows))
        threshold, terms = rng.choice([np.inf, 1.5]), ()
        if set(rows) >= {6}:
            terms = (lever_arm(MODEL, np.array([ARM[0] * (row == 6) for row in rows])),)
        if rows[-1] == 14:
            terms += (Gravity(np.array([np.eye(3)[2] * (row == 14) for row in rows]), 9.81),)
        every.append(Measurement(stamp, f"odom{k}", rows, values, R, threshold, terms))
    return every


def run(one, arrivals, *, ticks=(), until=(COUNT - 1) * PERIOD + LATE + 50):
    """Give each measurement to the filter when it arrives, (ms, measurement); tick in between."""
    events = [(now, k, z) for k, (now, z) in enumerate(arrivals)]
    events += [(now, COUNT, None) for now in (*ticks, until)]
    for now, _, z in sorted(events, key=lambda event: event[:2]):
        if z is not None:
            assert not put(one, z, START + now * MS)
        one.advance(START + now * MS)
    return one


def in_order(every, **changes):
    return run(rigid(**changes), [((z.stamp - START) // MS, z) for z in every])


def assert_same(one, other, atol=0.0):
    assert one.stamp == other.stamp
    np.testing.assert_allclose(one.belief.state, other.belief.state, rtol=0.0, atol=atol)
    np.testing.assert_allclose(one.belief.covariance, other.belief.covariance, rtol=0, atol=atol)


@example_settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    delays=st.lists(st.integers(0, LATE), min_size=COUNT, max_size=COUNT),
)
def test_whatever_the_order_of_arrival_the_belief_is_that_of_the_order_of_stamps(seed, delays):
    every = measurements(seed)
    late = [((z.stamp - START) // MS + d, z) for z, d in zip(every, delays, strict=True)]
    one = run(rigid(), late, ticks=range(0, 1000, 33))
    assert_same(one.estimate, in_order(every).estimate, 1e-9)


def test_a_late_source_is_as_good_as_a_punctual_one_at_every_time_of_the_history():
    every, punctual, late = measurements(7), rigid(), rigid()
    for now in range(0, COUNT * PERIOD + LATE, 10):
        for k, z in enumerate(every):
            age = now - (z.stamp - START) // MS
            if age == 0:
                put(punctual, z, START + now * MS)
            if age == (LATE if k % 2 else 0):
                put(late, z, START + now * MS)
        punctual.advance(START + now * MS)
        late.advance(START + now * MS)
        seen = START + (now - LATE) * MS
        if now > LATE:
            assert_same(late.at(seen), punctual.at(seen), 1e-9)


def test_without_a_history_lateness_costs_accuracy():
    every = measurements(7)
    late = [((z.stamp - START) // MS + LATE * (k % 2), z) for k, z in enumerate(every)]
    one, other = run(rigid(history=0.0), late), in_order(every)
    difference = MODEL.minus(one.estimate.belief.state, other.estimate.belief.state)
    assert np.abs(difference).max() > 1e-3


def test_a_gate_is_decided_anew_and_an_innovation_counted_once():
    every = measurements(3)
    late = [((z.stamp - START) // MS + LATE * (k % 3 == 0), z) for k, z in enumerate(every)]
    seen = []
    one = Filter(rigid().settings, lambda measurement, _: seen.append(measurement.source))
    run(one, late)
    # The first in the order of stamps starts the filter and has no innovation.
    assert len(seen) == len(set(seen))
    assert COUNT - 2 <= len(seen) <= COUNT - 1
    assert sum(statistics.count for statistics in one.consistency.values()) == len(seen)


def test_a_late_measurement_is_fused_with_the_commands_of_its_time():
    model = load_model("diff_drive")
    beliefs = []
    for late in (False, True):
        one = Filter(settings(model, history=1.0))
        fuse(one, measured(START, range(5), 0.0, 1e-3))
        for k in range(1, 11):
            now = START + k * 50 * MS
            one.command(now, (0.1 * k, 0.0, 0.0, 0.0, 0.0, 0.05 * k), now)
            if k == 4 and not late:
                fuse(one, measured(now, (3, 4), (0.25, 0.1), source="slow"))
            fuse(one, measured(now, 2, 0.02 * k))
        if late:
            fuse(one, measured(START + 200 * MS, (3, 4), (0.25, 0.1), source="slow"), now)
        beliefs.append(one.estimate)
    # At one stamp they come in the order of their names.
    assert_same(*beliefs, 1e-9)


# The belief at a time


def test_the_history_is_read_at_any_time(linear):
    one = Filter(settings(linear, history=1.0))
    assert one.at(START) is None
    kept = [
        (START + k * 100 * MS, fuse(one, measured(START + k * 100 * MS, 0, k))) for k in range(9)
    ]
    for stamp, belief in kept:
        assert one.at(stamp) == (stamp, belief)
    between = one.at(START + 150 * MS)
    assert between.stamp == START + 150 * MS
    np.testing.assert_allclose(between.belief.state, linear.f(kept[1][1].state, np.zeros(2), 0.05))
    ahead = one.at(START + 850 * MS)
    np.testing.assert_allclose(ahead.belief.state, linear.f(kept[8][1].state, np.zeros(2), 0.05))
    assert one.at(START - MS) is None


# Bounds


def counted_updates(monkeypatch):
    calls = []

    def counting(model, belief, measurement):
        calls.append(measurement)
        return update(model, belief, measurement)

    monkeypatch.setattr(room, "update", counting)
    return calls


def test_a_late_measurement_costs_what_came_after_it_and_no_more(linear, monkeypatch):
    calls = counted_updates(monkeypatch)
    one = Filter(settings(linear, history=0.5))
    for k in range(100):
        fuse(one, measured(START + k * 20 * MS, 0, 0.0))
    now = START + 99 * 20 * MS
    calls.clear()
    fuse(one, measured(now - 305 * MS, 1, 0.0, source="late"), now)
    assert len(calls) == 1 + 16
    calls.clear()
    for age in (205, 305, 105):
        put(one, measured(now - age * MS, 2, 0.0, source="late"), now)
    one.advance(now)
    assert len(calls) == 3 + 16 + 1
    calls.clear()
    fuse(one, measured(now + MS, 0, 0.0))
    assert len(calls) == 1


def test_what_is_older_than_the_history_is_refused(linear):
    one = Filter(settings(linear, history=0.5))
    for k in range(100):
        fuse(one, measured(START + k * 20 * MS, 0, 0.0))
    now = START + 99 * 20 * MS
    before = one.estimate
    assert put(one, measured(now - 530 * MS, 0, 9.0), now) == "stamp older than the history"
    assert one.advance(now) == before
    assert not put(one, measured(now - 490 * MS, 0, 9.0), now)
    assert one.advance(now).belief.state[0] > before.belief.state[0]


def test_memory_is_bounded_by_the_time_that_is_remembered(linear):
    one = Filter(settings(linear, history=0.3))
    for k in range(2000):
        fuse(one, measured(START + k * 10 * MS, 0, 0.0))
    assert len(one._history._entries) == len(one._history._estimates) <= 31
    assert len(one._queue) == 0


def estimate(stamp):
    return Estimate(stamp, Belief(np.zeros(1), np.eye(1)))


def entry(stamp):
    return Entry(measured(stamp, 0, 0.0))


def test_memory_is_bounded_where_time_stands_still():
    history = History(SECOND)
    for _ in range(21_000):
        history.append(entry(5), estimate(5))
    assert len(history._entries) == len(history._estimates) == 20_000


def test_a_rewound_history_goes_on_from_before():
    history = History(SECOND)
    history.restart(estimate(0))
    entries = [entry(10 * k) for k in range(1, 5)]
    for one in entries:
        history.append(one, estimate(one.measurement.stamp))
    again = history.rewind(measured(20, 0, 0.0))
    assert again == entries[1:]
    assert history.last.stamp == 10
    assert history.before(19).stamp == 10
    assert history.before(9).stamp == 0


def test_without_length_only_the_last_belief_is_kept():
    history = History(0)
    for stamp in (10, 20):
        history.append(entry(stamp), estimate(stamp))
    assert history.last.stamp == 20
    assert not history.rewind(measured(5, 0, 0.0))
    assert not history.forgets(5)
    assert history.before(15) is None


@pytest.mark.parametrize("stamp", [99, 100])
def test_a_restarted_history_forgets_what_came_before(stamp):
    history = History(SECOND)
    history.append(entry(10), estimate(10))
    history.restart(estimate(100))
    assert history.last.stamp == 100
    assert history.forgets(stamp) is (stamp < 100)
    assert history.before(50) is None
