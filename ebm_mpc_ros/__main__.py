"""`python -m ebm_mpc_ros NAME`: the tools that a person types."""

from __future__ import annotations

import argparse
import importlib
import sys

from ebm_mpc_ros import __version__
from ebm_mpc_ros.errors import UserError

_TOOLS = {
    "demo": "drive the simulated robot around a course with all nodes, and measure it",
    "demonstrate": "record our controller driving the simulated robot, to learn from",
    "replay": "run a bag through the estimator, offline and repeatable",
    "report": "make a page of a recorded run",
    "train": "learn an energy from bags",
}
_USAGE_ERROR = 2
_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a tool and return its exit code: 2 for a mistake of the user's, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m ebm_mpc_ros",
        description="Kalman filter, MPC and energy-based policy on one state-space model.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    tools = parser.add_subparsers(dest="tool", required=True, metavar="NAME")
    for name, text in _TOOLS.items():
        tools.add_parser(name, help=text, description=text.capitalize() + ".", add_help=False)
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        return _USAGE_ERROR
    name = parser.parse_args(given[:1]).tool
    program = f"python -m ebm_mpc_ros {name}"
    try:
        tool = importlib.import_module(f"ebm_mpc_ros.tools.{name}")
        own = argparse.ArgumentParser(prog=program, description=_TOOLS[name].capitalize() + ".")
        tool.add_arguments(own)
        return int(tool.run(own.parse_args(given[1:])))
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
