"""Runs `python -m ebm_mpc_ros replay`, and reads what it leaves behind."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

from ebm_mpc_ros.models import CANONICAL_STATES

ROOT = Path(__file__).parents[2]
HUSKY = ROOT / "test" / "data" / "husky.bag"
CONFIG = ROOT / "config" / "husky.yaml"
COLUMNS = "stamp,x,y,z,qx,qy,qz,qw,vx,vy,vz,wx,wy,wz"
SECOND = 1_000_000_000


def mask(*names):
    return [state in names for state in CANONICAL_STATES]


def tool(*arguments, before=None):
    """Run `python -m ebm_mpc_ros` with these arguments; `before` is called in its process."""
    command = [sys.executable, "-m", "ebm_mpc_ros", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=before
    )


def replay(bag, out, *arguments, params=CONFIG, run=tool):
    return run("replay", bag, "--params", params, "--out", out, *arguments)


def final(done):
    """Return the last pose of a replay that went well."""
    assert done.returncode == 0, done.stderr
    word, *numbers = done.stdout.split()
    assert word == "final:"
    assert done.stdout == f"final: {' '.join(numbers)}\n"
    return np.array(numbers, dtype=float)


def refused(done):
    """Return the one line said by a replay that went wrong."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


def rows(out):
    with (out / "estimate.csv").open(newline="") as file:
        header, *found = csv.reader(file)
    assert ",".join(header) == COLUMNS
    return np.array(found, dtype=float)
