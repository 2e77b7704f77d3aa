"""The N-D particle task of Implicit Behavioral Cloning: a learned energy that drives.

For each N an energy of learned wells and a regressor learn from 2,000 demonstrations, one seed,
and run 50 environment seeds × 20 episodes in chunks of 8 steps, open loop. The regressor is the
same network with one well, trained three times as many steps: its last layers, which place one
well and not 16, have fewer weights, and the table says how many each has. Both are shared by the
coordinates (`energy.networks.SharedNetwork`): they know that the task treats the coordinates
alike, which the paper's networks do not; `--network dense` takes perceptrons that do not know it
either.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report import Figure, conclude, options, shown

# Only `report` puts the package on the path.
# isort: split
import torch
from particle_policy import demonstrations, success, train_regressor, train_wells
from rates import interval, percent

from ebm_mpc_ros.energy.chunks import ChunkSampler, ChunkSettings
from ebm_mpc_ros.energy.device import use_one_thread
from ebm_mpc_ros.learning.training import TrainingSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from particle_policy import Regressor, Trained

    from ebm_mpc_ros.energy.wells import Wells

_SIZES = 1, 2, 4, 8, 16, 32
_BARS = {2: 95.0, 8: 95.0, 16: 94.0, 32: 70.0}
_PAPER = dict.fromkeys(_SIZES, "about 95 %") | {32: "some"}
_PAPER_REGRESSION = dict.fromkeys(_SIZES, "holds") | {16: "fails", 32: "fails"}
_SECONDS = 600.0
_FULL = TrainingSettings(steps=4000, patience=1000)
# What alike coordinates teach each other, a dense network learns for each of them.
_FULL_DENSE = replace(_FULL, steps=5000)
# A step of one well takes a third of the time where N is large.
_REGRESSOR_STEPS = 3
_QUICK = replace(_FULL, steps=1500)


@dataclass(frozen=True)
class Extent:
    """How much is measured: dimensions, and the training of energy and regressor for each."""

    sizes: tuple[int, ...]
    energy: TrainingSettings
    regressor: TrainingSettings
    network: str


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("shared", "dense"), default="shared")
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        choices=_SIZES,
        metavar="N",
        help="only these of 1, 2, 4, 8, 16, 32",
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.sizes:
        parser.error("--quick has sizes of its own: leave out --sizes")
    use_one_thread()
    extent = _extent(arguments)
    figures = [
        figure for size in shown(extent.sizes, "dimensions") for figure in _measure(size, extent)
    ]
    return conclude(f"the N-D particle task, {extent.network} network", figures, arguments)


def _extent(arguments: argparse.Namespace) -> Extent:
    if not arguments.quick:
        energy = _FULL_DENSE if arguments.network == "dense" else _FULL
        regressor = replace(energy, steps=_REGRESSOR_STEPS * energy.steps)
        return Extent(tuple(arguments.sizes or _SIZES), energy, regressor, arguments.network)
    print("--quick: N = 1 and 2 only, 1,500 training steps of each in place of the full number")
    return Extent(_SIZES[:2], _QUICK, _QUICK, arguments.network)


def _measure(size: int, extent: Extent) -> list[Figure]:
    data, spread, oracle = demonstrations(size)
    wells = train_wells(data, size, extent.network, extent.energy)
    regressor = train_regressor(data, size, extent.network, extent.regressor)
    settings = ChunkSettings()
    sampler = ChunkSampler(wells.module, settings, torch.Generator().manual_seed(0))

    def failures(
        name: str, chunk: Callable[[torch.Tensor], torch.Tensor], paper: str, held: bool = False
    ) -> Figure:
        succeeded = success(chunk, spread, size)
        bar = 100.0 - _BARS[size] if held and size in _BARS else None
        beside = f"success {percent(succeeded):.1f} % {interval(succeeded)}{paper}"
        return Figure(
            f"N={size}: failures, {name}", 100.0 * (1.0 - succeeded.mean()), "%", bar, beside
        )

    paper = f"; paper {_PAPER[size]}"
    figures = [
        Figure(f"N={size}: failures, oracle", 100.0 * (1.0 - oracle.mean()), "%", 0.0),
        failures("energy, noise-free descent", sampler.descend, paper, held=True),
        failures("energy, one Langevin chain", sampler.sample, paper),
        failures(f"energy, lowest of {settings.chains}", sampler.lowest, paper),
        failures("squared error", regressor.module, f"; paper {_PAPER_REGRESSION[size]}"),
        *(
            Figure(f"N={size}: training, {name}", trained.seconds, "s", _SECONDS, _size_of(trained))
            for name, trained in (("energy", wells), ("squared error", regressor))
        ),
    ]
    for figure in figures:
        print(f"{figure.name}: {figure.value:.4g} {figure.unit} {figure.beside}", flush=True)
    return figures


def _size_of(trained: Trained[Wells] | Trained[Regressor]) -> str:
    return f"{sum(weight.numel() for weight in trained.module.parameters())} weights"


if __name__ == "__main__":
    sys.exit(main())
