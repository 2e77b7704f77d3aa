"""Chunks of inputs, from one moment to a later one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def shifted(chunks: Tensor, steps: float) -> Tensor:
    """Return chunks (K, N, m) without the `steps` that are over, linear between two of them.

    Their last inputs are held.
    """
    N = chunks.shape[1]
    place = (torch.arange(N, device=chunks.device) + steps).clamp(max=N - 1)
    floor = place.floor().clamp(max=max(N - 2, 0))
    weight = (place - floor).to(chunks.dtype)[:, None]
    index = floor.long()
    return chunks[:, index].lerp(chunks[:, (index + 1).clamp(max=N - 1)], weight)
