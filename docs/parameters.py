"""Write docs/parameters.md from the nodes' declaration tables."""

from __future__ import annotations

import argparse
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

PAGE = Path(__file__).resolve().with_suffix(".md")
sys.path.insert(0, str(PAGE.parents[1]))

from ebm_mpc_ros.nodes.course import COURSE_PARAMETERS  # noqa: E402  found from here on
from ebm_mpc_ros.nodes.player import PLAYER_PARAMETERS  # noqa: E402
from ebm_mpc_ros.nodes.recorder import RECORDER_PARAMETERS  # noqa: E402
from ebm_mpc_ros.nodes.relay import RELAY_PARAMETERS  # noqa: E402
from ebm_mpc_ros.nodes.simulator import SIMULATOR_PARAMETERS  # noqa: E402
from ebm_mpc_ros.ros.estimator_parameters import (  # noqa: E402
    NO_THRESHOLD,
    estimator_parameters,
    input_parameters,
)
from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS  # noqa: E402
from ebm_mpc_ros.ros.node import COMMON_PARAMETERS  # noqa: E402
from ebm_mpc_ros.ros.policy_parameters import POLICY_PARAMETERS  # noqa: E402
from ebm_mpc_ros.ros.robot_parameters import ROBOT_PARAMETERS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ebm_mpc_ros.ros.parameters import Parameter, Value

_INTRODUCTION = """\
# Parameters

Made by `.venv/bin/python docs/parameters.py` from the tables that the nodes declare; a test
compares. `ros2 param describe /mpc_node horizon` says the same of a running node. What they do
together is in [estimator.md](estimator.md), [sensors.md](sensors.md),
[controller.md](controller.md) and [training.md](training.md#drive).

What is "live" changes with `ros2 param set` while the node runs; the others answer
`horizon is fixed while the node is configured: clean up first`. A value that is not allowed stops
the node from configuring and is named:
`parameter horizon = 1: must be a whole number from 2 to 500`. A name that isn't here is warned
about: `unknown parameter horizn: it has no effect`. A whole number will do for a float.
"""
_KINDS = ("odom", "pose", "twist", "imu", "navsat")
_TYPES = {"bools": "list of bool", "floats": "list of float", "strs": "list of str"}
_HEADER = (
    "| parameter | type | default | range | unit | live | |",
    "|---|---|---|---|---|---|---|",
)
_NAME = "NAME is odom0, odom1 … pose0 … twist0 … imu0 … navsat0 …"
_OF_BOTH = "The robot, its limits and how it follows a path: as a rule the same values for both."
_LARGEST = 2**63 - 1


def page() -> str:
    """Return the whole page."""
    robot = {row.name for row in ROBOT_PARAMETERS}
    return _INTRODUCTION + "".join(
        (
            _section("## Every node", _lines(COMMON_PARAMETERS)),
            _section("## ekf_node", _lines(estimator_parameters(()))),
            *_input_sections(),
            _section("## mpc_node and policy_node", _lines(ROBOT_PARAMETERS), _OF_BOTH),
            _section("## mpc_node", _lines(_without(MPC_PARAMETERS, robot))),
            _section("## policy_node", _lines(_without(POLICY_PARAMETERS, robot))),
            _section("## relay_node", _lines(RELAY_PARAMETERS)),
            _section("## simulator_node", _lines(SIMULATOR_PARAMETERS)),
            _section("## course_node", _lines(COURSE_PARAMETERS)),
            _section("## recorder_node", _lines(RECORDER_PARAMETERS)),
            _section("## player_node", _lines(PLAYER_PARAMETERS)),
        )
    )


def _input_sections() -> Iterable[str]:
    """Yield what most kinds of inputs have alike, then what else there is to each."""
    tables = {
        kind: [line.replace(f"{kind}0", "NAME") for line in _lines(input_parameters(f"{kind}0"))]
        for kind in _KINDS
    }
    most = len(_KINDS) - 1
    shared = [
        line for line in tables["odom"] if sum(line in table for table in tables.values()) >= most
    ]
    yield _section("### Every input", shared, _NAME)
    for kind, lines in tables.items():
        own = [line.replace("NAME", f"{kind}N") for line in lines if line not in shared]
        yield _section(f"### {kind}N", own)


def _without(rows: Iterable[Parameter], names: set[str]) -> list[Parameter]:
    return [row for row in rows if row.name not in names]


def _section(heading: str, lines: list[str], text: str = "") -> str:
    return "\n".join(("", heading, "", *([text, ""] if text else []), *_HEADER, *lines, ""))


def _lines(rows: Iterable[Parameter]) -> list[str]:
    """Return the rows of a table."""
    return [
        "| "
        + " | ".join(
            (
                f"`{row.name}`",
                _TYPES.get(row.kind, row.kind),
                _default(row.default),
                _range(row),
                row.unit,
                "yes" if row.live else "",
                row.description,
            )
        )
        + " |"
        for row in rows
    ]


def _default(value: Value) -> str:
    if isinstance(value, list):
        runs = [(_default(item), len(list(run))) for item, run in groupby(value)]
        shown = (f"{n} × {text}" if n > 3 else ", ".join([text] * n) for text, n in runs)
        return ", ".join(shown) or "[]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"`{value}`" if value else '""'
    return "none" if value == NO_THRESHOLD else _number(value)


def _range(row: Parameter) -> str:
    if row.choices:
        return ", ".join(map(str, row.choices))
    parts = [" or ".join(map(str, row.lengths)) + " of them"] if row.lengths else []
    for sign, bound in ((">", row.above), ("≥", row.minimum), ("≤", row.maximum)):
        if bound is not None and bound != _LARGEST:
            parts.append(f"{sign} {_number(bound)}")
    return ", ".join(parts)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def main() -> int:
    """Write the page, or compare it with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, exit with 1 if it differs"
    )
    arguments = parser.parse_args()
    if not arguments.check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.name} is not what the nodes declare: run .venv/bin/python docs/parameters.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
