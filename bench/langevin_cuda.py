"""A call of 4096 chains and 100 steps on a GPU: launch by launch, as a graph, as one kernel."""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import torch
from report import Figure

# Only `report` puts the package on the path.
# isort: split
from langevin_peers import autograd_loop, strayed

from ebm_mpc_ros.energy.fused import fused_ula, has_triton
from ebm_mpc_ros.energy.graph import GraphedULA
from ebm_mpc_ros.energy.langevin import ula

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ebm_mpc_ros.energy.mlp import EnergyMLP

_CHAINS, _STEPS, _STEP_SIZE = 4096, 100, 0.05
_CALLS = 20
_STRAYED = {"fp32": 1e-3, "bf16": 5e-2}
_BOUND = "bound 0.13 ms, of an H200's bf16 products alone"


def on_cuda(network: EnergyMLP, c: Tensor) -> list[Figure]:
    """Return the figures of the default CUDA device."""
    network, c = network.to("cuda"), c.to("cuda")
    generator = torch.Generator("cuda")
    x = torch.randn(_CHAINS, network.variables, device="cuda", generator=generator)
    plain = autograd_loop(
        network, c, x, step_size=_STEP_SIZE, steps=_STEPS, generator=generator.manual_seed(2)
    )
    figures = []
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        energy = network.at(c, dtype=dtype)
        eager = partial(ula, energy, x, step_size=_STEP_SIZE, steps=_STEPS, generator=generator)
        graph = GraphedULA(energy, x, step_size=_STEP_SIZE, steps=_STEPS, generator=generator)
        generator.manual_seed(2)
        off = strayed(graph(x).x, plain, x, _STEP_SIZE, _STEPS, generator.manual_seed(2))
        bar = 3.0 if name == "bf16" else None
        figures += [
            Figure(f"CUDA: {name}, launch by launch", _milliseconds(eager), "ms", None, _BOUND),
            Figure(f"CUDA: {name}, one graph", _milliseconds(partial(graph, x)), "ms", bar, _BOUND),
            Figure(
                f"CUDA: {name}, graph off the plain loop", off, "", _STRAYED[name], "same noise"
            ),
        ]
    if not has_triton():
        print("no Triton here: the fused kernel is left out")
        return figures
    energy = network.at(c, dtype=torch.bfloat16)
    generator.manual_seed(2)
    noise = torch.stack(
        [torch.randn(x.shape, generator=generator, device="cuda") for _ in range(_STEPS)]
    )
    fused = partial(fused_ula, energy, x, step_size=_STEP_SIZE, steps=_STEPS, seed=3)
    off = strayed(fused(noise=noise).x, plain, x, _STEP_SIZE, _STEPS, generator.manual_seed(2))
    return [
        *figures,
        Figure("CUDA: bf16, fused kernel", _milliseconds(fused), "ms", 0.8, _BOUND),
        Figure("CUDA: bf16, fused off the plain loop", off, "", _STRAYED["bf16"], "same noise"),
    ]


def _milliseconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(_CALLS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - start))
    return median(times)
