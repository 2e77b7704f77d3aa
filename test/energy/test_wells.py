"""Learned wells: closed forms, scores and Laplacians against autograd, what they learn."""

import math

import pytest
import torch
from torch import nn

from ebm_mpc_ros.energy.base import HasLaplacian, HasScore
from ebm_mpc_ros.energy.networks import DenseNetwork
from ebm_mpc_ros.energy.wells import Wells, denoising_loss

SIGMAS = 0.05, 4.0


class Fixed(nn.Module):
    """Wells that stand where they are put, whatever the condition."""

    conditions = 2

    def __init__(self, centres, coefficients):
        super().__init__()
        self.centres, self.coefficients = centres, coefficients
        self.wells, self.variables = centres.shape
        self.weights = coefficients.shape[1]

    def forward(self, c):
        return self.centres.expand(len(c), -1, -1), self.coefficients.expand(len(c), -1, -1)


def random_wells(variables=3, wells=4, conditions=2):
    torch.manual_seed(0)
    network = DenseNetwork(conditions, variables, wells=wells, hidden=8, weights=5)
    nn.init.normal_(network.centres.weight)
    return Wells(network, SIGMAS).double()


def batch(rows=40, variables=3, conditions=2):
    generator = torch.Generator().manual_seed(1)
    y, c = (
        torch.randn(rows, size, dtype=torch.float64, generator=generator)
        for size in (variables, conditions)
    )
    sigma = 0.2 + 2.0 * torch.rand(rows, dtype=torch.float64, generator=generator)
    return y, c, sigma


def test_the_score_is_minus_the_gradient_in_the_variable():
    wells, (y, c, sigma) = random_wells(), batch()
    y.requires_grad_()
    (gradient,) = torch.autograd.grad(wells.energy(y, c, sigma).sum(), y)
    torch.testing.assert_close(wells.score(y, c, sigma), -gradient, rtol=1e-10, atol=1e-10)
    both = wells.at(c, sigma).energy_and_score(y)[1]
    torch.testing.assert_close(both, -gradient, rtol=1e-10, atol=1e-10)


def test_the_laplacian_is_the_trace_of_the_hessian():
    wells, (y, c, sigma) = random_wells(), batch()
    placed = wells.at(c, sigma)

    def energy(point, row):
        return wells.energy(point[None], c[row : row + 1], sigma[row : row + 1])[0]

    traces = [
        torch.autograd.functional.hessian(lambda p, r=row: energy(p, r), y[row]).trace()
        for row in range(len(y))
    ]
    torch.testing.assert_close(placed.laplacian(y), torch.stack(traces), rtol=1e-9, atol=1e-9)


def test_one_well_is_a_gaussian_of_width_sigma():
    centre = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    wells = Wells(Fixed(centre, torch.randn(1, 4, dtype=torch.float64)), SIGMAS)
    y, c, _ = batch()
    placed = wells.at(c, 0.5)
    energy, score = placed.energy_and_score(y)
    torch.testing.assert_close(energy, (y - centre).square().sum(-1) / 0.5)
    torch.testing.assert_close(score, (centre - y) / 0.25)
    torch.testing.assert_close(placed.laplacian(y), torch.full((40,), 12.0, dtype=torch.float64))


def test_equal_weights_sum_to_one():
    centres = torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    wells = Wells(Fixed(centres, torch.zeros(2, 4, dtype=torch.float64)), SIGMAS)
    energy, _ = wells.at(torch.zeros(2, dtype=torch.float64), 1.0).energy_and_score(centres)
    torch.testing.assert_close(energy, torch.zeros(2, dtype=torch.float64))


def test_the_constant_coefficient_sets_the_log_weights_at_every_sigma():
    centres = torch.tensor([[-1.0], [2.0]], dtype=torch.float64)
    coefficients = torch.zeros(2, 4, dtype=torch.float64)
    coefficients[:, 0] = torch.tensor([0.3, 0.7]).log()
    wells = Wells(Fixed(centres, coefficients), SIGMAS)
    y = torch.tensor([[0.4]], dtype=torch.float64)
    for sigma in (0.3, 3.0):
        parts = 0.3 * math.exp(-0.5 * (1.4 / sigma) ** 2), 0.7 * math.exp(-0.5 * (1.6 / sigma) ** 2)
        energy, _ = wells.at(torch.zeros(2, dtype=torch.float64), sigma).energy_and_score(y)
        assert float(energy[0]) == pytest.approx(-math.log(sum(parts)), rel=1e-6)


def test_points_belong_to_their_conditions_in_turn():
    wells, (y, c, _) = random_wells(), batch()
    energy, score = wells.at(c[:4], 0.7).energy_and_score(y)
    for i in range(4):
        part = slice(10 * i, 10 * i + 10)
        alone = wells.at(c[i], 0.7).energy_and_score(y[part])
        torch.testing.assert_close(energy[part], alone[0])
        torch.testing.assert_close(score[part], alone[1])


def test_levels_are_the_energies_at_each_sigma():
    wells, (y, c, _) = random_wells(), batch()
    for level, sigma in zip(wells.levels(c, (2.0, 0.1)), (2.0, 0.1), strict=True):
        torch.testing.assert_close(
            level.energy_and_score(y), wells.at(c, sigma).energy_and_score(y)
        )


def test_no_sigma_is_the_least():
    wells, (y, c, _) = random_wells(), batch()
    least = torch.full((len(y),), SIGMAS[0], dtype=torch.float64)
    torch.testing.assert_close(wells.energy(y, c), wells.energy(y, c, least))


def test_a_placed_energy_keeps_no_graph_and_has_a_lean_score_and_a_laplacian():
    wells, (y, c, _) = random_wells(), batch()
    placed = wells.at(c, 1.0)
    assert isinstance(placed, HasScore)
    assert isinstance(placed, HasLaplacian)
    assert not placed.score(y).requires_grad
    torch.testing.assert_close(placed.energy(y), placed.energy_and_score(y)[0], rtol=0, atol=0)


def test_the_denoising_loss_of_one_well_is_half_its_squared_error():
    centre = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    wells = Wells(Fixed(centre, torch.zeros(1, 4, dtype=torch.float64)), SIGMAS)
    y, c, _ = batch()
    loss = denoising_loss(wells, c, y, torch.Generator().manual_seed(2))
    torch.testing.assert_close(loss, 0.5 * (y - centre).square().sum(-1).mean())


def test_single_precision_suffices_for_many_variables_at_the_least_sigma():
    torch.manual_seed(0)
    centres = torch.randn(8, 256, dtype=torch.float64)
    exact = Wells(Fixed(centres, torch.zeros(8, 4, dtype=torch.float64)), (0.01, 6.0))
    single = Wells(Fixed(centres.float(), torch.zeros(8, 4)), (0.01, 6.0))
    y = centres[:1] + 0.01 * torch.randn(50, 256, dtype=torch.float64)
    c = torch.zeros(2, dtype=torch.float64)
    wanted = exact.at(c).energy_and_score(y)
    got = single.at(c.float()).energy_and_score(y.float())
    assert float((got[0] - wanted[0]).abs().max()) < 0.02
    torch.testing.assert_close(0.01 * got[1].double(), 0.01 * wanted[1], rtol=0, atol=1e-3)


def test_what_is_no_range_or_too_few_weights_is_refused():
    network = DenseNetwork(2, 3, wells=2, hidden=4, weights=2)
    with pytest.raises(ValueError, match="allowed is 3 or more"):
        Wells(network, SIGMAS)
    with pytest.raises(ValueError, match="sigma_range"):
        Wells(DenseNetwork(2, 3, wells=2, hidden=4), (0.5, 0.1))
