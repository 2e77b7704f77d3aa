"""Networks that place the wells of `Wells`; with one well they are plain regressors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

_GAINS = 1.0, 30.0
_FLOOR = 1e-6


class DenseNetwork(nn.Module):
    """A perceptron of the whole condition, with a linear path of its own to every centre.

    The first layer's units have fixed gains, spread evenly in their logarithm from 1 to 30, so
    that differences far smaller than the data's spread are seen.

    The balanced form divides those units by their gains and what is added to the linear path by
    the layer's width, so that one step of Adam moves the centres less, and its wells begin as one,
    told apart by their weights. It trains to more exact centres than the plain form.
    """

    def __init__(
        self,
        conditions: int,
        variables: int,
        *,
        wells: int = 16,
        hidden: int = 256,
        weights: int = 8,
        balanced: bool = False,
    ) -> None:
        """Take C, d, W, the width of both hidden layers, J, and the form.

        Raises:
            ValueError: A size is below 1.
        """
        super().__init__()
        _check_sizes(
            conditions=conditions, variables=variables, wells=wells, hidden=hidden, weights=weights
        )
        self.conditions, self.variables = conditions, variables
        self.wells, self.weights = wells, weights
        self.first = nn.Linear(conditions, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.centres = nn.Linear(hidden, wells * variables)
        _silence(self.centres)
        self.skip = nn.Linear(conditions, wells * variables, bias=False)
        self.coefficients = nn.Linear(hidden, wells * weights)
        self._gains: Tensor
        self.register_buffer("_gains", _gains(hidden))
        self._balanced, self._share = balanced, 1.0 / hidden if balanced else 1.0
        if balanced:
            nn.init.zeros_(self.skip.weight)

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centres (B, W, d) and weight coefficients (B, W, J) at c (B, C)."""
        h = nn.functional.silu(self.first(c) * self._gains)
        if self._balanced:
            h = h / self._gains
        h = nn.functional.silu(self.second(h))
        centres = self.skip(c) + self._share * self.centres(h)
        return (
            centres.view(-1, self.wells, self.variables),
            self.coefficients(h).view(-1, self.wells, self.weights),
        )


class SharedNetwork(nn.Module):
    """One network for every coordinate, and what it pools over them.

    It is for conditions that are F features of each of N coordinates, c = (F, N) row by row, and
    variables that are T values of each, y = (T, N), where coordinates are alike: renumbering them
    renumbers the result. What the coordinates know of each other is the logarithm of the mean
    square of learned linear features, which tells a distance to the same relative accuracy far
    off and near.
    """

    def __init__(
        self,
        features: int,
        values: int,
        coordinates: int,
        *,
        wells: int = 16,
        hidden: int = 64,
        weights: int = 8,
    ) -> None:
        """Take F, T, N, W, the width of the layers, and J.

        Raises:
            ValueError: A size is below 1.
        """
        super().__init__()
        _check_sizes(features=features, values=values, coordinates=coordinates)
        _check_sizes(wells=wells, hidden=hidden, weights=weights)
        self.conditions, self.variables = features * coordinates, values * coordinates
        self.wells, self.weights = wells, weights
        self._shape = features, coordinates
        self.pooled = nn.Linear(features, hidden)
        self.summary = nn.Sequential(
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.first = nn.Linear(features, hidden)
        self.context = nn.Linear(hidden, hidden, bias=False)
        self.second = nn.Linear(hidden, hidden)
        self.centres = nn.Linear(hidden, wells * values)
        _silence(self.centres)
        self.skip = nn.Linear(features, wells * values, bias=False)
        self.coefficients = nn.Linear(hidden, wells * weights)
        self.register_buffer("_gains", _gains(hidden))

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centres (B, W, T N) and weight coefficients (B, W, J) at c (B, F N)."""
        f = c.view(-1, *self._shape).mT
        size = (self.pooled(f).square().mean(1) + _FLOOR).log()
        summary = self.summary(size)
        h = nn.functional.silu(self.first(f) * self._gains + self.context(summary)[:, None])
        h = nn.functional.silu(self.second(h))
        centres = (self.centres(h) + self.skip(f)).mT
        return (
            centres.reshape(-1, self.wells, self.variables),
            self.coefficients(summary).view(-1, self.wells, self.weights),
        )


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}, allowed is 1 or more")


def _silence(layer: nn.Linear) -> None:
    """Let a layer begin at zero, so that the linear path beside it begins alone."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


def constants(count: int, reckon: Callable[[], Tensor]) -> Tensor:
    """Return what `reckon` does, (count,); on the meta device only its shape.

    To reckon there would make torch import sympy, which takes a second.
    """
    empty = torch.empty(count)
    return empty if empty.is_meta else reckon()


def _gains(count: int) -> Tensor:
    low, high = _GAINS
    return constants(count, lambda: low * (high / low) ** torch.linspace(0.0, 1.0, count))
