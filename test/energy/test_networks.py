"""Networks that place wells: shapes, the linear path, alike coordinates."""

import pytest
import torch
from torch import nn

from ebm_mpc_ros.energy.networks import DenseNetwork, SharedNetwork

F, T, N = 3, 2, 5


def shared():
    torch.manual_seed(0)
    network = SharedNetwork(F, T, N, wells=4, hidden=16, weights=6).double()
    nn.init.normal_(network.centres.weight)
    return network


def conditions(rows=7):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, F, N, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    "network",
    [DenseNetwork(F * N, T * N, wells=4, hidden=16, weights=6).double(), shared()],
    ids=["dense", "shared"],
)
def test_every_well_has_a_centre_and_weights(network):
    centres, coefficients = network(conditions().flatten(1))
    assert centres.shape == (7, 4, T * N)
    assert coefficients.shape == (7, 4, 6)


@pytest.mark.parametrize(
    "network",
    [DenseNetwork(F * N, T * N, hidden=16).double(), SharedNetwork(F, T, N, hidden=16).double()],
    ids=["dense", "shared"],
)
def test_centres_begin_linear_in_the_condition(network):
    c = conditions().flatten(1)
    one, other, both = (network(x)[0] for x in (c[:1], c[1:2], c[:1] + c[1:2]))
    torch.testing.assert_close(one + other, both)


def test_renumbered_coordinates_renumber_the_centres_and_leave_the_weights():
    network, c, order = shared(), conditions(), torch.tensor([3, 0, 4, 1, 2])
    centres, coefficients = network(c.flatten(1))
    renumbered, same = network(c[..., order].flatten(1))
    torch.testing.assert_close(renumbered.view(7, 4, T, N), centres.view(7, 4, T, N)[..., order])
    torch.testing.assert_close(same, coefficients)


def test_a_coordinate_knows_of_the_others():
    network, c = shared(), conditions()
    changed = c.clone()
    changed[:, :, 1:] *= 3.0
    first, other = (
        network(x.flatten(1))[0].detach().view(7, 4, T, N)[..., 0] for x in (c, changed)
    )
    assert float((first - other).abs().min()) > 1e-6
