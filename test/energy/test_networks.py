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


def test_balanced_wells_begin_as_one_and_are_told_apart_by_their_weights():
    torch.manual_seed(0)
    network = DenseNetwork(F * N, T * N, wells=4, hidden=16, weights=6, balanced=True)
    centres, coefficients = network(conditions().flatten(1).float())
    assert not centres.any()
    spread = coefficients - coefficients[:, :1]
    assert float(spread[:, 1:].detach().abs().amax(-1).min()) > 1e-3


def test_the_balanced_form_is_the_plain_one_with_scaled_weights():
    torch.manual_seed(0)
    sizes = {"wells": 4, "hidden": 16, "weights": 6}
    plain = DenseNetwork(F * N, T * N, **sizes).double()
    nn.init.normal_(plain.centres.weight)
    balanced = DenseNetwork(F * N, T * N, **sizes, balanced=True).double()
    balanced.load_state_dict(plain.state_dict())
    gains = 30.0 ** torch.linspace(0.0, 1.0, 16)
    with torch.no_grad():
        balanced.second.weight.mul_(gains)
        balanced.centres.weight.mul_(16)
        balanced.centres.bias.mul_(16)
    c = conditions().flatten(1)
    for got, wanted in zip(balanced(c), plain(c), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)


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
