"""Which time a message is of."""

import numpy as np

from ebm_mpc_ros.tools.report_clock import Clock

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def seconds(*values):
    return np.array([round(value * SECOND) for value in values], np.int64)


def clock(stamps, arrivals):
    return Clock(seconds(*stamps), START + seconds(*arrivals))


def test_a_clock_that_is_slower_than_that_of_arrivals():
    stamps = np.arange(0.1, 60.0, 0.05)
    slow = clock(stamps, 2.0 * stamps)
    asked = seconds(0.0, 7.0, 61.0, 130.0)
    np.testing.assert_allclose(slow.at(START + asked), 0.5 * asked, atol=1e3)


def test_a_clock_that_stood_still_for_a_while():
    stamps = np.arange(0.0, 20.0, 0.05)
    paused = clock(stamps, np.where(stamps < 10.0, stamps, stamps + 30.0))
    (before, after) = paused.at(START + seconds(5.0, 45.0)) / SECOND
    np.testing.assert_allclose([before, after], [5.0, 15.0], atol=1e-3)


def test_stamps_that_are_lost_do_not_move_the_clock_and_count_as_arrivals():
    arrivals = np.arange(0.0, 20.0, 0.05)
    stamps = arrivals.copy()
    stamps[[100, 250, 251]] = [-3540.0, 1e9, 50.0]
    resolved, lost = clock(stamps, arrivals).resolved(seconds(*stamps), START + seconds(*arrivals))
    assert lost == 3
    np.testing.assert_array_equal(resolved, seconds(*arrivals))


def test_a_message_without_a_stamp_counts_as_its_arrival():
    arrivals = np.arange(0.0, 5.0, 0.05)
    resolved, lost = clock(arrivals - 3.0, arrivals).resolved(
        np.zeros(1, np.int64), START + seconds(2.0)
    )
    assert lost == 0
    np.testing.assert_array_equal(resolved, seconds(-1.0))


def test_without_stamps_the_clock_is_that_of_arrivals():
    arrivals = START + seconds(1.0, 2.0)
    np.testing.assert_array_equal(clock([], []).at(arrivals), arrivals)


def test_of_a_clock_that_is_set_back_the_longest_stretch_counts():
    arrivals = np.arange(0.0, 20.0, 0.05)
    stamps = np.select([arrivals < 4.0, arrivals < 14.0], [arrivals, arrivals - 3.0], 0.0)
    stamps[arrivals >= 14.0] = arrivals[arrivals >= 14.0] - 9.0
    stamps[[30, 77, 82, 200]] = [3000.0, 1.0, 3000.0, 0.0]
    back = clock(stamps, arrivals)
    assert back.set_back == 2
    covered = back.covers(START + seconds(*arrivals))
    np.testing.assert_array_equal(covered, (arrivals >= 4.0) & (arrivals < 14.0))
    np.testing.assert_allclose(back.at(START + seconds(4.0, 13.95)), seconds(1.0, 10.95), atol=1e3)
    # That of another topic, still of the clock before.
    resolved, lost = back.resolved(seconds(4.0), START + seconds(4.02))
    assert lost == 1
    np.testing.assert_allclose(resolved, seconds(1.02), atol=1e3)


def test_jitter_and_publishers_that_take_turns_set_no_clock_back():
    arrivals = np.arange(0.0, 20.0, 0.05)
    late = np.where(np.arange(len(arrivals)) % 2, 2.0, 0.0)
    jitter = np.random.default_rng(0).uniform(0.0, 0.4, len(arrivals))
    for stamps in (arrivals - late, arrivals - jitter):
        steady = clock(stamps, arrivals)
        assert not steady.set_back
        assert steady.covers(START + seconds(-5.0, 3.0, 50.0)).all()
