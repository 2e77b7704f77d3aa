"""A Gaussian whose centre and width a network tells, as an energy of a variable."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Between the likelihood, 0, in which what is known best outweighs all else, and 1, in which the
# centres are learned as by squared errors in units of the width.
_BETA = 0.25


class ConditionalGaussian(nn.Module):
    """E(y; c) = ½ ‖(y - m(c)) / s(c)‖², m and log s of two hidden layers and a linear path.

    It begins as N(0, I), and so as the nominal model where y is its residual.

    Unlike `EnergyMLP` it has one mode and a known normaliser, and so is trained by the likelihood,
    which finds centres far more exactly than score matching does where widths differ.
    """

    def __init__(self, variables: int, conditions: int, hidden: int) -> None:
        """Take d, C and the units of a hidden layer.

        Raises:
            ValueError: A size is below 1.
        """
        super().__init__()
        for name, value in (
            ("variables", variables),
            ("conditions", conditions),
            ("hidden", hidden),
        ):
            if value < 1:
                raise ValueError(f"{name} is {value}, allowed is 1 or more")
        self.variables, self.conditions, self.hidden = variables, conditions, hidden
        self.first = nn.Linear(conditions, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2 * variables, bias=False)
        self.skip = nn.Linear(conditions, 2 * variables)
        for part in (self.last.weight, self.skip.weight, self.skip.bias):
            nn.init.zeros_(part)

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centres m (B, d) and log s (B, d) at c (B, C)."""
        silu = nn.functional.silu
        told = self.last(silu(self.second(silu(self.first(c))))) + self.skip(c)
        return told[..., : self.variables], told[..., self.variables :]

    def energy(self, y: Tensor, c: Tensor) -> Tensor:
        """Return E (B,) of variables (B, d) and conditions (B, C)."""
        centre, width = self(c)
        energy: Tensor = 0.5 * ((y - centre) * torch.exp(-width)).square().sum(-1)
        return energy


def likelihood(network: ConditionalGaussian, y: Tensor, c: Tensor) -> Tensor:
    """Return -log p(y; c) (B,) but for a constant, which is lowest at the truth.

    Args:
        network: The energy.
        y: Variables (B, d).
        c: Conditions (B, C).
    """
    centre, width = network(c)
    return _each(centre, width, y).sum(-1)


def weighted_likelihood(network: ConditionalGaussian, y: Tensor, c: Tensor) -> Tensor:
    """Return -Σᵢ sᵢ^(2β) log p(yᵢ; c) (B,) but for a constant, β = ¼, weights held: to descend on.

    With weights that depend on c alone its slope is 0 where the likelihood's is, but broad
    coordinates are learned as soon as narrow ones (Seitzer et al., ICLR 2022). Its value, in which
    the weights count, is lowest where s is too small, and so judges nothing.

    Args:
        network: The energy.
        y: Variables (B, d).
        c: Conditions (B, C).
    """
    centre, width = network(c)
    weights = torch.exp(2.0 * _BETA * width.detach())
    return (weights * _each(centre, width, y)).sum(-1)


def _each(centre: Tensor, width: Tensor, y: Tensor) -> Tensor:
    return 0.5 * ((y - centre) * torch.exp(-width)).square() + width
