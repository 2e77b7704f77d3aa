"""An obstacle with two sides: what learned from demonstrations passes it, and how often it touches.

An episode is an arc with an obstacle on its middle, both drawn at random, in the headless
simulation; states are the true ones. Settings are policy_node's but for its rate, here a plan every
0.2 s, and its time limit. The energy is that which ships. The squared-error policy is
the same network with one well, trained on the same bag as many steps; its chunk is that well's
centre. Without `--bag` the demonstrations are recorded first.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from report import ROOT, Figure, conclude, options, shown

# Only `report` puts the package on the path.
# isort: split
import numpy as np
from rates import interval, percent
from two_sided_drives import DT, drive
from two_sided_regression import demonstrated, regression

from ebm_mpc_ros.energy.device import use_one_thread
from ebm_mpc_ros.learning.checkpoint import load
from ebm_mpc_ros.learning.policy import LearnedPolicy
from ebm_mpc_ros.ros.parameters import read
from ebm_mpc_ros.ros.policy_choice import plan_cost, policy_settings
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS
from ebm_mpc_ros.tools.demonstrator import MODEL, SPEED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from two_sided_drives import Episode

    from ebm_mpc_ros.energy.cost import PlanCost

_SHIPPED = ROOT / "checkpoints" / "two_sided.safetensors"
_CONFIG = ROOT / "config" / "two_sided.yaml"
_MOST_ON_A_SIDE = 80.0
_MOST_LATE = 1.0


_PARAMETERS, _ = read(POLICY_PARAMETERS, {"checkpoint": str(_SHIPPED), "cruise_speed": SPEED})
_SETTINGS = replace(policy_settings(_PARAMETERS), time_limit=math.inf)


class Contest(NamedTuple):
    """Who drives, with which energies added and what behind it, and how often it may touch in %."""

    name: str
    checkpoint: Path
    obstacles_added: bool
    controlled: bool
    at_most: float | None
    both_sides: bool


def main() -> int:
    """Drive and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--bag", type=Path, help="what `demonstrate` recorded")
    parser.add_argument("--checkpoint", type=Path, default=_SHIPPED, help="the energy's")
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="at once (all CPUs)"
    )
    parser.add_argument("--episodes", type=int, default=200, help="of each column (default 200)")
    arguments = parser.parse_args()
    use_one_thread()
    if arguments.quick:
        arguments.episodes = 20
        print("--quick: 20 episodes of 200, and no squared-error policy, which has to be trained")
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for contest in _contests(arguments, Path(folder)):
            figures += _measure(contest, arguments)
    return conclude("two-sided obstacle", figures, arguments)


def _contests(arguments: argparse.Namespace, folder: Path) -> Iterator[Contest]:
    energy = arguments.checkpoint
    yield Contest("energy", energy, True, False, 1.0, True)
    yield Contest("energy, MPC behind it", energy, True, True, 0.0, True)
    if arguments.quick:
        return
    yield Contest("energy, nothing added", energy, False, False, None, True)
    bag = arguments.bag or demonstrated(folder / "bag")
    squared = regression(bag, _CONFIG, folder / "regression.safetensors")
    yield Contest("squared error", squared, False, False, None, False)
    yield Contest("squared error, obstacle added", squared, True, False, None, False)


def _measure(contest: Contest, arguments: argparse.Namespace) -> list[Figure]:
    with multiprocessing.get_context("spawn").Pool(arguments.processes, use_one_thread) as pool:
        seeds = range(arguments.episodes)
        drives = pool.imap(partial(_drive, contest), seeds, chunksize=5)
        found = [next(drives) for _ in shown(seeds, contest.name)]
    touched = [episode.touched for episode in found]
    late = [not (episode.arrived or episode.touched) for episode in found]
    left = [episode.left for episode in found if not episode.touched] or [True]
    common = max(percent(left), 100.0 - percent(left))
    gap = float(np.median([episode.gap for episode in found]))
    name = contest.name
    figures = [
        Figure(f"{name}: touched", percent(touched), "%", contest.at_most, interval(touched)),
        Figure(
            f"{name}: did not arrive in 25 s",
            percent(late),
            "%",
            _MOST_LATE if contest.both_sides else None,
            interval(late),
        ),
        Figure(
            f"{name}: on the commoner side",
            common,
            "%",
            _MOST_ON_A_SIDE if contest.both_sides else None,
            f"left {percent(left):.1f} % {interval(left)} of {len(left)}",
        ),
        Figure(f"{name}: median least gap", 1e3 * gap, "mm"),
    ]
    for figure in figures:
        print(f"{figure.name}: {figure.value:.4g} {figure.unit} {figure.beside}", flush=True)
    return figures


def _drive(contest: Contest, seed: int) -> Episode:
    checkpoint = load(contest.checkpoint)
    policy = LearnedPolicy(
        checkpoint,
        MODEL,
        _cost(obstacles=contest.obstacles_added),
        replace(_SETTINGS, seed=seed),
        name="diff_drive",
        dt=DT,
        horizon=checkpoint.contract.horizon,
    )
    return drive(policy, seed, controlled=contest.controlled)


def _cost(*, obstacles: bool) -> PlanCost:
    """Return what the node adds, with or without the energy of obstacles."""
    cost = plan_cost(_PARAMETERS, MODEL)
    return cost if obstacles else replace(cost, obstacle_weight=0.0)


if __name__ == "__main__":
    sys.exit(main())
