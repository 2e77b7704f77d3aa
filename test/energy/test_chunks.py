"""Chunks from wells: where descent, a chain and the lowest of many end."""

import pytest
import torch
from torch import nn

from ebm_mpc_ros.energy.chunks import ChunkSampler, ChunkSettings
from ebm_mpc_ros.energy.wells import Wells

SHARE = 0.25


class TwoWells(nn.Module):
    """Wells at -c, of weight a quarter, and +c."""

    conditions = variables = 2
    wells, weights = 2, 4

    def forward(self, c):
        coefficients = torch.zeros(len(c), 2, 4)
        coefficients[:, :, 0] = torch.tensor([SHARE, 1 - SHARE]).log()
        return torch.stack([-c, c], dim=1), coefficients


def sampler(**settings):
    return ChunkSampler(
        Wells(TwoWells(), (0.01, 6.0)), ChunkSettings(**settings), torch.Generator().manual_seed(0)
    )


def conditions(rows=1):
    return torch.tensor([[1.0, -0.5], [0.3, 2.0], [-1.0, 1.0]]).repeat(rows, 1)


def test_descent_ends_in_the_heavier_well():
    c = conditions()
    torch.testing.assert_close(sampler().descend(c), c, rtol=0, atol=1e-4)


def test_chains_end_in_each_well_as_often_as_it_weighs():
    c = conditions(700)
    y = sampler(levels=30).sample(c)
    lighter = (y * c).sum(-1) < 0
    assert float(lighter.float().mean()) == pytest.approx(SHARE, abs=0.03)
    off = y - torch.where(lighter[:, None], -c, c)
    # ULA's variance under ε = σ²/2: σ² / (1 - 1/8).
    assert float(off.std()) == pytest.approx(0.01 * (8 / 7) ** 0.5, rel=0.05)


def test_the_lowest_of_many_is_in_the_heavier_well():
    c = conditions(100)
    y = sampler(judge=0.5).lowest(c)
    assert bool(((y * c).sum(-1) > 0).all())


def test_one_generator_seed_draws_one_chunk():
    assert torch.equal(sampler().sample(conditions()), sampler().sample(conditions()))


def test_settings_out_of_range_are_refused():
    for settings in ({"levels": 1}, {"steps": 0}, {"chains": 0}, {"ratio": 4.0}, {"judge": 0.0}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            ChunkSettings(**settings)
