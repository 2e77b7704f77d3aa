"""The demo's figure-eight over many seeds: estimate, tracking and clearance against the truth.

The nodes are those of the demo, as processes over DDS at real time.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from report import ROOT, Figure, conclude, options, shown

from ebm_mpc_ros.simulation.courses import load_course
from ebm_mpc_ros.tools.drive import Summary, read_drive, summarise


def main() -> int:
    """Drive once a seed and print the worst of each figure."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds (default 10)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each drive")
    parser.add_argument("--course", default="figure_eight")
    parser.add_argument("--controller", default="policy_mpc")
    parser.add_argument("--checkpoint", default="none", help="a trained policy (default none)")
    arguments = parser.parse_args()
    seeds = 1 if arguments.quick else arguments.seeds
    if arguments.quick:
        print(f"--quick: 1 seed of {arguments.seeds}")
    results, failures = [], 0
    for seed in shown(range(seeds), "drives"):
        with tempfile.TemporaryDirectory() as folder:
            command = [
                *(sys.executable, "-m", "ebm_mpc_ros", "demo", "--seed", str(seed)),
                *("--course", arguments.course, "--controller", arguments.controller),
                *("--checkpoint", arguments.checkpoint),
                *("--seconds", str(arguments.seconds), "--out", folder),
            ]
            run = subprocess.run(  # noqa: S603  our own demo, no shell
                command, cwd=ROOT, capture_output=True, text=True, check=False
            )
            failures += run.returncode != 0
            drive = read_drive(Path(folder) / "bag", load_course(arguments.course))
        if drive is None:
            print(f"seed {seed}: never driven\n{run.stderr}")
            continue
        summary = summarise(drive)
        results.append(summary)
        print(
            f"seed {seed}: exit {run.returncode}, {summary.distance:.1f} m, estimate "
            f"{summary.estimate_rmse:.3f}, wheels {summary.wheels_rmse:.3f}, cross-track "
            f"{summary.cross_track_rms:.3f}, clearance {summary.clearance:.3f} m; "
            f"{len(drive.complaints)} stops explained",
            flush=True,
        )
    return conclude(
        f"{arguments.course}, {seeds} seeds, worst", _figures(results, failures), arguments
    )


def _figures(results: list[Summary], failures: int) -> list[Figure]:
    if not results:
        return [Figure("drives that failed", failures, at_most=0)]

    def worst(values: list[float]) -> float:
        return float(np.max(values))

    ratios = [r.estimate_rmse / r.wheels_rmse for r in results]
    median = float(np.median([r.estimate_rmse for r in results]))
    return [
        Figure(
            "estimate RMSE",
            worst([r.estimate_rmse for r in results]),
            "m",
            0.10,
            f"median {median:.3f} m",
        ),
        Figure("estimate / wheel odometry RMSE", worst(ratios), "", 0.5),
        Figure("cross-track RMS", worst([r.cross_track_rms for r in results]), "m", 0.10),
        Figure("obstacle touched", sum(r.touched for r in results), "drives", 0),
        Figure("smallest clearance", float(min(r.clearance for r in results)), "m"),
        Figure("drives that failed", failures, "", 0),
    ]


if __name__ == "__main__":
    sys.exit(main())
