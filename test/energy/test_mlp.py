"""The network as an energy: its score and Laplacian written out, its condition folded."""

import math
from copy import deepcopy

import pytest
import torch

from ebm_mpc_ros.energy.base import HasLaplacian, HasScore
from ebm_mpc_ros.energy.mlp import EnergyMLP
from ebm_mpc_ros.energy.score_matching import implicit

SIGMA = 0.3


def network(noise_conditional=False, seed=0):
    torch.manual_seed(seed)
    built = EnergyMLP(5, 3, 17, noise_conditional=noise_conditional, confinement=0.7).double()
    for weight in built.parameters():
        weight.data.mul_(3.0)
    return built


def batch(noise_conditional=False, count=9):
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(count, 5, dtype=torch.float64, generator=generator)
    c = torch.randn(count, 3, dtype=torch.float64, generator=generator)
    sigma = torch.rand(count, dtype=torch.float64, generator=generator) + 0.1
    return y, c, sigma if noise_conditional else None


def exact_trace(energy, y, c, sigma):
    """Return the traces (B,) of the Hessians that torch.func takes of a batch."""

    def alone(point, condition, level):
        return energy(point[None], condition[None], None if level is None else level[None])[0]

    levels = None if sigma is None else 0
    hessian = torch.func.vmap(torch.func.hessian(alone), in_dims=(0, 0, levels))(y, c, sigma)
    return hessian.diagonal(dim1=1, dim2=2).sum(-1)


@pytest.mark.parametrize("noise_conditional", [False, True])
def test_the_score_written_out_is_autograds(noise_conditional):
    energy, (y, c, sigma) = network(noise_conditional), batch(noise_conditional)
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(energy.energy(y, c, sigma).sum(), y)
    torch.testing.assert_close(energy.score(y, c, sigma), -gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize("noise_conditional", [False, True])
def test_the_forward_laplacian_is_the_hessians_trace(noise_conditional):
    energy, (y, c, sigma) = network(noise_conditional), batch(noise_conditional)
    score, laplacian = energy.score_and_laplacian(y, c, sigma)
    torch.testing.assert_close(score, energy.score(y, c, sigma), rtol=0, atol=1e-10)
    torch.testing.assert_close(
        laplacian, exact_trace(energy.energy, y, c, sigma), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("noise_conditional", [False, True])
def test_the_parameters_gradient_through_the_forward_laplacian_is_torch_funcs(noise_conditional):
    energy, (y, c, sigma) = network(noise_conditional), batch(noise_conditional)
    parameters = list(energy.parameters())
    ours = implicit(lambda y, c: energy.score_and_laplacian(y, c, sigma), y, c).mean()
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(energy.energy(y, c, sigma).sum(), y, create_graph=True)
    trace = exact_trace(energy.energy, y, c, sigma)
    theirs = (0.5 * gradient.square().sum(-1) - trace).mean()
    expected = torch.autograd.grad(theirs, parameters, allow_unused=True)
    for mine, their in zip(
        torch.autograd.grad(ours, parameters, allow_unused=True), expected, strict=True
    ):
        torch.testing.assert_close(mine, their, rtol=1e-6, atol=1e-6 * float(their.abs().max()))


@pytest.mark.parametrize("noise_conditional", [False, True])
@pytest.mark.parametrize("each", [False, True])
def test_folding_the_condition_changes_nothing(noise_conditional, each):
    energy, (y, c, _) = network(noise_conditional), batch()
    sigma = SIGMA if noise_conditional else None
    folded = energy.at(c if each else c[0], sigma)
    given = c if each else c[:1].expand(len(y), -1)
    levels = torch.full((len(y),), SIGMA, dtype=torch.float64) if noise_conditional else None
    value, score = folded.energy_and_score(y)
    torch.testing.assert_close(value, energy.energy(y, given, levels), rtol=0, atol=1e-10)
    torch.testing.assert_close(score, energy.score(y, given, levels), rtol=0, atol=1e-10)
    torch.testing.assert_close(folded.score(y), score, rtol=0, atol=0)
    torch.testing.assert_close(
        folded.laplacian(y), energy.score_and_laplacian(y, given, levels)[1], rtol=0, atol=1e-10
    )
    assert not value.requires_grad
    assert not score.requires_grad


def test_a_folded_energy_takes_another_number_of_points_and_keeps_what_it_returned():
    energy, (y, c, _) = network(), batch()
    folded = energy.at(c[0])
    first = folded.score(y)
    kept = first.clone()
    torch.testing.assert_close(folded.score(y[:4] + 1.0), energy.at(c[0]).score(y[:4] + 1.0))
    assert torch.equal(first, kept)


def test_a_folded_energy_knows_its_score_alone_and_its_laplacian():
    folded = network().at(batch()[1][0])
    assert isinstance(folded, HasScore)
    assert isinstance(folded, HasLaplacian)


def test_training_does_not_reach_a_folded_energy():
    energy, (y, c, _) = network(), batch()
    folded = energy.at(c[0])
    before = [*folded.energy_and_score(y), folded.laplacian(y)]
    for parameter in energy.parameters():
        parameter.data.add_(1.0)
    for was, now in zip(before, [*folded.energy_and_score(y), folded.laplacian(y)], strict=True):
        assert torch.equal(was, now)


def test_taking_another_condition_is_folding_it_and_leaves_the_network_alone():
    energy, other, (y, c, _) = network(), network(seed=1), batch()
    folded = energy.at(c[0])
    folded.take(other.at(c[1]))
    assert torch.equal(folded.score(y), other.at(c[1]).score(y))
    assert torch.equal(folded.laplacian(y), other.at(c[1]).laplacian(y))
    assert torch.equal(energy.at(c[0]).score(y), network().at(c[0]).score(y))


def test_a_condition_of_another_noise_level_or_shape_is_not_taken():
    energy, (_, c, _) = network(noise_conditional=True), batch()
    with pytest.raises(ValueError, match="noise level"):
        energy.at(c[0], 0.3).take(energy.at(c[0], 0.4))
    with pytest.raises(ValueError, match="shape"):
        energy.at(c[0], 0.3).take(energy.at(c, 0.3))


def test_bfloat16_products_keep_two_digits_of_the_score():
    energy, (y, c, _) = network().float(), batch(count=200)
    y, c = y.float(), c[0].float()
    exact_value, exact = energy.at(c).energy_and_score(y)
    value, score = energy.at(c, dtype=torch.bfloat16).energy_and_score(y)
    assert score.dtype == value.dtype == torch.float32
    assert 1e-5 < float((score - exact).norm() / exact.norm()) < 0.02
    assert float((value - exact_value).abs().max() / exact_value.abs().max()) < 0.02


def test_far_out_the_confinement_is_what_remains_of_the_curvature():
    energy, (_, c, _) = network(noise_conditional=True), batch()
    far = 1e4 * torch.ones(1, 5, dtype=torch.float64)
    expected = 0.7 * 5 / (1 + SIGMA**2)
    assert float(energy.at(c[0], SIGMA).laplacian(far)) == pytest.approx(expected)
    confined = EnergyMLP(5, 3, 4)
    for parameter in confined.parameters():
        parameter.data.zero_()
    value, score = confined.at(torch.zeros(3)).energy_and_score(torch.ones(1, 5))
    assert float(value[0]) == 2.5
    assert torch.equal(score, -torch.ones(1, 5))


def test_a_missing_or_needless_noise_level_and_bad_sizes_are_named():
    y, c, sigma = batch(noise_conditional=True)
    with pytest.raises(ValueError, match="sigma is missing"):
        network(noise_conditional=True).energy(y, c)
    with pytest.raises(ValueError, match="sigma is given"):
        network().score(y, c, sigma)
    for arguments, name in (
        ((0, 3, 4), "variables"),
        ((5, -1, 4), "conditions"),
        ((5, 3, 0), "hidden"),
    ):
        with pytest.raises(ValueError, match=name):
            EnergyMLP(*arguments)
    for confinement in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="confinement"):
            EnergyMLP(5, 3, 4, confinement=confinement)


@pytest.mark.parametrize("layer", ["first", "second"])
def test_a_bias_that_bfloat16_rounds_keeps_what_it_rounds_off(layer):
    energy, (y, c, _) = network().float(), batch()
    bias = torch.linspace(100.2, 101.8, 17)  # rounded alone, it would be off by up to 0.25
    getattr(energy, layer).bias.data.copy_(bias)
    getattr(energy, layer).weight.data.zero_()
    folded = energy.at(c[0].float(), dtype=torch.bfloat16)
    factor = folded._first if layer == "first" else folded._second
    rows = factor[5:] if layer == "first" else factor[17:]
    torch.testing.assert_close(rows.float().sum(0), bias, rtol=1e-5, atol=0)
    y = y.float()
    folded.score(y)
    ones = folded._scratch.points_and_ones[:, 5:]
    assert bool((ones == 1).all())


def test_a_copy_of_a_folded_energy_that_was_used_computes_in_room_of_its_own():
    energy, (y, c, _) = network(), batch()
    folded = energy.at(c[0])
    first = folded.score(y)
    copied = deepcopy(folded)
    torch.testing.assert_close(copied.score(2.0 * y), energy.at(c[0]).score(2.0 * y))
    assert torch.equal(folded.score(y), first)
