"""Weights: what is not a number weighs nothing, and choosing by them keeps their proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ebm_mpc_ros.estimation.weights import effective_sample_size, normalized, systematic

LOGS = arrays(float, st.integers(1, 40), elements=st.floats(-800.0, 800.0))


@given(logs=LOGS, seed=st.integers(0, 2**32 - 1))
def test_each_is_chosen_as_often_as_its_weight_says_to_the_next_whole_number(logs, seed):
    weights, _ = normalized(logs)
    which = systematic(weights, np.random.default_rng(seed))
    assert len(which) == len(weights)
    copies = np.bincount(which, minlength=len(weights))
    assert (np.abs(copies - len(weights) * weights) < 1.0 + 1e-9).all()
    assert (copies[weights == 0.0] == 0).all()


@given(logs=LOGS, shift=st.floats(-1e3, 1e3))
def test_weights_do_not_mind_a_constant_and_the_sum_tells_it(logs, shift):
    weights, total = normalized(logs)
    shifted, moved = normalized(logs + shift)
    np.testing.assert_allclose(weights.sum(), 1.0)
    np.testing.assert_allclose(shifted, weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(moved, total + shift, atol=1e-9)
    assert 1.0 - 1e-9 <= effective_sample_size(weights) <= len(weights) + 1e-9


def test_what_is_not_a_finite_weight_counts_for_nothing():
    weights, total = normalized(np.array([0.0, np.nan, np.inf, -np.inf, np.log(3.0)]))
    np.testing.assert_allclose(weights, [0.25, 0.0, 0.0, 0.0, 0.75])
    assert total == pytest.approx(np.log(4.0))


def test_of_nothing_the_sum_is_zero():
    weights, total = normalized(np.array([np.nan, -np.inf]))
    np.testing.assert_array_equal(weights, 0.0)
    assert total == -np.inf


def test_choosing_is_unbiased():
    weights, rng = np.array([0.5, 0.3, 0.15, 0.05]), np.random.default_rng(0)
    counts = np.zeros(4)
    for _ in range(4000):
        counts += np.bincount(systematic(weights, rng), minlength=4)
    np.testing.assert_allclose(counts / 16_000, weights, atol=0.01)
