"""Noise-free descent of an energy within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ebm_mpc_ros.energy.langevin import never

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.energy.base import Energy

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
    metric: Tensor,
    lower: Tensor,
    upper: Tensor,
    steps: int,
    stop: Callable[[], bool] = never,
) -> Descent:
    """Follow the score, turned by a metric, from `x` (K, d) between two bounds.

    A step is x ← clip(x + η M P M s) where M leaves out the coordinates that the score s presses
    against a bound, so that the direction descends for every positive definite P (two-metric
    projection, Bertsekas, SIAM J. Control 20, 1982). Each point has its own η, 1 at first, which
    grows after a step that lowered its energy and is cut after one that did not and is taken
    back: no energy ever rises.

    Args:
        energy: The energy to lower.
        x: Where to start, (K, d); clipped first.
        metric: P (d, d); the inverse Hessian makes Newton's steps.
        lower: Lower bounds (d,).
        upper: Upper bounds (d,).
        steps: How many steps.
        stop: Asked before each step; the points are returned as they stand once it says so.
    """
    x = x.clamp(lower, upper)
    value, score = energy.energy_and_score(x)
    size = torch.ones_like(value)
    done = 0
    for _ in range(steps):
        if stop():
            break
        pressed = ((x >= upper) & (score > 0)) | ((x <= lower) & (score < 0))
        direction = (score.masked_fill(pressed, 0.0) @ metric).masked_fill_(pressed, 0.0)
        proposal = torch.addcmul(x, size[:, None], direction).clamp_(lower, upper)
        new_value, new_score = energy.energy_and_score(proposal)
        lowered = new_value < value
        x = torch.where(lowered[:, None], proposal, x)
        score = torch.where(lowered[:, None], new_score, score)
        value = torch.where(lowered, new_value, value)
        size = size * torch.where(lowered, _GROWTH, _CUT)
        done += 1
    return Descent(x, value, done)
