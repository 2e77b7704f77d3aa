"""A Gaussian told by a network: where it begins, what finds place and width and what judges."""

import math

import pytest
import torch

from ebm_mpc_ros.energy.conditional_gaussian import (
    ConditionalGaussian,
    likelihood,
    weighted_likelihood,
)


def test_it_begins_as_a_standard_normal():
    torch.manual_seed(0)
    network = ConditionalGaussian(3, 2, 8)
    y, c = torch.randn(5, 3), torch.randn(5, 2)
    torch.testing.assert_close(network.energy(y, c), 0.5 * y.square().sum(-1))


def test_the_likelihood_finds_place_and_width_where_widths_differ_a_hundredfold():
    torch.manual_seed(0)
    network = ConditionalGaussian(1, 1, 32)
    c = 2.0 * torch.rand(4000, 1) - 1.0
    centre, width = torch.sin(2.0 * c), torch.where(c > 0.0, 1.0, 0.01)
    y = centre + width * torch.randn(c.shape)
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    for step in range(1500):
        adam.param_groups[0]["lr"] = 1e-2 * (1.0 - step / 1500)
        rows = torch.randint(len(c), (256,))
        adam.zero_grad()
        weighted_likelihood(network, y[rows], c[rows]).mean().backward()
        adam.step()
    seen = torch.tensor([[-0.7], [-0.4], [0.4], [0.7]])
    found, log_width = network(seen)
    error = (found - torch.sin(2.0 * seen)).abs().flatten()
    assert error[:2].max() < 0.02
    assert error[2:].max() < 0.2
    wanted = torch.tensor([[0.01], [0.01], [1.0], [1.0]]).log()
    assert (log_width - wanted).abs().max() < 0.5


def of_widths(*widths):
    """Return a network that tells centres of 0 and these widths, whatever the condition."""
    network = ConditionalGaussian(len(widths), 1, 4)
    with torch.no_grad():
        network.skip.bias[len(widths) :] = torch.tensor(widths).log()
    return network


def test_what_judges_is_lowest_at_the_true_width():
    torch.manual_seed(0)
    y, c = torch.randn(20_000, 5), torch.zeros(20_000, 1)
    y /= y.square().mean(0).sqrt()
    with torch.no_grad():
        losses = {s: likelihood(of_widths(*[s] * 5), y, c).mean().item() for s in (0.95, 1.0, 1.05)}
    assert min(losses, key=losses.get) == 1.0
    for s, loss in losses.items():
        assert loss == pytest.approx(5.0 * (0.5 / s**2 + math.log(s)), abs=1e-4)


def test_what_is_descended_on_weighs_each_coordinate_by_the_root_of_its_width():
    network, y, c = of_widths(0.01, 1.0), torch.tensor([[0.02, 2.0]]), torch.zeros(1, 1)
    weighted_likelihood(network, y, c).sum().backward()
    # Of √s (½ (y - m)² / s² + log s) with √s held, at m = 0 and y = 2 s.
    slope = torch.tensor([-0.1 * 2.0 / 0.01, -2.0, 0.1 * (1.0 - 4.0), 1.0 - 4.0])
    torch.testing.assert_close(network.skip.bias.grad, slope)


@pytest.mark.parametrize("sizes", [(0, 2, 8), (3, 0, 8), (3, 2, 0)])
def test_a_size_below_one_is_refused(sizes):
    with pytest.raises(ValueError, match="is 0, allowed is 1 or more"):
        ConditionalGaussian(*sizes)
