"""Effective sample sizes of chains whose autocorrelation is known."""

import math

import pytest
import torch

from ebm_mpc_ros.energy.effective import effective_sample_size


def autoregressive(correlation, steps=2000, chains=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(steps, chains, generator=generator)
    trace = noise.clone()
    for k in range(1, steps):
        trace[k] = correlation * trace[k - 1] + math.sqrt(1 - correlation**2) * noise[k]
    return trace


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_correlated_draws_count_by_their_autocorrelation_time(correlation):
    expected = 40_000 * (1 - correlation) / (1 + correlation)
    assert effective_sample_size(autoregressive(correlation)) == pytest.approx(expected, rel=0.1)


def test_draws_of_opposite_sign_count_for_more_than_their_number():
    assert effective_sample_size(autoregressive(-0.5)) > 80_000


def test_chains_that_stand_apart_count_as_little_more_than_one_each():
    apart = autoregressive(0.0) + 100 * torch.arange(20)
    assert effective_sample_size(apart) < 40


def test_what_the_values_are_measured_in_does_not_matter():
    trace = autoregressive(0.5, steps=200)
    assert effective_sample_size(1e6 + 100 * trace) == pytest.approx(
        effective_sample_size(trace), rel=0.02
    )


@pytest.mark.parametrize(
    "trace",
    [torch.zeros(3, 5), torch.ones(50, 5), torch.full((50, 5), torch.nan), torch.ones(9, 0)],
)
def test_what_cannot_be_told_is_nan(trace):
    assert math.isnan(effective_sample_size(trace))
