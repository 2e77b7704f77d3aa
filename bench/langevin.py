"""A call of the Langevin sampler beside torchebm's, on the CPU and, where there is one, the GPU.

The energy is a network of 40 variables and 8 conditions with two hidden layers of SiLU units. On
the CPU a call is 50 steps on one thread, and the samplers take turns; times are CPU times, ratios
are those within a turn. On CUDA a call is 100 steps of 4096 chains at 256 hidden units.
"""

from __future__ import annotations

import gc
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

import torch
from report import Figure, conclude, options, shown

# Only `report` puts the package on the path.
# isort: split
from langevin_cuda import on_cuda
from langevin_peers import TorchEBM, autograd_loop, strayed

from ebm_mpc_ros.energy.langevin import ula
from ebm_mpc_ros.energy.mlp import EnergyMLP

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_VARIABLES, _CONDITIONS = 40, 8
_STEPS, _STEP_SIZE = 50, 0.05
_SIZES = {(128, 64): 0.45, (128, 256): 0.70, (256, 1024): 0.85}
_BF16 = {(256, 1024): 0.40}
# bf16 keeps 8 bits of a factor; the state and the noise stay fp32.
_STRAYED = {"fp32": 1e-4, "bf16": 2e-2}


def main() -> int:
    """Measure and print."""
    arguments = options(__doc__.splitlines()[0]).parse_args()
    turns = 5 if arguments.quick else 21
    if arguments.quick:
        print("--quick: 5 turns in place of 21")
    torch.set_num_threads(1)
    bf16 = _has_bf16()
    if not bf16:
        print("this CPU multiplies no bfloat16 (neither amx_bf16 nor avx512_bf16): left out")
    figures = []
    for hidden, chains in shown(list(_SIZES), "networks"):
        figures += _size(hidden, chains, turns, bf16=bf16)
    if torch.cuda.is_available():
        figures += on_cuda(_network(256), _condition())
    else:
        print("no CUDA device here: 4096 chains x 100 steps x 48-256-256-1 is left out")
    return conclude("a call of the Langevin sampler", figures, arguments)


def _size(hidden: int, chains: int, turns: int, *, bf16: bool) -> list[Figure]:
    network, c = _network(hidden), _condition()
    x = torch.randn(chains, _VARIABLES, generator=_generator())
    peer = TorchEBM(network, c, step_size=_STEP_SIZE, steps=_STEPS)

    def ours(dtype: torch.dtype) -> Tensor:
        energy = network.at(c, dtype=dtype)
        return ula(energy, x, step_size=_STEP_SIZE, steps=_STEPS, generator=_generator()).x

    runs: dict[str, Callable[[], Tensor]] = {
        "torchebm": lambda: peer(x, _generator()),
        "autograd": lambda: autograd_loop(
            network, c, x, step_size=_STEP_SIZE, steps=_STEPS, generator=_generator()
        ),
        "fp32": lambda: ours(torch.float32),
    }
    if bf16:
        runs["bf16"] = lambda: ours(torch.bfloat16)
    times = _take_turns(runs, turns)
    plain = runs["autograd"]()
    name = f"{hidden} hidden, {chains} chains"
    figures = []
    for run in ("fp32", "bf16")[: 1 + bf16]:
        bar = (_SIZES if run == "fp32" else _BF16).get((hidden, chains))
        figures += [
            Figure(
                f"{name}: {run} / torchebm",
                median(a / b for a, b in zip(times[run], times["torchebm"], strict=True)),
                "x",
                bar,
                ", ".join(f"{r} {1e3 * median(times[r]):.3g} ms" for r in (run, "torchebm")),
            ),
            Figure(
                f"{name}: {run}, off the plain loop",
                strayed(runs[run](), plain, x, _STEP_SIZE, _STEPS, _generator()),
                "",
                _STRAYED[run],
                f"of its drift, same noise; plain loop {1e3 * median(times['autograd']):.3g} ms",
            ),
        ]
    return figures


def _take_turns(runs: dict[str, Callable[[], Tensor]], turns: int) -> dict[str, list[float]]:
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    for _ in range(turns):
        for name, run in runs.items():
            start = time.thread_time()
            run()
            times[name].append(time.thread_time() - start)
    return times


def _network(hidden: int) -> EnergyMLP:
    torch.manual_seed(0)
    network = EnergyMLP(_VARIABLES, _CONDITIONS, hidden, confinement=0.0)
    for layer in (network.first, network.second, network.last):
        layer.weight.data.mul_(4.0)  # a drift that matters beside the noise
    return network.requires_grad_(False)


def _condition() -> Tensor:
    return torch.linspace(-1.0, 1.0, _CONDITIONS)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def _has_bf16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


if __name__ == "__main__":
    sys.exit(main())
