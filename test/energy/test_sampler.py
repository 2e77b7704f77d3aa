"""Annealing, and a sampler's call: warm and fresh chains, bounds, deadlines, reports."""

import math

import pytest
import torch

from ebm_mpc_ros.energy.annealed import Level, anneal, geometric, placed_levels
from ebm_mpc_ros.energy.bounds import Bounds
from ebm_mpc_ros.energy.langevin import mala, ula
from ebm_mpc_ros.energy.mixture import GaussianMixture
from ebm_mpc_ros.energy.quadratic import Quadratic
from ebm_mpc_ros.energy.sampler import Ended, SamplerSettings, sample

BOX = Bounds(torch.tensor([-4.0, -4.0]), torch.tensor([4.0, 4.0]))
MEANS = torch.tensor([[-2.0, 0.0], [2.0, 1.0]])
WEIGHTS = torch.tensor([0.25, 0.75])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(precision=1.0):
    return Quadratic(torch.zeros(2), precision * torch.eye(2))


def smoothed(sigma):
    """Return two sharp modes under noise: what denoising score matching learns of them."""
    return GaussianMixture(WEIGHTS, MEANS, ((0.05**2 + sigma**2) * torch.eye(2)).expand(2, 2, 2))


def levels(count=12):
    return [Level(smoothed(s), 0.5 * s * s) for s in geometric(4.0, 0.05, count)]


class Undefined:
    def energy_and_score(self, x):
        return torch.full((len(x),), math.nan), torch.zeros_like(x)


def test_noise_levels_are_a_geometric_sequence():
    assert geometric(8.0, 1.0, 4) == pytest.approx((8.0, 4.0, 2.0, 1.0))
    for arguments in ((1.0, 2.0, 3), (1.0, 0.0, 3), (math.nan, 1.0, 3)):
        with pytest.raises(ValueError, match="smallest"):
            geometric(*arguments)
    with pytest.raises(ValueError, match="count"):
        geometric(2.0, 1.0, 1)


def test_a_level_is_an_energy_with_a_step_by_its_noise():
    energies = [smoothed(2.0), smoothed(0.5)]
    placed = placed_levels(energies, (2.0, 0.5), 0.1)
    assert [level.energy for level in placed] == energies
    assert [level.step_size for level in placed] == pytest.approx([0.4, 0.025])


@pytest.mark.parametrize("corrected", [False, True])
def test_annealing_finds_modes_that_are_sharp_and_apart_by_their_weights(corrected):
    x = BOX.uniform(4000, generator(1))
    chains = anneal(levels(), x, steps=20, corrected=corrected, generator=generator())
    right = chains.x[:, 0] > 0
    distance = (chains.x - MEANS[right.long()]).norm(dim=-1)
    assert float(distance.max()) < 0.6
    assert float(right.float().mean()) == pytest.approx(0.75, abs=0.08)
    assert chains.steps == 240


def test_without_annealing_the_weights_are_lost():
    x = BOX.uniform(4000, generator(1))
    chains = ula(smoothed(0.05), x, step_size=0.5 * 0.05**2, steps=240, generator=generator())
    assert float((chains.x[:, 0] > 0).float().mean()) < 0.6


def test_an_annealed_run_that_is_stopped_is_judged_by_the_last_level():
    calls = iter([False] * 25 + [True] * 9)
    chains = anneal(
        levels(),
        BOX.uniform(50, generator(1)),
        steps=20,
        generator=generator(),
        stop=lambda: next(calls),
    )
    assert 20 <= chains.steps < 40
    assert torch.equal(chains.energy, smoothed(0.05).energy_and_score(chains.x)[0])


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="levels"):
        anneal([], torch.zeros(1, 2), steps=1, generator=generator())


def test_one_level_without_warm_chains_is_langevin_from_uniform_draws():
    for method, run in (("ula", ula), ("mala", mala)):
        settings = SamplerSettings(chains=30, steps=25, method=method)
        samples = sample([Level(normal(), 0.5)], BOX, settings, generator())
        noise = generator()
        chains = run(
            normal(),
            BOX.uniform(30, noise),
            step_size=0.5,
            steps=25,
            bounds=BOX,
            trace=True,
            generator=noise,
        )
        assert torch.equal(samples.x, chains.x)
        assert samples.acceptance == chains.acceptance
        assert samples.effective_sample_size == chains.effective_sample_size > 30
        assert samples.best_energy == float(chains.energy.min())
        assert torch.equal(samples.best, chains.x[chains.energy.argmin()])
        assert (samples.steps, samples.ended) == (25, Ended.COMPLETE)


@pytest.mark.parametrize("method", ["ula", "mala", "mala_tanh"])
def test_every_method_keeps_the_bounds_and_reports_the_energies_of_its_points(method):
    box = Bounds(torch.tensor([0.2, -1.0]), torch.tensor([1.0, 0.5]))
    settings = SamplerSettings(chains=500, steps=20, method=method)
    samples = sample([Level(normal(), 0.3)], box, settings, generator())
    assert bool(box.inside(samples.x).all())
    torch.testing.assert_close(samples.energy, normal().energy_and_score(samples.x)[0])
    assert 0 < samples.acceptance <= 1


def test_mala_adapts_before_the_steps_that_count():
    settings = SamplerSettings(chains=200, steps=50, adapt_steps=60, method="mala_tanh")
    samples = sample([Level(normal(), 1e-3)], BOX, settings, generator())
    assert samples.acceptance == pytest.approx(0.574, abs=0.05)
    assert samples.step_size > 0.1


def test_fresh_chains_take_the_oldest_places_and_the_others_go_on():
    settings = SamplerSettings(chains=10, steps=0, fresh_share=0.2)
    warm = torch.stack([torch.arange(10.0), torch.zeros(10)], dim=1) / 4
    samples = sample([Level(normal(), 0.1)], BOX, settings, generator(), warm=warm)
    assert torch.equal(samples.x[2:], warm[:8])
    assert torch.equal(samples.x[:2], BOX.uniform(2, generator()))
    none = SamplerSettings(chains=10, steps=0, fresh_share=0.0)
    kept = sample([Level(normal(), 0.1)], BOX, none, generator(), warm=warm)
    assert torch.equal(kept.x, warm)


def test_warm_chains_run_the_last_levels_only_and_keep_their_mode():
    settings = SamplerSettings(chains=100, steps=20, fresh_share=0.5, warm_levels=2)
    warm = MEANS[:1].repeat(100, 1)
    samples = sample(levels(), BOX, settings, generator(), warm=warm)
    assert samples.steps == 40
    assert bool((samples.x[50:, 0] < 0).all())
    assert 0.5 < float((samples.x[:50, 0] > 0).float().mean()) < 0.95


def test_warm_chains_out_of_bounds_are_clipped_and_lost_ones_drawn_anew():
    settings = SamplerSettings(chains=3, steps=0, fresh_share=0.0)
    warm = torch.tensor([[9.0, 0.0], [math.nan, 0.0], [1.0, 1.0]])
    samples = sample([Level(normal(), 0.1)], BOX, settings, generator(), warm=warm)
    assert samples.x[0].tolist() == [4.0, 0.0]
    assert bool(BOX.inside(samples.x).all())
    assert samples.x[2].tolist() == [1.0, 1.0]


def test_a_deadline_that_has_passed_returns_the_best_so_far():
    settings = SamplerSettings(chains=50, steps=1000, time_limit=0.0)
    warm = BOX.uniform(50, generator(1))
    samples = sample(levels(), BOX, settings, generator(), warm=warm)
    energy = smoothed(0.05).energy_and_score(samples.x)[0]
    assert samples.ended is Ended.DEADLINE
    assert samples.steps <= 1
    assert samples.best_energy == float(energy.min())


def test_another_energy_may_judge():
    judge = Quadratic(torch.tensor([3.0, 3.0]), torch.eye(2))
    settings = SamplerSettings(chains=100, steps=5)
    samples = sample([Level(normal(), 0.1)], BOX, settings, generator(), judge=judge)
    assert torch.equal(samples.energy, judge.energy_and_score(samples.x)[0])
    assert torch.equal(samples.best, samples.x[(samples.x - 3).norm(dim=-1).argmin()])


def test_chains_without_a_finite_energy_have_diverged():
    settings = SamplerSettings(chains=5, steps=2)
    samples = sample([Level(Undefined(), 0.1)], BOX, settings, generator())
    assert samples.ended is Ended.DIVERGED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chains", 0),
        ("steps", -1),
        ("adapt_steps", -1),
        ("warm_levels", 0),
        ("method", "hmc"),
        ("temperature", -1.0),
        ("temperature", math.nan),
        ("fresh_share", 1.1),
        ("time_limit", -1.0),
        ("time_limit", math.nan),
    ],
)
def test_bad_settings_are_named(field, value):
    with pytest.raises(ValueError, match=field):
        SamplerSettings(**{field: value})


def test_mala_has_one_temperature_and_warm_chains_their_shape():
    with pytest.raises(ValueError, match="temperature"):
        SamplerSettings(method="mala", temperature=0.5)
    with pytest.raises(ValueError, match=r"warm is \(3, 2\)"):
        sample([Level(normal(), 0.1)], BOX, SamplerSettings(), generator(), warm=torch.zeros(3, 2))
