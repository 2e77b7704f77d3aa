"""Noise-free descent of an energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebm_mpc_ros.energy.base import Energy
from ebm_mpc_ros.energy.langevin import never

_GROWTH, _CUT = 1.5, 0.3


class Descent(NamedTuple):
    """Points (K, d), their energies (K,) and the steps done."""

    x: Tensor
    energy: Tensor
    steps: int


@torch.no_grad()
def descend(
    energy: Energy,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    stop: Callable[[], bool] = never,
) -> Descent:
    """Follow the score from `x` (K, d) for `steps` steps, or until `stop` says so.

    Each point has its own step size, which grows after a step that lowered its energy and is cut
    after one that did not and is taken back: no energy ever rises.
    """
    value, score = energy.energy_and_score(x)
    size = torch.full_like(value, step_size)
    done = 0
    for _ in range(steps):
        if stop():
            break
        proposal = torch.addcmul(x, size[:, None], score)
        new_value, new_score = energy.energy_and_score(proposal)
        lower = new_value < value
        x = torch.where(lower[:, None], proposal, x)
        score = torch.where(lower[:, None], new_score, score)
        value = torch.where(lower, new_value, value)
        size = size * torch.where(lower, _GROWTH, _CUT)
        done += 1
    return Descent(x, value, done)
