"""Samples by stamp: in order, once each, finite, and of one clock."""

from collections import Counter

import numpy as np
import pytest

from ebm_mpc_ros.learning.recording import DataError, track

MS = 1_000_000


def test_late_samples_go_to_their_place_and_repeated_ones_are_left_out():
    found = track("t", [10 * MS, 30 * MS, 20 * MS, 30 * MS], [[1], [3], [2], [4]])
    np.testing.assert_array_equal(found.stamps, [10 * MS, 20 * MS, 30 * MS])
    np.testing.assert_array_equal(found.values, [[1], [2], [3]])


def test_a_sample_that_is_not_finite_is_told_with_its_time():
    rows = [[0.0], [np.nan], [1.0], [np.inf]]
    with pytest.raises(DataError, match=r"t: 2 of 4 samples not finite, the first one 0\.50 s"):
        track("t", [0, 500 * MS, 600 * MS, 700 * MS], rows)


def test_samples_that_are_not_finite_are_dropped_if_asked_for():
    dropped = Counter()
    found = track("t", [0, 1, 2], [[0.0], [np.nan], [1.0]], dropped=dropped)
    np.testing.assert_array_equal(found.stamps, [0, 2])
    track("u", [0], [[1.0]], dropped=dropped)
    assert dropped == {"t": 1}
    with pytest.raises(DataError, match="no finite sample"):
        track("t", [0], [[np.nan]], dropped=dropped)


def test_a_clock_that_jumped_back_is_told():
    with pytest.raises(DataError, match=r"stamps jump back by 3\.0 s: split the bag there"):
        track("t", [0, 4000 * MS, 1000 * MS], [[0], [1], [2]])


def test_no_samples_are_told():
    with pytest.raises(DataError, match="t: no messages"):
        track("t", [], [])
