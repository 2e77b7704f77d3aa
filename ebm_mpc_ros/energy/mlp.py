"""A network as the energy of a variable given a condition and, where trained so, a noise level."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebm_mpc_ros.energy import laplacian as forward

_FREQUENCIES = (1.0, 2.0, 4.0)
_ALIGNED_BYTES = 16


class EnergyMLP(nn.Module):
    """E(y; c) = f(y, c) + ½ κ ‖y‖², f two hidden layers of SiLU units.

    Noise-conditional, E(y; c, σ) = √(1 + σ²)/σ · f(y/√(1 + σ²), c, log σ) + ½ κ ‖y‖²/(1 + σ²):
    the score has the scale 1/σ that it has under denoising score matching at every level, and
    with κ = 1 the quadratic is the energy of normalised data under that noise, so that f learns
    the difference. Any κ > 0 makes exp(-E) integrable.
    """

    def __init__(
        self,
        variables: int,
        conditions: int,
        hidden: int,
        *,
        noise_conditional: bool = False,
        confinement: float = 1.0,
    ) -> None:
        """Take d, C, the units of a hidden layer, whether σ is a condition, and κ.

        Raises:
            ValueError: A size or κ is out of its range.
        """
        super().__init__()
        for name, value, least in (
            ("variables", variables, 1),
            ("conditions", conditions, 0),
            ("hidden", hidden, 1),
        ):
            if value < least:
                raise ValueError(f"{name} is {value}, allowed is {least} or more")
        if not 0 <= confinement < math.inf:
            raise ValueError(f"confinement is {confinement}, allowed are numbers from 0 up")
        self.variables, self.conditions, self.hidden = variables, conditions, hidden
        self.noise_conditional, self.confinement = noise_conditional, confinement
        levels = 1 + 2 * len(_FREQUENCIES) if noise_conditional else 0
        self.first = nn.Linear(variables + conditions + levels, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1, bias=False)

    def energy(self, y: Tensor, c: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return E (B,) of variables (B, d), conditions (B, C) and noise levels (B,).

        Raises:
            ValueError: σ is missing, or is given though the network does not take it.
        """
        layers = self._layers(c, sigma)
        output = torch.mv(nn.functional.silu(_hidden(layers, y)[1]), layers.outer)
        shrunk = (layers.shrink * y).square().sum(-1)
        return layers.scale[..., 0] * output + 0.5 * layers.confinement * shrunk

    def score(self, y: Tensor, c: Tensor, sigma: Tensor | None = None) -> Tensor:
        """Return s = -∂E/∂y (B, d), written out, so that its loss takes one backward pass.

        Raises:
            ValueError: As `energy`.
        """
        layers = self._layers(c, sigma)
        before, between = _hidden(layers, y)
        back = (layers.outer * forward.silu_slope(between)) @ layers.weight
        pull = (back * forward.silu_slope(before)) @ layers.inner
        return -layers.shrink * (layers.scale * pull + layers.confinement * layers.shrink * y)

    def score_and_laplacian(
        self, y: Tensor, c: Tensor, sigma: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return s (B, d) and ΔE = tr ∂²E/∂y² (B,), differentiable, by the forward Laplacian.

        Raises:
            ValueError: As `energy`.
        """
        return _score_and_laplacian(self._layers(c, sigma), y)

    @torch.no_grad()
    def at(
        self, c: Tensor, sigma: float | Tensor | None = None, *, dtype: torch.dtype | None = None
    ) -> FoldedMLP:
        """Return the energy of y given one condition (C,), or one a point (K, C), and one σ.

        Args:
            c: The condition or conditions.
            sigma: The noise level, one number.
            dtype: What the products are computed in, such as bfloat16; the parameters' by default.

        Raises:
            ValueError: As `energy`.
        """
        weight = self.second.weight
        if sigma is not None:
            sigma = torch.as_tensor(sigma, dtype=weight.dtype, device=weight.device).reshape(())
        layers = self._layers(c, sigma)
        # Copies: the energy stays what it is while the parameters are trained.
        kept = _Layers._make(part.detach().clone() for part in layers)
        return FoldedMLP(kept, dtype or weight.dtype)

    def _layers(self, c: Tensor, sigma: Tensor | None) -> _Layers:
        if (sigma is not None) != self.noise_conditional:
            takes = "a noise level" if self.noise_conditional else "no noise level"
            raise ValueError(f"sigma is {'missing' if sigma is None else 'given'}: takes {takes}")
        inner = self.first.weight[:, : self.variables]
        given = self.first.weight[:, self.variables :]
        offset = c @ given[:, : self.conditions].mT + self.first.bias
        scale = shrink = self.first.bias.new_ones(1)
        if sigma is not None:
            shrink = torch.rsqrt(1.0 + sigma.square())[..., None]
            scale = 1.0 / (shrink * sigma[..., None])
            offset = offset + _level_features(sigma) @ given[:, self.conditions :].mT
        weight, bias, outer = self.second.weight, self.second.bias, self.last.weight[0]
        return _Layers(
            inner, offset, weight, bias, outer, scale, shrink, scale.new_tensor(self.confinement)
        )


class _Layers(NamedTuple):
    """scale · outer · SiLU(weight SiLU(inner · shrink · y + offset) + bias) and its quadratic."""

    inner: Tensor  # (H, d)
    offset: Tensor  # (H,) or (B, H)
    weight: Tensor  # (H, H)
    bias: Tensor  # (H,)
    outer: Tensor  # (H,)
    scale: Tensor  # (1,) or (B, 1)
    shrink: Tensor  # the same
    confinement: Tensor  # ()


class Folded(NamedTuple):
    """s = pull · y - scale · innerᵀ(SiLU'(a) weightᵀ(SiLU'(b) outer)), what a kernel needs.

    a = inner y + offset and b = weight SiLU(a) + bias; shapes as in `EnergyMLP`'s layers.
    """

    inner: Tensor
    offset: Tensor
    weight: Tensor
    bias: Tensor
    outer: Tensor
    scale: float
    pull: float


class FoldedMLP:
    """An `EnergyMLP` at a condition: its part of the first layer is folded, nothing is recorded.

    A step is bound by its passes over memory: biases are rows of the factors, met by ones beside
    the points and the units; what scales the output is in the factor of the way back; slopes are
    taken where their arguments lie.

    Between calls it keeps what a call computes in: not for two threads at once.
    """

    def __init__(self, layers: _Layers, dtype: torch.dtype) -> None:
        """Take the network's layers at a condition and one noise level, and what to compute in."""
        self._layers = layers
        self._dtype = dtype
        self._scale = float(layers.scale)
        self._pull = -float(layers.confinement) * float(layers.shrink) ** 2
        inner = layers.shrink * layers.inner
        self._inner, self._weight, self._outer = (
            part.to(dtype) for part in (inner, layers.weight, layers.outer)
        )
        self._offset, self._bias = layers.offset.to(dtype), layers.bias.to(dtype)
        # Of each chain its own offset: no row holds it.
        self._each = layers.offset.ndim == 2
        self._first = _with_row(inner.mT, None if self._each else layers.offset, dtype)
        self._second = _with_row(layers.weight.mT, layers.bias, dtype)
        self._back = (-self._scale * layers.outer[:, None] * layers.weight).to(dtype)
        self._scratch = self._room(0)

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """Return the score (K, d) at `x` (K, d)."""
        self._forward(x)
        return self._backward(x)

    @torch.no_grad()
    def energy_and_score(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return E (K,) and the score (K, d) at `x` (K, d)."""
        output = nn.functional.silu(self._forward(x)) @ self._outer
        energy = output.to(x.dtype).mul_(self._scale)
        return energy.sub_(x.square().sum(-1), alpha=0.5 * self._pull), self._backward(x)

    @torch.no_grad()
    def laplacian(self, x: Tensor) -> Tensor:
        """Return ΔE (K,) at `x` (K, d), in the parameters' precision."""
        return _score_and_laplacian(self._layers, x)[1]

    @property
    def folded(self) -> Folded:
        """What the score is computed from, in the precision of the products."""
        layers = (self._inner, self._offset, self._weight, self._bias, self._outer)
        return Folded(*layers, self._scale, self._pull)

    def take(self, other: FoldedMLP) -> None:
        """Take another condition of the same network in place, as a captured graph reads it.

        Raises:
            ValueError: The other has another shape or another noise level.
        """
        fixed = (self._scale, self._pull, self._dtype) == (other._scale, other._pull, other._dtype)
        if not fixed or [t.shape for t in self._tensors] != [t.shape for t in other._tensors]:
            raise ValueError("energy is of another shape, noise level or precision")
        for mine, given in zip(self._tensors, other._tensors, strict=True):
            mine.copy_(given)

    @property
    def _tensors(self) -> list[Tensor]:
        return [
            value for value in (*vars(self).values(), *self._layers) if isinstance(value, Tensor)
        ]

    def _forward(self, x: Tensor) -> Tensor:
        """Return what enters the second layer's units (K, H), leaving all in the scratch."""
        if len(self._scratch.before) != len(x):
            self._scratch = self._room(len(x))
        room = self._scratch
        room.points.copy_(x)
        if self._each:
            torch.addmm(self._offset, room.points_and_ones, self._first, out=room.before)
        else:
            torch.mm(room.points_and_ones, self._first, out=room.before)
        torch.ops.aten.silu.out(room.before, out=room.units)
        return torch.mm(room.units_and_ones, self._second, out=room.between)

    def _backward(self, x: Tensor) -> Tensor:
        """Return the score (K, d) at the point of the last `_forward`, whose scratch it spends."""
        # The units have done their part: the way back takes their room, which spares the cache.
        back, before, between, ones = self._scratch[3:]
        through = torch.ops.aten.silu_backward.grad_input
        through(ones, between, grad_input=between)
        torch.mm(between, self._back, out=back)
        through(back, before, grad_input=back)
        if self._dtype == x.dtype:
            return torch.addmm(x, back, self._inner, beta=self._pull)
        score = (back @ self._inner).to(x.dtype)
        return score.add_(x, alpha=self._pull) if self._pull else score

    def _room(self, points: int) -> _Scratch:
        """Return room for what a call computes in."""
        one, (units, variables) = self._back.new_ones(()), self._inner.shape
        wide, high = (one.repeat(points, len(factor)) for factor in (self._first, self._second))
        before, between = (one.new_empty(points, units) for _ in range(2))
        ones = one.expand(points, units)
        return _Scratch(wide, wide[:, :variables], high, high[:, :units], before, between, ones)


class _Scratch(NamedTuple):
    """What a call on K points computes in."""

    points_and_ones: Tensor  # (K, d and more), ones meeting the row of the offset
    points: Tensor  # (K, d), of those
    units_and_ones: Tensor  # (K, H and more), ones meeting the row of the bias
    units: Tensor  # (K, H), of those
    before: Tensor  # (K, H)
    between: Tensor  # (K, H)
    ones: Tensor  # (K, H), one number


def _with_row(factor: Tensor, row: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Return a factor (n, H) over a row that is added to each product, none where there is none.

    A row that `dtype` rounds is followed by one of what it rounds off. Rows of zeros round the
    number of rows up to what products are fast with.
    """
    rows = [factor.to(dtype)]
    if row is not None:
        rows.append(row.to(dtype)[None])
        if dtype != row.dtype:
            rows.append((row - rows[-1][0].to(row.dtype)).to(dtype)[None])
    count = sum(len(part) for part in rows)
    rows.append(rows[0].new_zeros(-count % (_ALIGNED_BYTES // rows[0].itemsize), factor.shape[1]))
    return torch.cat(rows)


def _hidden(layers: _Layers, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return what enters the first and the second layer's units, (B, H) each."""
    before = (y * layers.shrink) @ layers.inner.mT + layers.offset
    return before, nn.functional.silu(before) @ layers.weight.mT + layers.bias


def _score_and_laplacian(layers: _Layers, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return s (B, d) and ΔE (B,): derivatives in shrink · y, scaled back to those in y."""
    jet = forward.silu(forward.affine(y * layers.shrink, layers.inner, layers.offset))
    jet = forward.silu(forward.linear(jet, layers.weight, layers.bias))
    shrink, scale = layers.shrink, layers.scale
    gradient = scale * (jet.jacobian @ layers.outer) + layers.confinement * shrink * y
    laplacian = scale[..., 0] * (jet.laplacian @ layers.outer) + layers.confinement * y.shape[-1]
    return -shrink * gradient, shrink[..., 0].square() * laplacian


def _level_features(sigma: Tensor) -> Tensor:
    """Return what the network is told of σ, (..., 7): log σ and waves in it."""
    level = sigma.log()[..., None] / 4.0
    waves = torch.pi * level * level.new_tensor(_FREQUENCIES)
    return torch.cat([level, waves.sin(), waves.cos()], dim=-1)
