"""The running graph, waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ebm_mpc_ros.tools.graph import announced

if TYPE_CHECKING:
    from ebm_mpc_ros.tools.processes import Processes

SETTLE = 3.0
"""Seconds of driving before anything is measured."""
_PATIENCE = 60.0


def wait_until_driving(processes: Processes) -> float:
    """Wait for the drive to have settled; return the seconds from start to the first command."""
    deadline = time.monotonic() + _PATIENCE
    while (drive := announced(processes.log("recorder_node"))) is None:
        if processes.dead() or time.monotonic() > deadline:
            raise SystemExit(f"the graph did not start: {processes.dead()}")
        time.sleep(0.2)
    time.sleep(SETTLE)
    return drive[1] - processes.started
