"""Boxes: folding into them, drawing in them, and sampling through tanh."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from ebm_mpc_ros.energy.bounds import Bounds, Squashed
from ebm_mpc_ros.energy.langevin import mala
from ebm_mpc_ros.energy.quadratic import Quadratic

BOX = Bounds(torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 5.0]))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_points_are_folded_by_mirrors_at_the_sides_as_often_as_it_takes():
    x = torch.tensor([[0.5, 2.5], [1.25, 1.5], [-1.5, 5.5], [3.5, 9.0], [-4.75, -4.5]])
    folded = torch.tensor([[0.5, 2.5], [0.75, 2.5], [-0.5, 4.5], [-0.5, 3.0], [-0.75, 2.5]])
    torch.testing.assert_close(BOX.reflect(x), folded)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2))
def test_a_folded_point_is_inside_and_folding_again_changes_nothing(point):
    folded = BOX.reflect(torch.tensor([point]))
    assert bool(BOX.inside(folded).all())
    torch.testing.assert_close(BOX.reflect(folded), folded)


def test_inside_asks_every_coordinate():
    x = torch.tensor([[0.0, 3.0], [1.0, 5.0], [1.1, 3.0], [0.0, 1.9]])
    assert BOX.inside(x).tolist() == [True, True, False, False]


def test_uniform_draws_fill_the_box():
    x = BOX.uniform(20_000, generator())
    assert bool(BOX.inside(x).all())
    torch.testing.assert_close(x.mean(0), torch.tensor([0.0, 3.5]), rtol=0, atol=0.03)
    torch.testing.assert_close(x.var(0), torch.tensor([4.0, 9.0]) / 12, rtol=0.03, atol=0)


def test_the_squashed_score_is_minus_the_gradient_of_the_squashed_energy_even_far_out():
    precision = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    box = Bounds(BOX.lower.double(), BOX.upper.double())
    energy = Squashed(Quadratic(torch.zeros(2, dtype=torch.float64), precision), box)
    z = 3 * torch.randn(100, 2, dtype=torch.float64, generator=generator())
    z[0], z[1] = 40.0, -40.0
    value, score = energy.energy_and_score(z.requires_grad_())
    (gradient,) = torch.autograd.grad(value.sum(), z)
    torch.testing.assert_close(score, -gradient, rtol=1e-9, atol=1e-9)
    # Where tanh is flat the log-Jacobian is 2 log 2 - 2|z| + log half-width.
    plain = energy.to_original(z.detach())[:1]
    plain = 0.5 * torch.einsum("ki,ij,kj->k", plain, precision, plain)
    fall = 2 * (2 * math.log(2.0) - 80.0) + math.log(1.5)
    torch.testing.assert_close(value.detach()[:1] - plain, -torch.full_like(plain, fall))


def test_squashing_and_back_is_the_identity_and_a_side_stays_finite():
    energy = Squashed(Quadratic(torch.zeros(2), torch.eye(2)), BOX)
    x = BOX.uniform(100, generator())
    torch.testing.assert_close(energy.to_original(energy.from_original(x)), x)
    side = energy.from_original(torch.stack([BOX.lower, BOX.upper]))
    assert bool(side.isfinite().all())
    assert bool(BOX.inside(energy.to_original(side)).all())


@pytest.mark.parametrize(("lower", "upper"), [(-0.5, 1.0), (0.0, 4.0)])
def test_mala_through_tanh_is_exact(lower, upper):
    box = Bounds(torch.tensor([lower]), torch.tensor([upper]))
    energy = Squashed(Quadratic(torch.zeros(1), torch.eye(1)), box)
    z = energy.from_original(box.uniform(20_000, generator(1)))
    x = energy.to_original(mala(energy, z, step_size=1.0, steps=60, generator=generator()).x)
    mean, variance = truncnorm.stats(lower, upper)
    assert float(x.mean()) == pytest.approx(float(mean), abs=0.015)
    assert float(x.var()) == pytest.approx(float(variance), rel=0.03)


@pytest.mark.parametrize(
    ("lower", "upper", "name"),
    [
        ([0.0], [0.0], "upper"),
        ([0.0], [-1.0], "upper"),
        ([0.0], [math.inf], "upper"),
        ([math.nan], [1.0], "upper"),
        ([0.0, 1.0], [1.0], "lower"),
    ],
)
def test_bad_bounds_are_named(lower, upper, name):
    with pytest.raises(ValueError, match=name):
        Bounds(torch.tensor(lower), torch.tensor(upper))
