"""One energy in place of a model: what the filter and the controller do on a learned transition."""

from __future__ import annotations

import os
import sys

from report import conclude, options

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# Only with one thread.
# isort: split
from one_energy_times import times


def main() -> int:
    """Measure and print."""
    arguments = options(__doc__.splitlines()[0]).parse_args()
    if arguments.quick:
        print("--quick: 100 messages and ticks in place of 400")
    return conclude("one energy", times(quick=arguments.quick), arguments)


if __name__ == "__main__":
    sys.exit(main())
