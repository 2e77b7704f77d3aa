"""The forward Laplacian: value, Jacobian and Laplacian carried through a network layer by layer.

Exact, and one pass in place of the d passes of a Hessian's trace (Li et al., Nature Machine
Intelligence 6, 2024).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Jet(NamedTuple):
    """Values (B, n), their Jacobians (B, d, n) and Laplacians (B, n) in d variables.

    A leading 1 in place of B stands for what is the same for every sample.
    """

    value: Tensor
    jacobian: Tensor
    laplacian: Tensor


def affine(y: Tensor, weight: Tensor, offset: Tensor) -> Jet:
    """Return the jet of y Wᵀ + offset in `y` (B, d), W (n, d), the offset (n,) or (B, n)."""
    value = y @ weight.mT + offset
    return Jet(value, weight.mT[None], value.new_zeros(1, weight.shape[0]))


def linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """Return the jet of f Wᵀ + b for that of f, W (m, n)."""
    value = jet.value @ weight.mT
    return Jet(
        value if bias is None else value + bias,
        jet.jacobian @ weight.mT,
        jet.laplacian @ weight.mT,
    )


def silu(jet: Jet) -> Jet:
    """Return the jet of SiLU(f): Δ SiLU(f) = SiLU'(f) Δf + SiLU''(f) ‖∇f‖²."""
    value, gate = jet.value, torch.sigmoid(jet.value)
    slope = silu_slope(value)
    curvature = gate * (1.0 - gate) * (2.0 + value * (1.0 - 2.0 * gate))
    return Jet(
        value * gate,
        slope[:, None, :] * jet.jacobian,
        slope * jet.laplacian + curvature * jet.jacobian.square().sum(1),
    )


def silu_slope(x: Tensor) -> Tensor:
    """Return SiLU'(x) = σ(x) (1 + x (1 - σ(x))), differentiable."""
    gate = torch.sigmoid(x)
    return gate * (1.0 + x * (1.0 - gate))
