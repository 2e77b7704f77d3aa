"""Score matching, conditional throughout: losses of each sample, to be averaged by the caller.

A score is s(y; c) = -∂E/∂y, the gradient in the variable y only; c is the condition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def explicit(
    score: Callable[[Tensor, Tensor], Tensor], y: Tensor, c: Tensor, target: Tensor
) -> Tensor:
    """Return ½ ‖s_data - s‖² (B,), where the data's score is known.

    Args:
        score: (y (B, d), c (B, C)) -> s (B, d).
        y: Variables (B, d).
        c: Conditions (B, C).
        target: s_data (B, d).
    """
    return 0.5 * (target - score(y, c)).square().sum(-1)


def implicit(
    score_and_laplacian: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], y: Tensor, c: Tensor
) -> Tensor:
    """Return ½ ‖∇E‖² - ΔE (B,), with the exact trace (Hyvärinen, JMLR 6, 2005).

    Args:
        score_and_laplacian: (y (B, d), c (B, C)) -> (s (B, d), ΔE (B,)).
        y: Variables (B, d).
        c: Conditions (B, C).
    """
    score, laplacian = score_and_laplacian(y, c)
    return 0.5 * score.square().sum(-1) - laplacian


def sliced(
    score: Callable[[Tensor, Tensor], Tensor], y: Tensor, c: Tensor, probes: Tensor
) -> Tensor:
    """Return ½ ‖∇E‖² - vᵀ ∇²E v (B,), averaged over the probes v.

    The variance-reduced form of Song et al., UAI 2019: only the trace is sliced.

    Args:
        score: (y (B, d), c (B, C)) -> s (B, d), differentiable in y.
        y: Variables (B, d).
        c: Conditions (B, C).
        probes: v (P, B, d) with E[v vᵀ] = I, as `rademacher` draws them.
    """
    learning = torch.is_grad_enabled()
    with torch.enable_grad():  # a held-out loss needs the derivative in y too
        y = y.detach().requires_grad_()
        s = score(y, c)
        curvature = torch.zeros_like(s[:, 0])
        for v in probes:
            (product,) = torch.autograd.grad(  # -∇²E v
                (s * v).sum(), y, create_graph=learning, retain_graph=True
            )
            curvature = curvature - (product * v).sum(-1)
        loss = 0.5 * s.square().sum(-1) - curvature / len(probes)
    return loss if learning else loss.detach()


def denoising(
    score: Callable[[Tensor, Tensor, Tensor], Tensor],
    y: Tensor,
    c: Tensor,
    sigma: Tensor,
    noise: Tensor,
) -> Tensor:
    """Return ½ σ² ‖∇E(ỹ) - (ỹ - y)/σ²‖² (B,), ỹ = y + σ z (Vincent, Neural Computation 23, 2011).

    Weighted by σ², the levels count alike (Song and Ermon, NeurIPS 2019).

    Args:
        score: (ỹ (B, d), c (B, C), σ (B,)) -> s (B, d).
        y: Variables (B, d).
        c: Conditions (B, C).
        sigma: σ of each sample (B,).
        noise: z ~ N(0, I) (B, d).
    """
    level = sigma[:, None]
    return 0.5 * (level * score(y + level * noise, c, sigma) + noise).square().sum(-1)


def rademacher(probes: int, y: Tensor, generator: torch.Generator) -> Tensor:
    """Return probes (P, B, d) of ±1: of all with E[v vᵀ] = I, those of least variance."""
    shape = (probes, *y.shape)
    draws = torch.randint(0, 2, shape, generator=generator, device=y.device, dtype=y.dtype)
    return draws.mul_(2.0).sub_(1.0)
