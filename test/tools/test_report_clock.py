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
