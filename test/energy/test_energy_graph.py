"""The captured run: on the CPU it is the plain loop."""

import pytest
import torch

from ebm_mpc_ros.energy.bounds import Bounds
from ebm_mpc_ros.energy.graph import GraphedULA
from ebm_mpc_ros.energy.langevin import ula
from ebm_mpc_ros.energy.mlp import EnergyMLP

DEVICES = [
    "cpu",
    pytest.param(
        "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_a_graph_walks_where_the_plain_loop_walks_from_call_to_call(device):
    torch.manual_seed(0)
    network = EnergyMLP(4, 2, 16).to(device)
    box = Bounds(-torch.ones(4, device=device), torch.ones(4, device=device))
    first, second = network.at(torch.zeros(2, device=device)), torch.ones(2, device=device)
    settings = {"step_size": 0.1, "steps": 12, "bounds": box}
    graphed_noise, noise = (torch.Generator(device).manual_seed(3) for _ in range(2))
    x = torch.zeros(8, 4, device=device)
    graph = GraphedULA(first, x, generator=graphed_noise, **settings)
    untouched = first.score(x)
    for energy in (None, network.at(second), network.at(second)):
        plain = ula(energy or first, x, generator=noise, **settings)
        chains = graph(x, energy)
        torch.testing.assert_close(chains.x, plain.x)
        torch.testing.assert_close(chains.energy, plain.energy)
        assert chains.steps == 12
        x = plain.x
    torch.testing.assert_close(first.score(torch.zeros(8, 4, device=device)), untouched)


@pytest.mark.parametrize("device", DEVICES)
def test_what_does_not_fit_the_captured_run_is_refused(device):
    network = EnergyMLP(4, 2, 16).to(device)
    energy, x = network.at(torch.zeros(2, device=device)), torch.zeros(8, 4, device=device)
    graph = GraphedULA(energy, x, step_size=0.1, steps=2, generator=torch.Generator(device))
    with pytest.raises(ValueError, match=r"x is \(7, 4\)"):
        graph(x[:7])
    with pytest.raises(ValueError, match="shape"):
        graph(x, network.at(torch.zeros(8, 2, device=device)))
