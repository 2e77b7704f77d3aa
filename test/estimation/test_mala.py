"""Langevin steps leave a density as it is, whatever the step size and the slope."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.estimation.mala import mala

CHAINS = 20_000


def normal(x):
    return 0.5 * (x * x).sum(-1), x


def quartic(x):
    """Two wells at ±1 a coordinate, of unequal depth."""
    return ((x * x - 1.0) ** 2 + 0.5 * x).sum(-1), 4.0 * x * (x * x - 1.0) + 0.5


def quartic_moments():
    x = np.linspace(-5.0, 5.0, 20_001)
    density = np.exp(-quartic(x[:, None])[0])
    density /= density.sum()
    mean = density @ x
    return mean, density @ (x - mean) ** 2


def within(samples, mean, variance, sigmas=5.0):
    """Assert a sample's mean and variance, chains being independent."""
    n = len(samples)
    assert abs(samples.mean() - mean) < sigmas * math.sqrt(variance / n)
    fourth = np.mean((samples - mean) ** 4)
    error = math.sqrt((fourth - variance**2) / n)
    assert abs(np.mean((samples - mean) ** 2) - variance) < sigmas * error


@pytest.mark.parametrize("step_size", [0.3, 1.5])
def test_a_normal_density_stays_exactly_where_unadjusted_steps_would_widen_it(step_size):
    rng = np.random.default_rng(1)
    walk = mala(normal, rng.standard_normal((CHAINS, 2)), step_size=step_size, steps=20, rng=rng)
    for samples in walk.x.T:
        within(samples, 0.0, 1.0)
        assert samples.var() < 1.0 / (1.0 - step_size / 4.0) - 0.03


def test_acceptance_in_many_dimensions_is_the_asymptotic_one():
    rng, d = np.random.default_rng(2), 200
    step_size = 2.72 * d ** (-1.0 / 3.0)
    walk = mala(normal, rng.standard_normal((2000, d)), step_size=step_size, steps=5, rng=rng)
    expected = math.erfc(math.sqrt(d * step_size**3) / 8.0 / math.sqrt(2.0))
    assert walk.acceptance == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.0])
def test_a_density_of_two_wells_is_reached_by_any_slope(scale):
    rng = np.random.default_rng(3)

    def bent(x):
        value, slope = quartic(x)
        return value, scale * slope

    start = rng.uniform(-2.0, 2.0, (CHAINS, 1))
    walk = mala(bent, start, step_size=0.4, steps=120, rng=rng)
    within(walk.x[:, 0], *quartic_moments())


@pytest.mark.parametrize("beyond", [np.nan, np.inf, -np.inf])
def test_where_the_energy_is_not_finite_no_chain_goes(beyond):
    rng = np.random.default_rng(4)

    def half(x):
        value, slope = normal(x)
        return np.where(x[:, 0] < 0.0, beyond, value), slope

    walk = mala(half, np.abs(rng.standard_normal((CHAINS, 1))), step_size=1.0, steps=10, rng=rng)
    assert walk.x.min() >= 0.0
    within(walk.x[:, 0], math.sqrt(2.0 / math.pi), 1.0 - 2.0 / math.pi)


def test_no_steps_leave_the_chains_where_they_are():
    x = np.ones((3, 2))
    walk = mala(normal, x, step_size=1.0, steps=0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(walk.x, x)
    assert math.isnan(walk.acceptance)
