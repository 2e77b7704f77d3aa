"""Energies in closed form: their scores, and linear changes of variables."""

import math

import pytest
import torch

from ebm_mpc_ros.energy.base import LinearChange
from ebm_mpc_ros.energy.mixture import GaussianMixture
from ebm_mpc_ros.energy.quadratic import Quadratic


def random_spd(size, seed):
    root = torch.randn(
        size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return root @ root.mT + torch.eye(size, dtype=torch.float64)


def mixture():
    means = torch.tensor([[-1.0, 0.0, 0.5], [1.0, 1.0, 0.0]], dtype=torch.float64)
    covariances = torch.stack([random_spd(3, 0), 0.3 * random_spd(3, 1)])
    return GaussianMixture(torch.tensor([0.3, 0.7], dtype=torch.float64), means, covariances)


def quadratic():
    return Quadratic(torch.arange(3, dtype=torch.float64), random_spd(3, 2))


def points(count=50):
    return 2 * torch.randn(
        count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(9)
    )


@pytest.mark.parametrize("energy", [quadratic(), mixture()])
def test_the_score_is_minus_the_gradient_of_the_energy(energy):
    x = points().requires_grad_()
    value, score = energy.energy_and_score(x)
    (gradient,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(score, -gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("energy", [quadratic(), mixture()])
def test_the_laplacian_is_the_trace_of_the_hessian(energy):
    def alone(x):
        return energy.energy_and_score(x[None])[0][0]

    hessian = torch.func.vmap(torch.func.hessian(alone))(points())
    expected = hessian.diagonal(dim1=1, dim2=2).sum(-1)
    torch.testing.assert_close(energy.laplacian(points()), expected, rtol=1e-9, atol=1e-9)


def test_a_quadratic_energy_has_its_half():
    energy = Quadratic(torch.zeros(2), torch.diag(torch.tensor([2.0, 4.0])))
    value, _ = energy.energy_and_score(torch.tensor([[1.0, 1.0]]))
    assert float(value[0]) == 3.0


def test_a_mixture_of_one_is_the_normalised_gaussian():
    covariance = random_spd(3, 4)
    energy = GaussianMixture(
        torch.ones(1, dtype=torch.float64),
        torch.zeros(1, 3, dtype=torch.float64),
        covariance[None],
    )
    normal = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance)
    value, _ = energy.energy_and_score(points())
    torch.testing.assert_close(value, -normal.log_prob(points()))


def test_a_linear_change_keeps_the_density_but_for_its_constant():
    energy, origin = mixture(), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    change = LinearChange(energy, origin, torch.linalg.cholesky(random_spd(3, 5)), 0.25)
    y = points()
    value, score = change.energy_and_score(y.requires_grad_())
    (gradient,) = torch.autograd.grad(value.sum(), y)
    torch.testing.assert_close(score, -gradient, rtol=1e-9, atol=1e-9)
    x = change.to_original(y)
    torch.testing.assert_close(value, energy.energy_and_score(x)[0] / 0.25)
    torch.testing.assert_close(change.from_original(x), y)


def test_whitening_by_the_cholesky_factor_of_the_hessian_gives_unit_curvature():
    precision = random_spd(3, 6)
    energy = Quadratic(torch.zeros(3, dtype=torch.float64), precision)
    factor = torch.linalg.cholesky(precision) / math.sqrt(0.1)
    change = LinearChange(energy, torch.zeros(3, dtype=torch.float64), factor, 0.1)
    _, score = change.energy_and_score(points())
    torch.testing.assert_close(score, -points())


def test_what_is_no_covariance_weight_or_precision_is_refused():
    eye = torch.eye(2)
    with pytest.raises(ValueError, match="symmetric"):
        Quadratic(torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]))
    with pytest.raises(ValueError, match=r"precision is \(2, 2\)"):
        Quadratic(torch.zeros(3), eye)
    with pytest.raises(ValueError, match="sum one"):
        GaussianMixture(torch.tensor([0.5, 0.6]), torch.zeros(2, 2), eye.repeat(2, 1, 1))
    with pytest.raises(ValueError, match="do not fit"):
        GaussianMixture(torch.tensor([0.5, 0.5]), torch.zeros(2, 2), eye)
