"""The energy of a mixture of Gaussians."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class GaussianMixture:
    """E = -log Σ wᵢ N(x; μᵢ, Σᵢ), with s = Σ wᵢ(x) Σᵢ⁻¹ (μᵢ - x), wᵢ(x) the posterior weights."""

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Take weights (C,) of sum one, means (C, d) and covariances (C, d, d).

        Raises:
            ValueError: Shapes disagree, or the weights are not positive or not of sum one.
        """
        count, size = means.shape
        if weights.shape != (count,) or covariances.shape != (count, size, size):
            raise ValueError(
                f"weights {tuple(weights.shape)} and covariances {tuple(covariances.shape)} "
                f"do not fit means {(count, size)}"
            )
        if not (
            bool((weights > 0).all()) and math.isclose(float(weights.sum()), 1.0, rel_tol=1e-5)
        ):
            raise ValueError(f"weights are {weights.tolist()}, allowed are positives of sum one")
        self._means = means
        self._precisions = torch.linalg.inv(covariances)
        self._log_scale = weights.log() - 0.5 * (
            torch.logdet(covariances) + size * math.log(2 * math.pi)
        )

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score (K, d) at `x` (K, d)."""
        energy, responsibility, pull = self._parts(x)
        return energy, _mean(responsibility, pull)

    def laplacian(self, x: Tensor) -> Tensor:
        """Return ΔE = Σ wᵢ(x) (tr Σᵢ⁻¹ - ‖Σᵢ⁻¹(μᵢ - x)‖²) + ‖s‖² (K,) at `x` (K, d)."""
        _, responsibility, pull = self._parts(x)
        traces = self._precisions.diagonal(dim1=1, dim2=2).sum(-1)
        own = torch.sum(responsibility * (traces - pull.square().sum(-1)), dim=-1)
        return own + _mean(responsibility, pull).square().sum(-1)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return E (K,), the weights wᵢ(x) (K, C) and Σᵢ⁻¹(μᵢ - x) (K, C, d)."""
        offset = self._means - x[:, None, :]
        pull = torch.einsum("kci,cij->kcj", offset, self._precisions)
        log_parts = self._log_scale - 0.5 * (offset * pull).sum(-1)
        energy = -torch.logsumexp(log_parts, dim=-1)
        return energy, torch.exp(log_parts + energy[:, None]), pull


def _mean(responsibility: Tensor, pull: Tensor) -> Tensor:
    return (responsibility[:, :, None] * pull).sum(1)
