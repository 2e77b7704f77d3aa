"""policy_node at control rate beside the other nodes: 256 chains × 20 Langevin steps at 20 Hz.

The whole graph as processes over DDS on the figure-eight: with the policy that ships (all chains
down 10 noise levels of 2 steps), with its usual settings, which have no bars, and with the tracking
cost (20 MALA steps). A state's age is from its stamp to the plan's arrival at another process.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from report import Figure, conclude, options, wait
from settled import SETTLE, wait_until_driving

# Only `report` puts the package on the path.
# isort: split
from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.ros.conversion import stamp_of
from ebm_mpc_ros.tools.graph import (
    SHIPPED_POLICY,
    default_params_file,
    recorder,
    simulation_graph,
)
from ebm_mpc_ros.tools.processes import Processes

_RATE, _OLDEST, _MISSING = 20.0, 60.0, 1.0
_CONTESTS = {
    "trained policy": (
        SHIPPED_POLICY,
        {"chains": 256, "levels": 10, "level_steps": 2, "fresh_share": 1.0},
    ),
    "trained policy as it is set": (SHIPPED_POLICY, {}),
    "tracking cost": ("", {"chains": 256, "steps": 20}),
}


def main() -> int:
    """Measure and print."""
    parser = options(__doc__.splitlines()[0])
    arguments = parser.parse_args()
    window = 15.0 if arguments.quick else 60.0
    if arguments.quick:
        print("--quick: a window of 15 s in place of 60 s")
    figures = []
    for name, (checkpoint, parameters) in _CONTESTS.items():
        figures += _measure(name, checkpoint, parameters, window)
    return conclude("policy_node at 20 Hz, 256 chains x 20 steps", figures, arguments)


def _measure(
    name: str, checkpoint: str, parameters: dict[str, float], window: float
) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        values = yaml.safe_load(default_params_file().read_text(encoding="utf-8"))
        values["/**/policy_node"]["ros__parameters"].update(parameters)
        params = Path(folder) / "params.yaml"
        params.write_text(yaml.safe_dump(values), encoding="utf-8")
        bag = Path(folder) / "bag"
        specs = (
            *simulation_graph(
                controller="policy_mpc",
                course="figure_eight",
                seed=0,
                params_file=params,
                checkpoint=checkpoint,
            ),
            recorder(bag),
        )
        with Processes(specs, Path(folder) / "logs") as processes:
            wait_until_driving(processes)
            wait(window, f"watching {name}")
        return _figures(name, parameters, bag)


def _figures(name: str, parameters: dict[str, float], bag: Path) -> list[Figure]:
    arrivals, ages = [], []
    said: dict[str, str] = {}
    with open_bag(bag) as opened:
        for topic, arrival, message in opened.messages(["/policy/plan", "/diagnostics"]):
            if topic == "/policy/plan":
                arrivals.append(arrival * 1e-9)
                ages.append((arrival - stamp_of(message)) * 1e-6)
            else:
                for status in message.status:
                    said |= {value.key: value.value for value in status.values}
    times = np.array(arrivals)
    late = times >= times.min(initial=np.inf) + SETTLE
    times, old = times[late], np.array(ages)[late]
    if len(times) < 2:
        raise SystemExit(f"{name}: no plans; policy_node said {said}")
    rate = (len(times) - 1) / (times[-1] - times[0])
    cut = 100.0 * float(said["plans cut short by time_limit"]) / float(said["plans"])
    lost = 100.0 * float(said["time lost s"]) / (times[-1] - times[0])
    figures = [
        Figure(
            f"{name}: plans missing",
            100.0 * max(0.0, 1.0 - rate / _RATE),
            "%",
            _MISSING,
            f"{rate:.2f} Hz, longest gap {1e3 * np.diff(times).max():.0f} ms",
        ),
        Figure(f"{name}: plans cut short by time_limit", cut, "%", _MISSING),
        Figure(f"{name}: age of the state, median", float(np.median(old)), "ms"),
        Figure(
            f"{name}: age of the state, p99",
            float(np.quantile(old, 0.99)),
            "ms",
            _OLDEST,
            f"sampling {said['sampling median ms']} / {said['sampling p99 ms']} ms, median / p99",
        ),
        Figure(
            f"{name}: time lost by the simulator",
            lost,
            "%",
            _MISSING,
            "rate and age are in simulated time",
        ),
    ]
    return [replace(f, at_most=None) for f in figures] if not parameters else figures


if __name__ == "__main__":
    sys.exit(main())
