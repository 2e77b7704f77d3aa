"""One energy in place of a model: the limits that are exact, what is learned, what it takes.

Parts: linear (a quadratic energy, learned and exact), plans (sampled plans against LQR), beacons
(an ambiguity that an EKF can't hold), robot (wheels that slip, 20 seeds), husky (a real robot's
bag), times (a message and a tick).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from report import conclude, options

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# Only with one thread.
# isort: split
import torch
from energy_filter import ambiguity
from one_energy_husky import choose, husky_transition
from one_energy_linear import linear
from one_energy_plans import plans
from one_energy_robot import robot
from one_energy_times import times

if TYPE_CHECKING:
    from report import Figure


def beacons(*, quick: bool) -> list[Figure]:
    """Return how often each estimator is wrong in 20 drives, 5 if quick."""
    return ambiguity(5 if quick else 20)


_PARTS = {
    "linear": linear,
    "plans": plans,
    "beacons": beacons,
    "robot": robot,
    "husky": husky_transition,
    "times": times,
}
_QUICK = (
    "--quick: 1 seed of a linear system in place of 3, 1,000 chains in place of 4,000, 5 drives "
    "between beacons in place of 20, 2 seeds of the robot in place of 20, 1 training on husky.bag "
    "in place of 5, 100 messages and ticks in place of 400"
)


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    parser.add_argument(
        "--part", choices=_PARTS, action="append", help="only this; may be given again"
    )
    parser.add_argument(
        "--choose", action="store_true", help="compare settings for husky.bag, and no more"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.choose:
        choose()
        return 0
    if arguments.quick:
        print(_QUICK)
    figures: list[Figure] = []
    for name in arguments.part or _PARTS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures += _PARTS[name](quick=arguments.quick)
    return conclude("one energy", figures, arguments)


if __name__ == "__main__":
    sys.exit(main())
