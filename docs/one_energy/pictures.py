"""Draw the pictures of docs/one_energy.md with the package's own code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from beliefs import draw_beacons, draw_measurement  # noqa: E402  the package is found from here on
from plans import draw_sides, draw_temperatures  # noqa: E402

from ebm_mpc_ros.energy.device import use_one_thread  # noqa: E402

_POLICY = ROOT / "checkpoints" / "two_sided.safetensors"


def main() -> int:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (this one)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the particles and chains")
    arguments = parser.parse_args()
    share = 10 if arguments.quick else 1
    use_one_thread()
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw_measurement(arguments.out / "measurement.png", particles=2000 // share)
    draw_temperatures(arguments.out / "temperatures.png", chains=100 // share)
    draw_sides(arguments.out / "sides.png", _POLICY, chains=300 // share)
    draw_beacons(arguments.out / "beacons.png", particles=1000 // share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
