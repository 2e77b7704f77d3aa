"""One energy in place of a model: what the filter and the controller do on a learned transition."""

from __future__ import annotations

import os
import sys

from report import conclude, options

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# Only with one thread.
# isort: split
from one_energy_robot import robot
from one_energy_times import times


def main() -> int:
    """Measure and print."""
    arguments = options(__doc__.splitlines()[0]).parse_args()
    if arguments.quick:
        print(
            "--quick: 100 messages and ticks in place of 400, 2 seeds of the robot in place of 20"
        )
    figures = [part for one in (times, robot) for part in one(quick=arguments.quick)]
    return conclude("one energy", figures, arguments)


if __name__ == "__main__":
    sys.exit(main())
