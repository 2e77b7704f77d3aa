"""Energies added up."""

import torch

from ebm_mpc_ros.energy.quadratic import Quadratic
from ebm_mpc_ros.energy.total import Total


def test_values_and_scores_add_up():
    torch.manual_seed(0)
    a, b = (Quadratic(torch.zeros(3), torch.eye(3) * k) for k in (1.0, 3.0))
    x = torch.randn(5, 3)
    energy, score = Total(a, b).energy_and_score(x)
    torch.testing.assert_close(energy, 2.0 * x.square().sum(-1))
    torch.testing.assert_close(score, -4.0 * x)
