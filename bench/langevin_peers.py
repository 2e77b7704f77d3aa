"""torchebm's Langevin sampler, and autograd's loop, on the network that ours samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torchebm.core import BaseModel
from torchebm.samplers import LangevinDynamics

if TYPE_CHECKING:
    from ebm_mpc_ros.energy.mlp import EnergyMLP


class _Conditional(BaseModel):
    """The same network in torchebm's terms: the condition is appended to every point."""

    def __init__(self, network: EnergyMLP, c: Tensor) -> None:
        super().__init__()
        self._c = c
        self._network = nn.Sequential(
            network.first, nn.SiLU(), network.second, nn.SiLU(), network.last
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return E (K,) at `x` (K, d)."""
        c = self._c.expand(len(x), -1)
        return self._network(torch.cat([x, c], dim=-1)).squeeze(-1)  # type: ignore[no-any-return]


class TorchEBM:
    """torchebm's x ← x - η ∇E + √(2η) z: ε = 2η in our terms."""

    def __init__(self, network: EnergyMLP, c: Tensor, *, step_size: float, steps: int) -> None:
        self._steps = steps
        self._sampler = LangevinDynamics(
            _Conditional(network, c), step_size=step_size / 2, device=c.device
        )

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return where the chains `x` (K, d) come to."""
        return self._sampler.sample(  # type: ignore[no-any-return]
            x=x, n_steps=self._steps, generator=generator
        )


def autograd_loop(
    network: EnergyMLP,
    c: Tensor,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Return where x ← x - (ε/2) ∇E + √ε z leads (K, d): the plain loop that others are held to."""
    condition = c.expand(len(x), -1)
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(network.energy(x, condition).sum(), x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        x = x.detach() - 0.5 * step_size * gradient + math.sqrt(step_size) * noise
    return x


def strayed(
    x: Tensor,
    plain: Tensor,
    start: Tensor,
    step_size: float,
    steps: int,
    generator: torch.Generator,
) -> float:
    """Return how far chains `x` are from the plain loop's, of what the score moved those, RMS."""
    walk = start
    for _ in range(steps):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        walk = walk + math.sqrt(step_size) * noise
    return float(torch.dist(x, plain) / torch.dist(plain, walk))
