"""The running graph, waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.processes import Processes

SETTLE = 3.0
"""Seconds of driving before anything is measured."""
_PATIENCE = 60.0


def wait_until_driving(processes: Processes) -> None:
    """Return once the recorder has announced the drive and it has settled."""
    deadline = time.monotonic() + _PATIENCE
    while not processes.log("recorder_node").strip():
        if processes.dead() or time.monotonic() > deadline:
            raise SystemExit(f"the graph did not start: {processes.dead()}")
        time.sleep(0.2)
    time.sleep(SETTLE)
