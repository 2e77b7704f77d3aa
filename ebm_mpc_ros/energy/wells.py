"""A noise-conditional energy of a variable given a condition, made of learned wells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from ebm_mpc_ros.energy.networks import constants
from ebm_mpc_ros.energy.score_matching import denoising

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator


class WellNetwork(Protocol):
    """What places the wells: a module of a condition.

    Attributes:
        variables: d.
        conditions: C.
        wells: W.
        weights: J, how many numbers each well's weight is made of.
    """

    variables: int
    conditions: int
    wells: int
    weights: int

    def __call__(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the wells' centres (B, W, d) and weight coefficients (B, W, J) at c (B, C)."""


class PlacedWells:
    """E(y) = -log Σ_k w_k exp(-‖y - μ_k‖² / 2σ²): the wells at E given conditions and σ.

    It takes K points of which the first K/E belong to the first condition, and so on. With r_k the
    share of well k at y and g_k = (μ_k - y)/σ², the score is s = Σ r_k g_k and the Laplacian
    ΔE = d/σ² - Σ r_k ‖g_k‖² + ‖s‖².
    """

    def __init__(self, centres: Tensor, log_weights: Tensor, sigma: Tensor) -> None:
        """Take centres (E, W, d), log weights (E, W) and σ (E or 1,)."""
        self._variance = sigma.square().view(-1, 1, 1)
        # About their mean, so that the squares below cancel little.
        self._middle = centres.mean(1, keepdim=True)
        self._offsets = centres - self._middle
        self._log_weights = log_weights.expand(len(centres), -1)
        squares = self._offsets.square().sum(-1)[:, None]
        self._bias = log_weights[:, None] - squares / (2.0 * self._variance)

    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score s = -∇E (K, d) at `x` (K, d)."""
        q, logits = self._logits(x)
        return self._energy(q, logits), self._pull(q, logits).view_as(x)

    def energy(self, x: Tensor) -> Tensor:
        """Return E (K,) at `x` (K, d)."""
        return self._energy(*self._logits(x))

    def score(self, x: Tensor) -> Tensor:
        """Return the score (K, d) at `x` (K, d)."""
        return self._pull(*self._logits(x)).view_as(x)

    def laplacian(self, x: Tensor) -> Tensor:
        """Return the trace of the Hessian of E (K,) at `x` (K, d)."""
        share = self._logits(x)[1].softmax(-1)
        mean = share @ self._offsets
        # Σ r_k ‖g_k‖² - ‖s‖² is the spread of the centres about their mean, over σ⁴.
        spread = (share * self._offsets.square().sum(-1)[:, None]).sum(-1) - mean.square().sum(-1)
        variance = self._variance[..., 0]
        return (x.shape[-1] / variance - spread / variance.square()).view(-1)

    def _logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y about the middle (E, K/E, d), and log of w_k exp(-‖y-μ_k‖²/2σ²) but for E."""
        q = x.reshape(len(self._offsets), -1, x.shape[-1]) - self._middle
        return q, torch.baddbmm(self._bias, q / self._variance, self._offsets.mT)

    def _energy(self, q: Tensor, logits: Tensor) -> Tensor:
        # Against the deepest well, since at a small σ the squares would leave no digits of E.
        deepest = logits.argmax(-1, keepdim=True)
        offset = q - torch.take_along_dim(self._offsets, deepest, 1)
        log_weight = torch.take_along_dim(self._log_weights, deepest[..., 0], 1)
        others = (logits - logits.take_along_dim(deepest, -1)).logsumexp(-1)
        energy = offset.square().sum(-1) / (2.0 * self._variance[..., 0]) - log_weight - others
        return energy.view(-1)

    def _pull(self, q: Tensor, logits: Tensor) -> Tensor:
        return (torch.bmm(logits.softmax(-1), self._offsets) - q) / self._variance


class Wells(nn.Module):
    """E(y; c, σ) = -log Σ_k w_k(c, σ) exp(-‖y - μ_k(c)‖² / 2σ²).

    At each σ it is the energy of data that lie at the centres, seen through noise N(0, σ² I). The
    weights, Σ_k w_k = 1, depend on σ by smooth bumps over log σ, so that the network looks at a
    condition once for all σ. Where no σ is given it is the least.
    """

    def __init__(self, network: WellNetwork, sigma_range: tuple[float, float]) -> None:
        """Take what places the wells, and the least and the largest σ.

        Raises:
            ValueError: The range is not one of positive numbers, or the network gives each weight
                fewer than three numbers.
        """
        super().__init__()
        low, high = sigma_range
        if not 0.0 < low < high < math.inf:
            raise ValueError(f"sigma_range is {sigma_range}, allowed is 0 < least < largest")
        if network.weights < 3:
            raise ValueError(f"the network's weights are {network.weights}, allowed is 3 or more")
        self.variables, self.conditions = network.variables, network.conditions
        self.sigma_range = low, high
        self.network = network
        count = network.weights - 1
        places = constants(count, lambda: torch.linspace(math.log(low), math.log(high), count))
        self._bumps_per_log = (network.weights - 2) / math.log(high / low)
        self._places: Tensor
        self.register_buffer("_places", places)

    def energy(self, y: Tensor, c: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return E (B,) at y (B, d), c (B, C), σ (B,)."""
        return self._placed(c, sigma).energy_and_score(y)[0]

    def score(self, y: Tensor, c: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return the score -∂E/∂y (B, d) at y (B, d), c (B, C), σ (B,)."""
        return self._placed(c, sigma).score(y)

    @torch.no_grad()
    def at(self, c: Tensor, sigma: float | Tensor | None = None) -> PlacedWells:
        """Return the energy of y at a condition (C,) or at each of (E, C), and σ, one or (E,)."""
        return self._placed(c.view(-1, self.conditions), sigma)

    @torch.no_grad()
    def levels(self, c: Tensor, sigmas: Sequence[float]) -> list[PlacedWells]:
        """Return `at(c, σ)` for each σ; the network runs once."""
        centres, coefficients = self.network(c.view(-1, self.conditions))
        levels = torch.tensor(sigmas, dtype=centres.dtype, device=centres.device)
        log_weights = (coefficients @ self._basis(levels).mT).log_softmax(1)
        return [
            PlacedWells(centres, log_weights[..., i], levels[i : i + 1]) for i in range(len(levels))
        ]

    def _placed(self, c: Tensor, sigma: float | Tensor | None) -> PlacedWells:
        return self._under(*self.network(c), self.sigma_range[0] if sigma is None else sigma)

    def _under(self, centres: Tensor, coefficients: Tensor, sigma: float | Tensor) -> PlacedWells:
        """Return the wells of centres (E, W, d) and weight coefficients (E, W, J) under σ."""
        sigma = torch.as_tensor(sigma, dtype=centres.dtype, device=centres.device).view(-1)
        log_weights = (coefficients @ self._basis(sigma)[..., None])[..., 0].log_softmax(-1)
        return PlacedWells(centres, log_weights, sigma)

    def _basis(self, sigma: Tensor) -> Tensor:
        """Return what the weights' coefficients multiply at σ (S,), (S, J)."""
        bumps = (sigma.log()[:, None] - self._places) * self._bumps_per_log
        return torch.cat([torch.ones_like(bumps[:, :1]), bumps.square().neg().exp()], dim=-1)


def denoising_loss(wells: Wells, c: Tensor, y: Tensor, generator: Generator) -> Tensor:
    """Return the mean of ½ σ⁴ ‖∇E(ỹ) - (ỹ - y)/σ²‖², ỹ = y + σ z, log σ uniform in its range.

    This is half the squared error of the noise-free y that a score means, Σ r_k μ_k, so every σ
    counts alike. Weighted by σ², all is spent on how exactly the wells lie, and what their weights
    say at large σ, that is which well it is to be, is learned poorly.
    """
    low, high = (math.log(value) for value in wells.sigma_range)
    draw = torch.rand(len(y), generator=generator, dtype=y.dtype, device=y.device)
    sigma = (low + (high - low) * draw).exp()
    noise = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
    return (sigma.square() * denoising(wells.score, y, c, sigma, noise)).mean()
