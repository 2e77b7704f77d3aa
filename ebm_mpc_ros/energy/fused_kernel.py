"""The Triton kernel of `fused_ula`, yet to be compiled."""
# ruff: noqa: ANN001  Triton reads annotations as types of its own
# mypy: disable-error-code="name-defined, no-untyped-def"

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

# Triton looks this name up where the kernel is compiled; the module imports without it.
tl: Any = import_module("triton.language") if find_spec("triton") is not None else None


def walk(
    x_at,
    inner_at,
    offset_at,
    weight_at,
    bias_at,
    outer_at,
    lower_at,
    width_at,
    noise_at,
    chains,
    variables,
    steps,
    drift,
    root,
    scale,
    pull,
    seed,
    hidden: tl.constexpr,
    padded: tl.constexpr,
    block: tl.constexpr,
    each: tl.constexpr,
    bounded: tl.constexpr,
    drawn: tl.constexpr,
) -> None:
    """Walk a block of chains all its steps; the weights are read once and stay on the chip."""
    # A chain is a column: a Hopper multiplies 64 rows of weights at a time but as few columns as 8,
    # so that blocks are small enough for every multiprocessor to have one.
    rows = tl.program_id(0) * block + tl.arange(0, block)
    columns = tl.arange(0, padded)
    units = tl.arange(0, hidden)
    there = columns < variables
    inside = there[:, None] & (rows < chains)[None, :]
    at = rows[None, :] * variables + columns[:, None]
    x = tl.load(x_at + at, mask=inside, other=0.0)
    inner = tl.load(
        inner_at + units[:, None] * variables + columns[None, :], mask=there[None, :], other=0.0
    )
    weight = tl.load(weight_at + units[:, None] * hidden + units[None, :])
    if not each:
        offset = tl.load(offset_at + units).to(tl.float32)[:, None]
    bias = tl.load(bias_at + units).to(tl.float32)[:, None]
    outer = tl.load(outer_at + units).to(tl.float32)[:, None]
    if bounded:
        lower = tl.load(lower_at + columns, mask=there, other=0.0)[:, None]
        width = tl.load(width_at + columns, mask=there, other=1.0)[:, None]
    for step in range(steps):
        if each:  # too many numbers to keep
            offset = tl.load(
                offset_at + rows[None, :] * hidden + units[:, None],
                mask=(rows < chains)[None, :],
                other=0.0,
            ).to(tl.float32)
        before = tl.dot(inner, x.to(inner.dtype), input_precision="ieee") + offset
        gate = tl.sigmoid(before)
        value = before * gate
        slope = (gate + value * (1.0 - gate)).to(weight.dtype)
        between = tl.dot(weight, value.to(weight.dtype), input_precision="ieee") + bias
        gate = tl.sigmoid(between)
        back = outer * (gate + between * gate * (1.0 - gate))
        back = tl.dot(tl.trans(weight), back.to(weight.dtype), input_precision="ieee") * slope
        pulled = tl.dot(tl.trans(inner), back.to(inner.dtype), input_precision="ieee")
        gradient = scale * pulled - pull * x
        index = step * chains * variables + at
        if drawn:
            noise = tl.randn(seed, index)
        else:
            noise = tl.load(noise_at + index, mask=inside, other=0.0)
        x = x - drift * gradient + root * noise
        if bounded:
            offcut = x - lower
            offcut = offcut - 2.0 * width * tl.floor(offcut / (2.0 * width))
            x = lower + width - tl.abs(offcut - width)
            x = tl.minimum(tl.maximum(x, lower), lower + width)
    tl.store(x_at + at, x, mask=inside)
