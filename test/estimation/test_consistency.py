"""Normalised innovations against their χ² law."""

import math

import numpy as np
import pytest
from scipy.stats import chi2

from ebm_mpc_ros.estimation.consistency import Consistency


def test_the_ratio_is_the_mean_per_degree_of_freedom():
    statistics = Consistency()
    statistics.add(2.0, 1)
    statistics.add(4.0, 3)
    assert (statistics.count, statistics.degrees, statistics.ratio) == (2, 4, 1.5)


def test_the_bounds_are_those_of_chi_squared():
    statistics = Consistency()
    for degrees in (1, 3, 2000):
        statistics.add(1.0, degrees)
        expected = np.array(chi2.interval(0.95, statistics.degrees)) / statistics.degrees
        np.testing.assert_allclose(statistics.bounds(), expected, rtol=1e-10)


def test_the_bounds_hold_as_often_as_they_say():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        statistics = Consistency()
        statistics.add(float(rng.chisquare(30)), 30)
        low, high = statistics.bounds(0.8)
        inside += low < statistics.ratio < high
    assert 0.72 < inside / 400 < 0.88


@pytest.mark.parametrize("nis", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_left_out(nis):
    statistics = Consistency()
    statistics.add(nis, 2)
    assert statistics.count == statistics.degrees == 0


def test_before_data_nothing_is_claimed():
    assert math.isnan(Consistency().ratio)
    assert Consistency().bounds() == (0.0, math.inf)
