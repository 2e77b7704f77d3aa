"""The fused kernel, where Triton is present: on CUDA, or on the CPU with TRITON_INTERPRET=1."""

import importlib.util
import os

import pytest
import torch

from ebm_mpc_ros.energy.bounds import Bounds
from ebm_mpc_ros.energy.fused import fused_ula
from ebm_mpc_ros.energy.mlp import EnergyMLP

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RUNS = importlib.util.find_spec("triton") is not None and (
    DEVICE == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"
)
needs_triton = pytest.mark.skipif(not RUNS, reason="neither CUDA and Triton nor its interpreter")
BOX = Bounds(-0.5 * torch.ones(5, device=DEVICE), torch.ones(5, device=DEVICE))


def network(**options):
    torch.manual_seed(0)
    built = EnergyMLP(5, 3, 32, **options)
    for weight in built.parameters():
        weight.data.mul_(3.0)
    return built.to(DEVICE)


def walked(energy, x, noise, bounds):
    """Return where the plain loop leads with the same noise."""
    for z in noise:
        x = x + 0.05 * energy.energy_and_score(x)[1] + 0.1**0.5 * z
        x = x if bounds is None else bounds.reflect(x)
    return x


@needs_triton
@pytest.mark.parametrize("bounds", [None, BOX])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.3])
def test_the_kernel_walks_where_the_plain_loop_walks(bounds, each, sigma):
    c = torch.randn(70, 3, device=DEVICE) if each else torch.ones(3, device=DEVICE)
    energy = network(noise_conditional=sigma is not None).at(c, sigma)
    x, noise = torch.rand(70, 5, device=DEVICE), torch.randn(6, 70, 5, device=DEVICE)
    chains = fused_ula(energy, x, step_size=0.1, steps=6, seed=0, bounds=bounds, noise=noise)
    expected = walked(energy, x, noise, bounds)
    torch.testing.assert_close(chains.x, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(chains.energy, energy.energy_and_score(chains.x)[0])


# Triton's interpreter does not multiply bfloat16.
@needs_triton
@pytest.mark.parametrize("dtype", [torch.float16, *[torch.bfloat16][: DEVICE == "cuda"]])
def test_short_weights_keep_two_digits_of_the_walk(dtype):
    c, x = torch.ones(3, device=DEVICE), torch.rand(70, 5, device=DEVICE)
    noise = torch.zeros(6, 70, 5, device=DEVICE)
    energy = network().at(c, dtype=dtype)
    walk = fused_ula(energy, x, step_size=0.1, steps=6, seed=0, noise=noise).x - x
    expected = walked(network().at(c), x, noise, None) - x
    assert float((walk - expected).norm() / expected.norm()) < 0.03


@needs_triton
@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"step_size": 0.0}, "step_size"), ({"noise": torch.zeros(1, 2, 5)}, "noise")],
)
def test_bad_settings_are_named(arguments, name):
    settings = {"step_size": 0.1, "steps": 2, "seed": 0, **arguments}
    energy = network().at(torch.ones(3, device=DEVICE))
    with pytest.raises(ValueError, match=name):
        fused_ula(energy, torch.zeros(2, 5, device=DEVICE), **settings)


@needs_triton
def test_of_the_size_that_it_is_made_for_it_walks_where_the_plain_loop_walks():
    torch.manual_seed(0)
    energy = EnergyMLP(40, 8, 256).to(DEVICE).at(torch.ones(8, device=DEVICE), dtype=torch.float16)
    x, noise = torch.rand(33, 40, device=DEVICE), torch.randn(2, 33, 40, device=DEVICE)
    chains = fused_ula(energy, x, step_size=0.1, steps=2, seed=0, noise=noise)
    expected = walked(energy, x, noise, None)
    torch.testing.assert_close(chains.x, expected, rtol=1e-3, atol=1e-3)


@needs_triton
def test_more_draws_than_the_generator_counts_are_refused():
    energy = network().at(torch.ones(3, device=DEVICE))
    with pytest.raises(ValueError, match="steps are"):
        fused_ula(energy, torch.zeros(2, 5, device=DEVICE), step_size=0.1, steps=2**28, seed=0)


@needs_triton
def test_units_that_no_block_holds_are_named():
    energy = EnergyMLP(5, 3, 24).to(DEVICE).at(torch.ones(3, device=DEVICE))
    with pytest.raises(ValueError, match="hidden is 24"):
        fused_ula(energy, torch.zeros(2, 5, device=DEVICE), step_size=0.1, steps=1, seed=0)


@needs_triton
def test_what_the_seed_draws_is_normal_repeats_and_differs_from_step_to_step():
    flat = network()
    for weight in flat.parameters():
        weight.data.zero_()
    flat.confinement = 0.0
    energy, x = flat.at(torch.zeros(3, device=DEVICE)), torch.zeros(2000, 5, device=DEVICE)
    first, again, other = (
        fused_ula(energy, x, step_size=0.25, steps=4, seed=seed).x for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert float((first * other).mean().abs()) < 0.03
    assert float(first.mean()) == pytest.approx(0.0, abs=0.03)
    # Had each step the same noise, the variance would be 4.
    assert float(first.var()) == pytest.approx(1.0, rel=0.05)


@pytest.mark.skipif(RUNS, reason="Triton is present")
def test_without_triton_it_says_so():
    with pytest.raises(ImportError, match="triton"):
        fused_ula(network().at(torch.ones(3)), torch.zeros(2, 5), step_size=0.1, steps=1, seed=0)
