"""The energy filter: what it does on a mirror ambiguity beside the EKF, and what it takes.

The exact limits are tests (test/estimation/test_energy_filter.py).
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from report import Figure, conclude, options, shown
from two_beacons import DT, PROCESS_NOISE, TURN, Ranging, drive, prior

from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import EnergyFilterSettings, predict, start, update
from ebm_mpc_ros.estimation.particles import gaussian
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.transition import GaussianTransition

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES = (100, 500, 2000)
_PARTICLES = 1000
# m; as far off as no estimate is that has the right side.
_OFF = 0.5


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    seeds, rounds = (5, 20) if arguments.quick else (20, 100)
    if arguments.quick:
        print(f"--quick: {seeds} seeds in place of 20, {rounds} rounds in place of 100")
    return conclude("the energy filter", [*ambiguity(seeds), *_times(rounds)], arguments)


def ambiguity(seeds: int) -> list[Figure]:
    """Return how often each estimator is on the wrong side of two beacons' line."""
    outcomes = np.array([_lost(seed) for seed in shown(range(seeds), "drives between beacons")])
    one_sided, lost, wrong, middle = 100.0 * outcomes.mean(axis=0)
    return [
        Figure("a side lost before the turn decides", one_sided, "% of drives", 10.0),
        Figure("energy filter wrong at the end", lost, "% of drives", 0.0),
        Figure("EKF from the wrong side, wrong at the end", wrong, "% of drives"),
        Figure("EKF from the middle, wrong at the end", middle, "% of drives"),
    ]


def _lost(seed: int) -> tuple[bool, bool, bool, bool]:
    """Return whether a side was given up too early, and which estimators end where they aren't."""
    model, rng = Ranging(), np.random.default_rng(seed)
    one = EnergyFilterSettings(
        energy=GaussianTransition(model, PROCESS_NOISE), particles=_PARTICLES
    )
    particles = start(one, prior(0.0), rng)
    beliefs, one_sided = [prior(-2.0), prior(0.1 * rng.choice([-1.0, 1.0]))], False
    for k, u, _, measurement in drive(seed):
        if k:
            particles = predict(one, particles, u, DT, rng)
            beliefs = [ekf.predict(model, b, u, DT, PROCESS_NOISE) for b in beliefs]
        particles = update(one, particles, measurement, rng).particles
        beliefs = [ekf.update(model, b, measurement).belief for b in beliefs]
        left = float(particles.weights[particles.states[:, 1] > 0.0].sum())
        one_sided |= k < TURN and not 0.05 < left < 0.95
    *_, (_, _, truth, _) = drive(seed)
    ends = [gaussian(model, particles), *beliefs]
    off = [bool(np.linalg.norm((end.state - truth)[:2]) > _OFF) for end in ends]
    return one_sided, off[0], off[1], off[2]


def _times(rounds: int) -> list[Figure]:
    """Return times of a diff_drive with two of its five states measured."""
    extended = _extended()
    runs = {size: _sampled(size) for size in _SIZES}
    spent: dict[int, list[tuple[float, float]]] = {size: [] for size in _SIZES}
    peer = []
    for _ in shown(range(rounds), "rounds"):
        peer.append(_timed(extended))
        for size, (predicts, updates) in runs.items():
            spent[size].append((_timed(predicts), _timed(updates)))
    figures = []
    for size in _SIZES:
        predicting, updating = np.median(spent[size], axis=0)
        figures.append(
            Figure(
                f"a particle's update, {size} of them",
                updating / size,
                "µs",
                beside=f"predict {predicting / size:.2f} µs; both "
                f"{(predicting + updating) / float(np.median(peer)):.0f} x the EKF's",
            )
        )
    return figures


def _timed(run: Callable[[], None]) -> float:
    begun = time.thread_time()
    run()
    return (time.thread_time() - begun) * 1e6


_NOISE = np.diag([4e-3, 1e-3, 2e-3, 0.02, 0.05])
_U, _SPEEDS = np.array([0.1, 0.2]), np.array([0.5, 0.1])
_MEASURED = Measurement(0, "odom0", (3, 4), _SPEEDS, 0.01 * np.eye(2))
_BEGUN = Belief(np.array([0.0, 0.0, 0.3, 0.5, 0.1]), 0.1 * np.eye(5))


def _extended() -> Callable[[], None]:
    model = load_model("diff_drive")

    def run() -> None:
        ekf.update(model, ekf.predict(model, _BEGUN, _U, DT, _NOISE), _MEASURED)

    return run


def _sampled(size: int) -> tuple[Callable[[], None], Callable[[], None]]:
    one = EnergyFilterSettings(
        energy=GaussianTransition(load_model("diff_drive"), _NOISE), particles=size
    )
    rng = np.random.default_rng(0)
    begun = start(one, _BEGUN, rng)
    moved = predict(one, begun, _U, DT, rng)

    def predicts() -> None:
        predict(one, begun, _U, DT, rng)

    def updates() -> None:
        update(one, moved, _MEASURED, rng)

    return predicts, updates


if __name__ == "__main__":
    sys.exit(main())
