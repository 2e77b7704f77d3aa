"""Langevin sampling against what is known of it in closed form."""

import math

import pytest
import torch
from scipy.stats import ks_2samp, norm, truncnorm

from ebm_mpc_ros.energy.annealed import Level, anneal
from ebm_mpc_ros.energy.bounds import Bounds
from ebm_mpc_ros.energy.langevin import mala, ula, unadjusted_walk
from ebm_mpc_ros.energy.mixture import GaussianMixture
from ebm_mpc_ros.energy.quadratic import Quadratic


def normal(precision, size=1):
    return Quadratic(torch.zeros(size), precision * torch.eye(size))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def interval(lower, upper):
    return Bounds(torch.tensor([lower]), torch.tensor([upper]))


class Lean:
    """A standard normal that must not be asked for its value at every step."""

    values = 0

    def score(self, x):
        return -x

    def energy_and_score(self, x):
        self.values += 1
        return 0.5 * (x * x).sum(-1), -x


class Interval:
    """A standard normal between two hard bounds."""

    def __init__(self, lower, upper):
        self.lower, self.upper = lower, upper

    def energy_and_score(self, x):
        inside = ((x >= self.lower) & (x <= self.upper)).all(-1)
        return torch.where(inside, 0.5 * (x * x).sum(-1), torch.inf), -x


@pytest.mark.parametrize(("precision", "step_size"), [(2.0, 0.5), (2.0, 1.5), (0.5, 0.4)])
def test_ula_has_the_variance_of_its_recursion(precision, step_size):
    chains = ula(
        normal(precision),
        torch.zeros(100_000, 1),
        step_size=step_size,
        steps=60,
        generator=generator(),
    )
    expected = 1 / (precision * (1 - step_size * precision / 4))
    assert float(chains.x.var()) == pytest.approx(expected, rel=0.02)


def test_ula_forgets_by_half_its_drift_a_step():
    precision, step_size = 2.0, 0.5
    deviation = (precision * (1 - step_size * precision / 4)) ** -0.5
    before = deviation * torch.randn(100_000, 1, generator=generator(1))
    after = ula(normal(precision), before, step_size=step_size, steps=1, generator=generator()).x
    correlation = float(torch.corrcoef(torch.cat([before, after], 1).T)[0, 1])
    assert correlation == pytest.approx(1 - step_size * precision / 2, abs=0.015)


@pytest.mark.parametrize(("product", "stable"), [(3.8, True), (4.2, False)])
def test_ula_is_stable_below_a_product_of_four_only(product, stable):
    chains = ula(
        normal(2.0), torch.ones(100, 1), step_size=product / 2, steps=400, generator=generator()
    )
    assert bool(chains.x.abs().max() < 100) is stable


@pytest.mark.parametrize("step_size", [0.3, 1.0, 2.0])
def test_mala_has_the_exact_variance_at_any_step_size(step_size):
    chains = mala(
        normal(1.0, 2), torch.zeros(50_000, 2), step_size=step_size, steps=60, generator=generator()
    )
    assert float(chains.x.var()) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("scale", [1.0, 2.0, 2.72])
def test_mala_accepts_as_its_diffusion_limit_says(scale):
    size = 500
    step_size = scale * size ** (-1 / 3)
    x = torch.randn(1000, size, generator=generator(1))
    chains = mala(normal(1.0, size), x, step_size=step_size, steps=15, generator=generator())
    expected = 2 * norm.cdf(-math.sqrt(size * step_size**3) / 8)
    assert chains.acceptance == pytest.approx(expected, abs=0.012)


def two_sample_values(sampler, step_size, steps):
    """Return the least p-value of two-sample tests of a sampler's chains and exact draws."""
    weights = torch.tensor([0.3, 0.7])
    means = torch.tensor([[-1.2, 0.0], [0.8, 0.5]])
    covariances = torch.stack([torch.diag(torch.tensor([0.4, 1.0])), 0.5 * torch.eye(2)])
    energy = GaussianMixture(weights, means, covariances)
    x = 3 * torch.randn(20_000, 2, generator=generator(1))
    chains = sampler(energy, x, step_size=step_size, steps=steps, generator=generator())
    which = torch.multinomial(weights, 20_000, replacement=True, generator=generator(2))
    noise = torch.randn(20_000, 2, generator=generator(3))
    exact = means[which] + noise * covariances[which].diagonal(dim1=1, dim2=2).sqrt()
    views = [
        (chains.x @ direction, exact @ direction)
        for direction in torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]])
    ]
    views.append((chains.energy, energy.energy_and_score(exact)[0]))
    return min(ks_2samp(*view).pvalue for view in views)


def test_mala_samples_an_overlapping_mixture_as_exact_draws_do():
    assert two_sample_values(mala, 0.8, 150) > 0.01


def test_the_two_sample_test_tells_the_unadjusted_algorithm_at_that_step_size():
    assert two_sample_values(ula, 0.8, 150) < 1e-6


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 10.0), (-0.5, 1.0)])
def test_infinite_energy_is_an_exact_hard_bound(lower, upper):
    x = torch.full((50_000, 1), 0.5)
    chains = mala(Interval(lower, upper), x, step_size=0.4, steps=100, generator=generator())
    mean, variance = truncnorm.stats(lower, upper)
    assert lower <= float(chains.x.min())
    assert float(chains.x.max()) <= upper
    assert float(chains.x.mean()) == pytest.approx(float(mean), abs=0.012)
    assert float(chains.x.var()) == pytest.approx(float(variance), rel=0.03)


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 10.0), (-0.5, 1.0)])
def test_rejection_beyond_bounds_is_exact(lower, upper):
    x = torch.full((50_000, 1), 0.5)
    chains = mala(
        normal(1.0),
        x,
        step_size=0.4,
        steps=100,
        bounds=interval(lower, upper),
        generator=generator(),
    )
    mean, variance = truncnorm.stats(lower, upper)
    assert lower <= float(chains.x.min())
    assert float(chains.x.max()) <= upper
    assert float(chains.x.mean()) == pytest.approx(float(mean), abs=0.012)
    assert float(chains.x.var()) == pytest.approx(float(variance), rel=0.03)


def test_reflection_keeps_the_unadjusted_chains_inside_and_near_the_truth():
    x = torch.full((50_000, 1), 0.5)
    box = interval(-0.5, 1.0)
    chains = ula(normal(1.0), x, step_size=0.02, steps=150, bounds=box, generator=generator())
    mean, variance = truncnorm.stats(-0.5, 1.0)
    assert bool(box.inside(chains.x).all())
    assert float(chains.x.mean()) == pytest.approx(float(mean), abs=0.02)
    assert float(chains.x.var()) == pytest.approx(float(variance), rel=0.03)


def test_at_no_temperature_the_chains_descend_by_half_their_step():
    x = torch.ones(3, 2)
    chains = ula(normal(2.0, 2), x, step_size=0.5, steps=4, temperature=0.0, generator=generator())
    torch.testing.assert_close(chains.x, x * (1 - 0.5 * 2.0 / 2) ** 4)


def test_the_variance_is_that_of_the_temperature():
    chains = ula(
        normal(1.0),
        torch.zeros(50_000, 1),
        step_size=0.1,
        steps=100,
        temperature=0.25,
        generator=generator(),
    )
    assert float(chains.x.var()) == pytest.approx(0.25 / (1 - 0.1 / 4), rel=0.03)


def test_the_score_alone_leads_where_value_and_score_do():
    lean, x = Lean(), torch.ones(20, 3)
    chains = ula(lean, x, step_size=0.5, steps=30, generator=generator())
    full = ula(normal(1.0, 3), x, step_size=0.5, steps=30, generator=generator())
    assert lean.values == 1
    torch.testing.assert_close(chains.x, full.x)
    torch.testing.assert_close(chains.energy, full.energy)
    torch.testing.assert_close(chains.score, full.score)


@pytest.mark.parametrize("sampler", [ula, mala])
def test_a_trace_holds_the_energies_after_the_counted_steps(sampler):
    energy, x = normal(1.0, 3), torch.ones(20, 3)
    chains = sampler(energy, x, step_size=0.5, steps=30, trace=True, generator=generator())
    assert chains.trace.shape == (30, 20)
    assert torch.equal(chains.trace[-1], chains.energy)
    shorter = sampler(energy, x, step_size=0.5, steps=7, generator=generator())
    assert torch.equal(chains.trace[6], shorter.energy)
    assert shorter.trace.shape == (0, 20)
    assert math.isnan(shorter.effective_sample_size)
    assert 10 < chains.effective_sample_size < 600


def test_minus_infinite_and_undefined_energies_are_never_entered():
    class Holes:
        def energy_and_score(self, x):
            value = 0.5 * (x * x).sum(-1)
            value = torch.where(x[:, 0] > 1, -torch.inf, value)
            return torch.where(x[:, 0] < -1, torch.nan, value), -x

    chains = mala(Holes(), torch.zeros(1000, 1), step_size=1.0, steps=30, generator=generator())
    assert float(chains.x.abs().max()) <= 1
    assert bool(chains.energy.isfinite().all())


@pytest.mark.parametrize("step_size", [0.001, 100.0])
def test_adaptation_leads_the_acceptance_to_its_optimum(step_size):
    x = torch.randn(500, 20, generator=generator(1))
    chains = mala(
        normal(1.0, 20), x, step_size=step_size, adapt=100, steps=50, generator=generator()
    )
    assert chains.acceptance == pytest.approx(0.574, abs=0.04)


def test_the_step_size_stays_where_nothing_adapts():
    chains = mala(normal(1.0), torch.zeros(10, 1), step_size=0.7, steps=20, generator=generator())
    assert chains.step_size == 0.7


def test_the_returned_energy_and_score_are_those_of_the_points():
    energy = normal(3.0, 4)
    chains = mala(energy, torch.ones(50, 4), step_size=0.5, steps=20, generator=generator())
    value, score = energy.energy_and_score(chains.x)
    torch.testing.assert_close(chains.energy, value)
    torch.testing.assert_close(chains.score, score)


@pytest.mark.parametrize("sampler", [ula, mala])
def test_a_seeded_run_repeats_bit_for_bit(sampler):
    runs = [
        sampler(
            normal(1.0, 3), torch.zeros(20, 3), step_size=0.5, steps=30, generator=generator(5)
        ).x
        for _ in range(2)
    ]
    assert torch.equal(*runs)
    assert bool((runs[0] != 0).all())


@pytest.mark.parametrize("sampler", [ula, mala])
def test_a_deadline_returns_the_chains_as_they_stand(sampler):
    calls = iter([False, False, False, True])
    energy, x = normal(1.0, 3), torch.ones(20, 3)
    stopped = sampler(
        energy, x, step_size=0.5, steps=30, generator=generator(), stop=lambda: next(calls)
    )
    short = sampler(energy, x, step_size=0.5, steps=3, generator=generator())
    assert stopped.steps == 3
    assert torch.equal(stopped.x, short.x)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"step_size": 0.0, "steps": 1}, "step_size"),
        ({"step_size": math.nan, "steps": 1}, "step_size"),
        ({"step_size": 1.0, "steps": -1}, "steps"),
        ({"step_size": 1.0, "steps": 1, "adapt": -1}, "adapt"),
    ],
)
def test_bad_settings_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        mala(normal(1.0), torch.zeros(1, 1), generator=generator(), **arguments)


@pytest.mark.parametrize("temperature", [-0.1, math.nan, math.inf])
def test_a_bad_temperature_is_named(temperature):
    with pytest.raises(ValueError, match="temperature"):
        ula(
            normal(1.0),
            torch.zeros(1, 1),
            step_size=1.0,
            steps=1,
            temperature=temperature,
            generator=generator(),
        )


def test_a_walk_leads_where_the_sampler_does_and_takes_no_energy():
    lean, x = Lean(), torch.ones(20, 3)
    walked, done = unadjusted_walk(lean, x, step_size=0.5, steps=30, generator=generator())
    chains = ula(normal(1.0, 3), x, step_size=0.5, steps=30, generator=generator())
    assert (lean.values, done) == (0, 30)
    torch.testing.assert_close(walked, chains.x)
    levels = [Level(lean, 0.5)] * 4
    annealed = anneal(levels, x, steps=3, generator=generator())
    chains = ula(normal(1.0, 3), x, step_size=0.5, steps=12, generator=generator())
    assert (lean.values, annealed.steps) == (1, 12)
    torch.testing.assert_close(annealed.x, chains.x)
    torch.testing.assert_close(annealed.energy, chains.energy)
