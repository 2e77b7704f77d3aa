"""A Gaussian told by a network: where it begins, and that the likelihood finds place and width."""

import pytest
import torch

from ebm_mpc_ros.energy.conditional_gaussian import ConditionalGaussian, likelihood


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
        likelihood(network, y[rows], c[rows]).mean().backward()
        adam.step()
    seen = torch.tensor([[-0.7], [-0.4], [0.4], [0.7]])
    found, log_width = network(seen)
    error = (found - torch.sin(2.0 * seen)).abs().flatten()
    assert error[:2].max() < 0.02
    assert error[2:].max() < 0.2
    wanted = torch.tensor([[0.01], [0.01], [1.0], [1.0]]).log()
    assert (log_width - wanted).abs().max() < 0.5


@pytest.mark.parametrize("sizes", [(0, 2, 8), (3, 0, 8), (3, 2, 0)])
def test_a_size_below_one_is_refused(sizes):
    with pytest.raises(ValueError, match="is 0, allowed is 1 or more"):
        ConditionalGaussian(*sizes)
