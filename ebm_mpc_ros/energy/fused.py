"""A whole run of the unadjusted Langevin algorithm as one kernel, where Triton is present."""

from __future__ import annotations

import math
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from ebm_mpc_ros.energy.langevin import Chains

if TYPE_CHECKING:
    from torch import Tensor

    from ebm_mpc_ros.energy.bounds import Bounds
    from ebm_mpc_ros.energy.mlp import FoldedMLP

# 4096 chains are 128 blocks, one for nearly each of an H200's 132 multiprocessors. Of 256 units a
# block takes 180 KB of 227 KB; with half the warps each spills what it has no registers for.
_BLOCK = 32
_WARPS = 8
_NARROWEST = 16
_MOST_DRAWS = 2**31


def has_triton() -> bool:
    """Return whether Triton is installed."""
    return find_spec("triton") is not None


@torch.no_grad()
def fused_ula(
    energy: FoldedMLP,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    seed: int,
    bounds: Bounds | None = None,
    noise: Tensor | None = None,
) -> Chains:
    """Run `ula` with every step in one kernel, each block of chains keeping the weights on chip.

    Products are in the precision of the energy, bfloat16 for the weights to fit; the state is
    fp32. The noise is drawn in the kernel (Philox), from a stream other than torch's.

    Args:
        energy: The network at a condition, its hidden units a power of 2 from 16 up.
        x: Where the chains start, fp32 (K, d).
        step_size: ε.
        steps: How many steps.
        seed: Of the noise.
        bounds: A box at whose sides the chains are reflected.
        noise: z of each step (steps, K, d) in place of what the seed draws.

    Raises:
        ValueError: The step size, the units, the shape of the noise or all that is to be drawn is
            out of its range.
        ImportError: Triton is not installed.
    """
    kernel = _kernel()
    layers = energy.folded
    (chains, variables), hidden = x.shape, len(layers.weight)
    if not 0 < step_size < math.inf:
        raise ValueError(f"step_size is {step_size}, allowed are positive numbers")
    if hidden < _NARROWEST or hidden & (hidden - 1):
        raise ValueError(f"hidden is {hidden}, allowed are powers of 2 from {_NARROWEST} up")
    if noise is not None and noise.shape != (steps, chains, variables):
        raise ValueError(f"noise is {tuple(noise.shape)}, allowed is {(steps, *x.shape)}")
    if steps * x.numel() >= _MOST_DRAWS:
        raise ValueError(f"steps are {steps}, allowed are under {_MOST_DRAWS / x.numel():.0f} here")
    x = x.clone(memory_format=torch.contiguous_format)
    kernel[((chains + _BLOCK - 1) // _BLOCK,)](
        x,
        layers.inner,
        layers.offset,
        layers.weight,
        layers.bias,
        layers.outer,
        x if bounds is None else bounds.lower,
        x if bounds is None else bounds.upper - bounds.lower,
        x if noise is None else noise,
        chains,
        variables,
        steps,
        step_size / 2,
        math.sqrt(step_size),
        layers.scale,
        layers.pull,
        seed,
        hidden=hidden,
        padded=max(_NARROWEST, 1 << (variables - 1).bit_length()),
        block=_BLOCK,
        each=layers.offset.ndim == 2,
        bounded=bounds is not None,
        drawn=noise is None,
        num_warps=_WARPS,
        num_stages=1,  # the weights leave no room to load ahead
    )
    value, score = energy.energy_and_score(x)
    return Chains(
        x, value, score, 1.0 if steps else math.nan, step_size, steps, x.new_empty(0, chains)
    )


@cache
def _kernel() -> Any:
    jit = import_module("triton").jit
    # Triton compiles anew, for seconds, where an integer becomes 1 or divides by 16.
    changing = ["chains", "steps", "seed"]
    return jit(import_module("ebm_mpc_ros.energy.fused_kernel").walk, do_not_specialize=changing)
