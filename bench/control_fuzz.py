"""A million random ticks of the controller, input good and bad: never a wrong command.

Random robots and problems, as `control_trials` draws them, run as mpc_node runs them: real-time
iteration, fallback, delay compensation, limiter. In one of eight trials a second controller gets
the same numbers in fresh arrays, and those of the first are overwritten as soon as it had them: the
two must agree to the last bit. A million ticks take about half an hour.
"""

# ruff: noqa: E402  BLAS counts its threads when it is imported; on arrays this small they contend.

from __future__ import annotations

import os

for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import sys
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from report import Figure, conclude, options
from rich.progress import Progress
from usage import resident_mb

# Only `report` puts the package on the path.
# isort: split
from control_robots import KINDS
from control_spoilers import spoilt_ticks
from control_trials import BARS, GOOD, SPOILT, Trial

if TYPE_CHECKING:
    from control_trials import Breach
    from numpy.typing import NDArray

_TICKS = 1_000_000
_QUICK = 20_000
_TRIAL = 250
_TWINS = 8
_RECOVERED = 3
_GROWTH = 5.0
_WARM = 0.2
_WIDTH = 200


def main() -> int:
    """Run the ticks and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--ticks", type=int, default=_TICKS, help=f"{_TICKS:,} unless told")
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    arguments = parser.parse_args()
    ticks = _QUICK if arguments.quick else arguments.ticks
    if arguments.quick:
        print(f"--quick: {ticks:,} ticks in place of {_TICKS:,}")
    tally = Tally()
    with Progress(disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("ticks", total=ticks)
        while tally.ticks < ticks:
            number = tally.trials
            tally.run(KINDS[number % len(KINDS)], arguments.seed + number // len(KINDS))
            if tally.ticks < _WARM * ticks:
                tally.settled = resident_mb(os.getpid())
            progress.update(task, completed=tally.ticks)
    for kind, breach in tally.firsts():
        place = f"{breach.what}: {kind}, seed {breach.seed}, tick {breach.tick}"
        print(f"{place}: {breach.detail}"[:_WIDTH].replace("\n", " "))
    title = f"{tally.ticks:,} random ticks of the controller, {tally.trials:,} robots"
    return conclude(title, tally.figures(), arguments)


class Tally:
    """What happened in all trials.

    Attributes:
        ticks: Their number so far.
        trials: The number of trials.
        settled: What the process held in MB once it had warmed up.
        breaches: What happened that must not.
    """

    def __init__(self) -> None:
        self.ticks = self.trials = 0
        self.settled = resident_mb(os.getpid())
        self.breaches: list[tuple[str, Breach]] = []
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._recoveries: Counter[int] = Counter()

    def run(self, kind: str, seed: int) -> None:
        """Run a trial."""
        trial = Trial(kind, seed, twin=seed % _TWINS == 0)
        schedule = spoilt_ticks(seed)
        for _ in range(_TRIAL):
            trial.tick(*next(schedule))
        self.ticks += _TRIAL
        self.trials += 1
        self.breaches += [(kind, breach) for breach in trial.breaches]
        self._counts += trial.counts
        self._recoveries += trial.recoveries

    def firsts(self) -> list[tuple[str, Breach]]:
        """Return the first breach of each sort, with the robot's kind."""
        return list({breach.what: (kind, breach) for kind, breach in self.breaches[::-1]}.values())

    def figures(self) -> list[Figure]:
        """Return what must be 0, how soon plans come back, and what memory grew by."""
        found = Counter(breach.what for _, breach in self.breaches)
        waits = np.repeat(list(self._recoveries.keys()), list(self._recoveries.values()))
        return [
            *(Figure(bar, found[bar], "", 0) for bar in BARS),
            *(self._without(sort) for sort in (*GOOD, SPOILT)),
            Figure("good ticks until a plan", waits.max(), "", _RECOVERED, _shares(waits)),
            Figure("memory", resident_mb(os.getpid()) - self.settled, "MB more", _GROWTH),
        ]

    def _without(self, sort: str) -> Figure:
        some, none = self._counts[sort, True], self._counts[sort, False]
        return Figure(
            f"no plan: {sort}", 1e2 * none / (some + none), "%", None, f"of {some + none}"
        )


def _shares(waits: NDArray[np.int64]) -> str:
    """Say how often a plan came back after how many good ticks."""
    shares = [f"{k}: {1e2 * np.mean(waits == k):.3g} %" for k in range(_RECOVERED + 1)]
    return ", ".join(shares)


if __name__ == "__main__":
    sys.exit(main())
