"""The graph as processes on a private ROS domain, started together and gone together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Self

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.tools.graph import discovery

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from ebm_mpc_ros.tools.graph import NodeSpec

_PATIENCE = 10.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Linux hands out ports from 32768 on; domains up to 101 keep below them.
_DOMAINS = range(2, 102)


class Processes:
    """Runs nodes; leaving the context ends every one of them, by force where it must.

    Their output goes to a log file each. They run in sessions of their own, so that Ctrl-C
    reaches only the caller, who ends them in order.
    """

    def __init__(
        self,
        specs: Sequence[NodeSpec],
        logs: Path,
        *,
        domain: int | None = None,
        namespace: str = "",
    ) -> None:
        """Prepare; logs are written to the folder `logs` as NAME.log."""
        self.domain = random.SystemRandom().choice(_DOMAINS) if domain is None else domain
        self._specs = specs
        self._logs = logs
        self._namespace = namespace
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.started = 0.0
        """UNIX time at which the first of them was started."""

    def __enter__(self) -> Self:
        environment = {
            **os.environ,
            **discovery(os.environ),
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "PYTHONUNBUFFERED": "1",
        }
        source = str(share_directory())
        path = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = source if not path else f"{source}{os.pathsep}{path}"
        self._catch_signals()
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            self.started = time.time()
            for spec in self._specs:
                with self.log_file(spec.name).open("w", encoding="utf-8") as log:
                    self._running[spec.name] = subprocess.Popen(  # noqa: S603  our own nodes, no shell
                        spec.command(self._namespace),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        start_new_session=True,
                        text=True,
                    )
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the nodes that were started."""
        return tuple(self._running)

    def dead(self) -> dict[str, int]:
        """Return the exit codes of the processes that have ended."""
        codes = {name: process.poll() for name, process in self._running.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def pid(self, name: str) -> int:
        """Return the process id of a node."""
        return self._running[name].pid

    def log(self, name: str) -> str:
        """Return what a node has printed so far."""
        return self.log_file(name).read_text(encoding="utf-8", errors="replace")

    def log_file(self, name: str) -> Path:
        """Return where a node's output goes."""
        return self._logs / f"{name}.log"

    def _end(self) -> None:
        """Interrupt all, wait, kill what is left; a second Ctrl-C must not cut this short."""
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        try:
            for number, patience in ((signal.SIGINT, _PATIENCE), (signal.SIGKILL, _PATIENCE)):
                alive = [p for p in self._running.values() if p.poll() is None]
                for process in alive:
                    process.send_signal(number)
                deadline = time.monotonic() + patience
                for process in alive:
                    try:
                        process.wait(max(0.0, deadline - time.monotonic()))
                    except subprocess.TimeoutExpired:
                        continue
        finally:
            for number, before in self._handlers.items():
                signal.signal(number, before)

    def _catch_signals(self) -> None:
        """Let SIGTERM and a closed terminal unwind the caller as Ctrl-C does."""
        self._handlers = {number: signal.getsignal(number) for number in _ENDING}
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
