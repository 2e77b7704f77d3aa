"""One predict and one update of the filter's core, 15 states, against filterpy in the same run.

Ours has full Jacobians on a quaternion state, gating and a symmetric update. filterpy's extended
filter is given a fixed F and a fixed H, and neither gates nor wraps angles.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from filterpy.kalman import ExtendedKalmanFilter
from report import Figure, conclude, options, shown

from ebm_mpc_ros.estimation.biases import WithBiases
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.models import load_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.models import Model

_STEPS = 20
_RATES = (6, 7, 8, 9, 10, 11)
_ATTITUDE = (3, 4, 5, 9, 10, 11)


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    rounds = 200 if arguments.quick else 1000
    if arguments.quick:
        print(f"--quick: {rounds} rounds in place of 1000")
    rigid = load_model("rigid_body")
    biased = WithBiases(rigid, [f"bias_{i}" for i in range(6)])
    runs: dict[str, Callable[[], None]] = {
        "filterpy": _filterpy(),
        "6 velocities": _ours(rigid, _RATES),
        "attitude and rates": _ours(rigid, _ATTITUDE),
        "6 velocities, 21 states": _ours(biased, _RATES),
        "diff_drive, 5 states, 2 measured": _ours(load_model("diff_drive"), (3, 4)),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in shown(range(rounds), "rounds"):
        for name, run in runs.items():
            start = time.thread_time()
            run()
            times[name].append((time.thread_time() - start) / _STEPS * 1e6)
    median = {name: float(np.median(values)) for name, values in times.items()}
    peer = median.pop("filterpy")
    figures = [Figure("filterpy, fixed F", peer, "µs")]
    for name, value in median.items():
        held = name in ("6 velocities", "attitude and rates")
        figures.append(
            Figure(
                f"{name} / filterpy", value / peer, "x", 1.6 if held else None, f"{value:.1f} µs"
            )
        )
    return conclude("predict and update", figures, arguments)


def _ours(model: Model, rows: tuple[int, ...]) -> Callable[[], None]:
    rng = np.random.default_rng(0)
    n, q = len(model.state_names), len(model.noise_names)
    start = Belief(model.plus(np.array(model.origin()), 0.1 * rng.normal(size=n)), 0.1 * np.eye(n))
    noise, R, u = 0.01 * np.eye(q), 0.01 * np.eye(len(rows)), np.zeros(len(model.input_names))
    values = model.h(start.state)[list(rows)]

    def run() -> None:
        belief = start
        for k in range(_STEPS):
            belief = predict(model, belief, u, 0.01, noise)
            measurement = Measurement(k, "odom0", rows, values, R, 1e3)
            belief = update(model, belief, measurement).belief

    return run


def _filterpy() -> Callable[[], None]:
    peer = ExtendedKalmanFilter(dim_x=15, dim_z=6)
    peer.x = np.zeros((15, 1))
    peer.F = np.eye(15)
    peer.F[:6, 6:12] = 0.01 * np.eye(6)
    peer.Q, peer.R = 1e-4 * np.eye(15), 0.01 * np.eye(6)
    H = np.zeros((6, 15))
    H[range(6), _RATES] = 1.0
    z = np.zeros((6, 1))

    def run() -> None:
        for _ in range(_STEPS):
            peer.predict()
            peer.update(z, lambda _: H, lambda x: H @ x)

    return run


if __name__ == "__main__":
    sys.exit(main())
