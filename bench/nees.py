"""Is the filter as sure of its estimate as it may be? NEES on trajectories drawn from the model.

The normalised estimation error squared of a consistent filter of n states is χ²(n); its mean over
N independent runs lies within the χ²(N n) interval. Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation" (2001), section 5.4.
"""

# ruff: noqa: E402  BLAS counts its threads when it is imported; on arrays this small they contend.

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from report import ROOT, Figure, conclude, options, shown
from scipy.stats import chi2

from ebm_mpc_ros.estimation.ekf import Measurement
from ebm_mpc_ros.estimation.filter import Filter, FilterSettings
from ebm_mpc_ros.models import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator

Vector = NDArray[np.float64]

MODELS = ("diff_drive", "rigid_body")
WRONG = 3.0
"""What the noise is set wrong by."""
PROBABILITY = 0.95
_STEP = 50_000_000
_START = 1_000_000_000
# σ² per second of w, and σ² of what is measured, for outputs of each kind.
_PROCESS = (
    dict.fromkeys(("x", "y", "z"), 0.05)
    | dict.fromkeys(("roll", "pitch", "yaw"), 1e-3)
    | dict.fromkeys(("vx", "vy", "vz"), 0.02)
    | dict.fromkeys(("vroll", "vpitch", "vyaw"), 0.01)
    | dict.fromkeys(("ax", "ay", "az"), 0.1)
)
_MEASURED = (
    (1, {"vx": 0.01, "vy": 0.01, "vz": 0.01}),
    (1, {"vroll": 1e-3, "vpitch": 1e-3, "vyaw": 1e-3, "ax": 0.04, "ay": 0.04, "az": 0.04}),
    (2, {"x": 0.04, "y": 0.04, "z": 0.04, "roll": 1e-3, "pitch": 1e-3, "yaw": 1e-3}),
)
"""Every how many steps, and the variances."""
_FIRST = 0.01


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The factors by which a filter has the variances of its noise wrong."""

    process: float = 1.0
    measurement: float = 1.0


def main() -> int:
    """Measure and draw."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="how many runs (default 100)")
    parser.add_argument("--steps", type=int, default=200, help="of each run (default 200)")
    arguments = parser.parse_args()
    seeds = arguments.seeds
    if arguments.quick:
        seeds = min(seeds, 30)
        print(f"--quick: {seeds} runs of {arguments.seeds}")
    figures = []
    picture = Picture(figsize=(11, 6), layout="constrained")
    for model, axes in zip(MODELS, picture.subplots(len(MODELS), 1, sharex=True), strict=True):
        curves = {
            "right noise": Noise(),
            f"process noise x {WRONG:g}": Noise(process=WRONG),
            f"process noise / {WRONG:g}": Noise(process=1 / WRONG),
            f"measurement noise x {WRONG:g}": Noise(measurement=WRONG),
            f"measurement noise / {WRONG:g}": Noise(measurement=1 / WRONG),
        }
        means = {name: nees(model, seeds, arguments.steps, noise) for name, noise in curves.items()}
        for name, mean in means.items():
            inside = fraction_inside(model, seeds, mean)
            right = name == "right noise"
            figures.append(
                Figure(
                    f"{model}, {name}: steps {'outside' if right else 'inside'}",
                    1.0 - inside if right else inside,
                    at_most=0.1 if right else 0.9,
                    beside=f"mean NEES {mean.mean():.2f}",
                )
            )
        _draw(axes, model, seeds, means)
    axes.set_xlabel("time (s)")
    (ROOT / "out").mkdir(exist_ok=True)
    picture.savefig(ROOT / "out" / "nees.png", dpi=110)
    return conclude(
        f"mean NEES of {seeds} runs against its {PROBABILITY:.0%} χ² interval", figures, arguments
    )


def nees(model_name: str, seeds: int, steps: int, noise: Noise | None = None) -> Vector:
    """Return the mean over `seeds` runs of the NEES after each step (steps,).

    Args:
        model_name: The robot, which also draws the trajectories.
        seeds: How many runs.
        steps: Of each run.
        noise: How wrong the filter has its noise; right by default.
    """
    runs = [
        list(_run(model_name, seed, steps, noise or Noise()))
        for seed in shown(range(seeds), model_name)
    ]
    return np.asarray(np.mean(runs, axis=0))


def interval(model_name: str, seeds: int) -> tuple[float, float]:
    """Return where the mean NEES of a consistent filter lies, with `PROBABILITY`."""
    low, high = chi2.interval(PROBABILITY, seeds * len(load_model(model_name).state_names))
    return float(low) / seeds, float(high) / seeds


def fraction_inside(model_name: str, seeds: int, mean: Vector) -> float:
    """Return the fraction of steps at which the mean NEES lies in its interval."""
    low, high = interval(model_name, seeds)
    return float(np.mean((mean >= low) & (mean <= high)))


def _run(model_name: str, seed: int, steps: int, noise: Noise) -> Iterator[float]:
    """Drive once, without input; yield the NEES after each step."""
    model, rng = load_model(model_name), np.random.default_rng(seed)
    n, names = len(model.state_names), model.output_names
    Q = np.array([_PROCESS[name] for name in model.noise_names])
    measured = [
        (every, [i for i, name in enumerate(names) if name in variances], variances)
        for every, variances in _MEASURED
    ]
    one = Filter(
        FilterSettings(
            model=model,
            process_noise=np.diag(Q) * noise.process,
            initial_covariance=np.eye(n),
            initial_state=np.zeros(len(names)),
            sensor_timeout=1.0,
            use_control=False,
        )
    )
    x = np.asarray(model.state(np.full(len(names), 0.3)))
    u, dt = np.zeros(len(model.input_names)), _STEP * 1e-9

    def fuse(stamp: int, rows: list[int], variance: Vector, factor: float) -> None:
        v = np.zeros(len(names))
        v[rows] = rng.normal(size=len(rows)) * np.sqrt(variance)
        z = np.asarray(model.h(x, v))[rows]
        one.put(Measurement(stamp, str(rows), tuple(rows), z, np.diag(variance) * factor))

    # The first measurement, of everything, is the belief: its noise is what the filter has it for.
    fuse(_START, list(range(len(names))), np.full(len(names), _FIRST), 1.0)
    one.advance(_START)
    for k in range(1, steps + 1):
        stamp = _START + k * _STEP
        x = model.f(x, u, dt, rng.normal(size=len(Q)) * np.sqrt(Q * dt))
        for every, rows, variances in measured:
            if k % every == 0:
                variance = np.array([variances[names[row]] for row in rows])
                fuse(stamp, rows, variance, noise.measurement)
        found = one.advance(stamp)
        if found is None:
            raise RuntimeError(f"the filter started over: {dict(one.resets)}")
        error = model.minus(x, found.belief.state)
        yield float(error @ np.linalg.solve(found.belief.covariance, error))


def _draw(axes: Any, model: str, seeds: int, means: dict[str, Vector]) -> None:
    low, high = interval(model, seeds)
    axes.axhspan(low, high, color="tab:green", alpha=0.3, lw=0, label=f"{PROBABILITY:.0%} χ²")
    for name, mean in means.items():
        time = np.arange(1, len(mean) + 1) * _STEP * 1e-9
        axes.plot(time, mean, lw=1.5 if name == "right noise" else 0.8, label=name)
    axes.set(ylabel=f"{model}\nmean NEES of {seeds} runs", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")


if __name__ == "__main__":
    sys.exit(main())
