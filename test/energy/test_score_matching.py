"""Score matching against what is known of it in closed form."""

import math

import pytest
import torch
from torch import nn

from ebm_mpc_ros.energy.mixture import GaussianMixture
from ebm_mpc_ros.energy.mlp import EnergyMLP
from ebm_mpc_ros.energy.score_matching import denoising, explicit, implicit, rademacher, sliced

S = torch.tensor([[2.0, 0.5, 0.0], [0.5, 0.6, -0.2], [0.0, -0.2, 0.3]], dtype=torch.float64)
"""The covariance of y given c, of the mean `GAIN` c."""
GAIN = torch.tensor([[1.0, 0.0], [-0.5, 2.0], [0.3, 0.7]], dtype=torch.float64)
SIGMA = 0.7
EYE = torch.eye(3, dtype=torch.float64)
# Basis vectors of squared length d: E[v vᵀ] = I with no chance in it.
BASIS = math.sqrt(3.0) * EYE


def whitened(columns, count=400):
    """Return draws whose second moments are exactly the identity."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randn(count, columns, dtype=torch.float64, generator=generator)
    root = torch.linalg.cholesky(raw.T @ raw / count)
    return torch.linalg.solve_triangular(root, raw.T, upper=False).T


def data():
    """Return y, c and noise, of exactly the moments that their densities have."""
    draws = whitened(3 + 2 + 3)
    c = draws[:, 3:5]
    return draws[:, :3] @ torch.linalg.cholesky(S).T + c @ GAIN.T, c, draws[:, 5:]


class Linear(nn.Module):
    """E = ½ (y - G c)ᵀ A (y - G c), with A = M + Mᵀ."""

    def __init__(self, A=EYE, G=0 * GAIN):
        super().__init__()
        self.M, self.G = nn.Parameter(A / 2), nn.Parameter(G.clone())

    @property
    def A(self):
        return self.M + self.M.T

    def score(self, y, c, sigma=None):
        return -(y - c @ self.G.T) @ self.A

    def score_and_laplacian(self, y, c):
        return self.score(y, c), self.A.trace().expand(len(y))


def fitted(loss):
    """Return the model that minimises a mean loss."""
    model = Linear()
    optimiser = torch.optim.LBFGS(
        model.parameters(),
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure():
        optimiser.zero_grad()
        value = loss(model).mean()
        value.backward()
        return value

    optimiser.step(closure)
    return model


def of(kind, model, y, c, noise):
    if kind == "explicit":
        return explicit(model.score, y, c, -(y - c @ GAIN.T) @ torch.linalg.inv(S))
    if kind == "implicit":
        return implicit(model.score_and_laplacian, y, c)
    if kind == "sliced":
        return sliced(model.score, y, c, BASIS[:, None, :].expand(3, len(y), 3))
    return denoising(model.score, y, c, torch.full_like(y[:, 0], SIGMA), noise)


@pytest.mark.parametrize("kind", ["explicit", "implicit", "sliced", "denoising"])
def test_the_learned_precision_and_gain_of_a_gaussian_are_the_closed_forms(kind):
    y, c, noise = data()
    model = fitted(lambda model: of(kind, model, y, c, noise))
    smoothed = S + SIGMA**2 * EYE if kind == "denoising" else S
    torch.testing.assert_close(model.A, torch.linalg.inv(smoothed), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model.G.data, GAIN, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["explicit", "implicit", "sliced"])
def test_the_losses_of_a_gaussian_have_their_halves_and_signs(kind):
    y, c, noise = data()
    A = torch.tensor([[1.0, 0.2, 0.0], [0.2, 3.0, 0.4], [0.0, 0.4, 2.0]], dtype=torch.float64)
    with torch.no_grad():
        loss = float(of(kind, Linear(A, GAIN), y, c, noise).mean())
    matched = float(0.5 * (A @ S @ A).trace() - A.trace())
    constant = float(0.5 * torch.linalg.inv(S).trace()) if kind == "explicit" else 0.0
    assert loss == pytest.approx(matched + constant, rel=1e-10)


def test_denoising_is_implicit_matching_of_the_smoothed_density_and_a_constant():
    y, c, noise = data()
    model = Linear(S + EYE, 0.5 * GAIN)
    smoothed = y + SIGMA * noise
    with torch.no_grad():
        unweighted = float(of("denoising", model, y, c, noise).mean()) / SIGMA**2
        expected = float(implicit(model.score_and_laplacian, smoothed, c).mean())
    assert unweighted == pytest.approx(expected + 3 / (2 * SIGMA**2), rel=1e-10)


def test_levels_of_noise_are_each_samples_own():
    y, c, noise = data()
    sigma = torch.linspace(0.1, 3.0, len(y), dtype=torch.float64)

    def score(noisy, condition, level):
        assert torch.equal(level, sigma)
        torch.testing.assert_close(noisy, y + sigma[:, None] * noise)
        return -(noisy - y) / level[:, None].square()

    zero = denoising(score, y, c, sigma, noise)
    torch.testing.assert_close(zero, torch.zeros_like(zero), rtol=0, atol=1e-20)
    still = denoising(lambda *_: torch.zeros_like(y), y, c, sigma, noise)
    torch.testing.assert_close(still, 0.5 * noise.square().sum(-1))


def network_and_batch():
    torch.manual_seed(0)
    network = EnergyMLP(3, 2, 16).double()
    for weight in network.parameters():
        weight.data.mul_(3.0)
    y, c, _ = data()
    return network, y[:50], c[:50]


def test_slices_along_every_axis_are_the_exact_trace_and_its_gradient():
    network, y, c = network_and_batch()
    probes = BASIS[:, None, :].expand(3, len(y), 3)
    ours, exact = sliced(network.score, y, c, probes), implicit(network.score_and_laplacian, y, c)
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-10)
    first, second = (
        torch.autograd.grad(loss.mean(), network.second.weight)[0] for loss in (ours, exact)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-10)


def test_random_slices_are_unbiased():
    network, y, c = network_and_batch()
    many, given = y[:1].expand(20_000, -1), c[:1].expand(20_000, -1)
    probes = rademacher(1, many, torch.Generator().manual_seed(1))
    assert set(probes.unique().tolist()) == {-1.0, 1.0}
    with torch.no_grad():
        exact = float(implicit(network.score_and_laplacian, y[:1], c[:1]))
        estimates = sliced(network.score, many, given, probes)
    error = float(estimates.std()) / math.sqrt(len(many))
    assert float(estimates.mean()) == pytest.approx(exact, abs=4 * error)


def test_the_loss_of_a_mixtures_own_score_is_minus_half_its_fisher_information():
    covariances = torch.stack([torch.diag(torch.tensor([0.4, 1.0])), 0.5 * torch.eye(2)])
    means, weights = torch.tensor([[-1.2, 0.0], [0.8, 0.5]]), torch.tensor([0.3, 0.7])
    energy = GaussianMixture(weights, means, covariances)
    generator = torch.Generator().manual_seed(0)
    which = torch.multinomial(weights, 400_000, replacement=True, generator=generator)
    noise = torch.randn(len(which), 2, generator=generator)
    x = means[which] + noise * covariances[which].diagonal(dim1=1, dim2=2).sqrt()
    score = energy.energy_and_score(x)[1]
    loss = implicit(lambda y, _: (energy.energy_and_score(y)[1], energy.laplacian(y)), x, x)
    information = float(score.square().sum(-1).mean())
    assert float(loss.mean()) == pytest.approx(-0.5 * information, rel=0.02)


@pytest.mark.parametrize("kind", ["implicit", "sliced", "denoising"])
def test_a_network_learns_a_gaussians_precision(kind):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    deviation = torch.tensor([0.5, 2.0])
    network = EnergyMLP(2, 1, 32)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
    for _ in range(300):
        c = torch.rand(128, 1, generator=generator)
        noise = torch.randn(2, 128, 2, generator=generator)
        y = c + deviation * noise[0]
        if kind == "implicit":
            loss = implicit(network.score_and_laplacian, y, c)
        elif kind == "sliced":
            loss = sliced(network.score, y, c, rademacher(1, y, generator))
        else:
            level = torch.full((128,), 0.3)
            loss = denoising(lambda y, c, _: network.score(y, c), y, c, level, noise[1]) / 0.09
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()
        schedule.step()
    added = 0.09 if kind == "denoising" else 0.0
    expected = 1.0 / (deviation.square() + added)
    c = torch.tensor([0.5])
    y = 0.5 + 0.5 * deviation * torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    slope = (-network.at(c).score(y) / (y - 0.5)).mean(0)
    torch.testing.assert_close(slope, expected, rtol=0.15, atol=0.05)
