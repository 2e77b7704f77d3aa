"""The energy filter: what it does on a mirror ambiguity beside the EKF, and what it takes.

The exact limits are tests (test/estimation/test_energy_filter.py).
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from one_energy_times import learned
from report import Figure, conclude, options, shown
from two_beacons import DT, PROCESS_NOISE, TURN, Ranging, drive, prior

from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import EnergyFilterSettings, predict, start, update
from ebm_mpc_ros.estimation.particles import gaussian
from ebm_mpc_ros.estimation.recursion import Sampling
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.transition import GaussianTransition

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ebm_mpc_ros.models import Model

_HELD, _ENTRIES = 500, 10
_CASES = (
    ("diff_drive", 100),
    ("diff_drive", 500),
    ("diff_drive", 2000),
    ("gaussian", 500),
    ("mlp", 500),
    ("rigid_body", 500),
)
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
    """Return what a message takes that measures two of a robot's speeds, a step after the last."""
    extended = _extended()
    runs = {case: _sampled(*case) for case in _CASES}
    spent: dict[tuple[str, int], list[tuple[float, float]]] = {case: [] for case in _CASES}
    peer = []
    for _ in shown(range(rounds), "rounds"):
        peer.append(_timed(extended))
        for case, (predicts, updates) in runs.items():
            spent[case].append((_timed(predicts), _timed(updates)))
    figures = []
    for (name, size), times in spent.items():
        predicting, updating = np.median(times, axis=0)
        both = predicting + updating
        beside = f"predict {predicting / size:.2f} µs, update {updating / size:.2f} µs"
        if name == "diff_drive":
            beside += f"; {both / float(np.median(peer)):.0f} x the EKF's"
        words = f"{name}: a message, per particle of {size}"
        figures.append(Figure(words, both / size, "µs", beside=beside))
    for name, size in _CASES:
        if size == _HELD:
            words = f"{name}: an entry of the history, {size} particles"
            figures.append(Figure(words, _kept(name, size), "MB"))
    return figures


def _timed(run: Callable[[], object]) -> float:
    begun = time.thread_time()
    run()
    return (time.thread_time() - begun) * 1e6


_STEP = 0.05
_SPEEDS = np.array([0.5, 0.1])


class _Robot(NamedTuple):
    """What a robot's message is about.

    Attributes:
        model: How it moves.
        noise: Q_w (q, q).
        begun: The belief at the start.
        u: Input (m,).
        measured: A speed and a turn rate.
    """

    model: Model
    noise: NDArray[np.float64]
    begun: Belief
    u: NDArray[np.float64]
    measured: Measurement


def _robot(name: str) -> _Robot:
    nominal = load_model("rigid_body" if name == "rigid_body" else "diff_drive")
    model, n = nominal, len(nominal.state_names)
    noise = np.diag(np.resize([4e-3, 1e-3, 2e-3, 0.02, 0.05], n))
    if name in ("mlp", "gaussian"):
        model = learned(nominal, name)
        noise = model.noise_density
    rows = tuple(nominal.state_names.index(speed) for speed in ("vx", "vyaw"))
    begun = Belief(np.array(nominal.origin()), 1e-3 * np.eye(n))
    measured = Measurement(0, "odom0", rows, _SPEEDS, 0.01 * np.eye(2))
    return _Robot(model, noise, begun, np.resize(0.1, len(nominal.input_names)), measured)


def _extended() -> Callable[[], object]:
    model, noise, begun, u, measured = _robot("diff_drive")
    return lambda: ekf.update(model, ekf.predict(model, begun, u, _STEP, noise), measured)


def _sampled(name: str, size: int) -> tuple[Callable[[], object], Callable[[], object]]:
    one, (model, noise, belief, u, measured) = Sampling(particles=size), _robot(name)
    begun = one.update(model, belief, measured, 0).belief
    moved = one.predict(model, begun, u, _STEP, noise, 1)
    return (
        lambda: one.predict(model, begun, u, _STEP, noise, 1),
        lambda: one.update(model, moved, measured, 1),
    )


def _kept(name: str, size: int) -> float:
    """Return the memory that the belief after a message takes, with what it was made of, MB."""
    one, (model, noise, belief, u, measured) = Sampling(particles=size), _robot(name)
    belief = one.update(model, belief, measured, 0).belief
    tracemalloc.start()
    try:
        kept = []
        for stamp in range(1, _ENTRIES + 1):
            belief = one.predict(model, belief, u, _STEP, noise, stamp)
            belief = one.update(model, belief, measured, stamp).belief
            kept.append(belief)
        return tracemalloc.get_traced_memory()[0] / len(kept) / 1e6
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    sys.exit(main())
