"""A thread that plans from the newest state that it is given. No rclpy here."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.energy.outcome import Ended, Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from ebm_mpc_ros.energy.cost import PlanCost
    from ebm_mpc_ros.ros.policy_choice import Policy

Floats = NDArray[np.float64]

# Without a plan for longer than this (ns) the next begins anew.
_LONGEST_GAP = 1_000_000_000


class Job(NamedTuple):
    """What to plan from: a state (n,) and its stamp in ns, the reference, circles (M, 3)."""

    stamp: int
    state: Floats
    reference: Floats
    obstacles: Floats


class Made(NamedTuple):
    """A plan, what it was made from, and the seconds that it took."""

    job: Job
    plan: Plan
    seconds: float


class PlanningThread:
    """Plans on a thread of its own; of jobs that come while it is busy the newest is kept."""

    def __init__(self, policy: Policy, deliver: Callable[[Made], None]) -> None:
        """Start; `deliver` is called on the thread, never after `forget` or `close` came back."""
        self.error: BaseException | None = None
        """What has ended the thread, if anything has."""
        self._policy, self._deliver = policy, deliver
        self._wake = threading.Condition()
        self._job: Job | None = None
        self._cost: PlanCost | None = None
        self._last: int | None = None
        self._closing = self._busy = False
        self._generation = 0
        self._thread = threading.Thread(target=self._run, name="planning", daemon=True)
        self._thread.start()

    def offer(self, job: Job) -> bool:
        """Give a job; return whether the one before is still being worked on."""
        with self._wake:
            self._job = job
            self._wake.notify()
            return self._busy

    def use(self, cost: PlanCost) -> None:
        """Plan with other costs from the next job on."""
        with self._wake:
            self._cost = cost

    def forget(self) -> None:
        """Drop the job and the plan under way, and begin anew with the next."""
        with self._wake:
            self._job = self._last = None
            self._generation += 1

    def close(self, patience: float = 5.0) -> None:
        """End the thread; one that is busy for longer than `patience` s ends after its call."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        from ebm_mpc_ros.energy.device import use_one_thread  # noqa: PLC0415  has torch

        use_one_thread()
        try:
            while self._next():
                pass
        except BaseException as error:  # noqa: BLE001  raised again by whoever reads it
            self.error = error

    def _next(self) -> bool:
        with self._wake:
            self._busy = False
            while self._job is None and not self._closing:
                self._wake.wait()
            if self._job is None or self._closing:
                return False
            job, self._job, self._busy = self._job, None, True
            cost, self._cost = self._cost, None
            last, generation = self._last, self._generation
        if cost is not None:
            self._policy.use(cost)
        if last is None or not 0 <= job.stamp - last < _LONGEST_GAP:
            self._policy.reset()
            last = job.stamp
        started = time.perf_counter()
        elapsed = (job.stamp - last) * 1e-9
        plan = self._policy.plan(job.state, job.reference, job.obstacles, elapsed)
        seconds = time.perf_counter() - started
        with self._wake:
            if generation == self._generation and not self._closing:
                # A plan that was refused left the policy as it was.
                self._last = last if plan.ended is Ended.REFUSED else job.stamp
                self._deliver(Made(job, plan, seconds))
        return True
