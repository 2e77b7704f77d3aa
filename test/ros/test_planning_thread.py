"""The thread that plans: the newest job wins, and what was forgotten is never delivered."""

import threading
import time

import numpy as np
import pytest

pytest.importorskip("torch")

from ebm_mpc_ros.energy.outcome import Ended, refused
from ebm_mpc_ros.ros.planning_thread import Job, PlanningThread

S = 1_000_000_000
PATIENCE = 10.0


class Policy:
    """Notes what it is asked; a call takes until the test lets it go on."""

    def __init__(self):
        self.calls, self.begun, self.go = [], threading.Semaphore(0), threading.Semaphore(0)
        self.fails, self.ended = False, Ended.COMPLETE

    def use(self, cost):
        self.calls.append(("use", cost))

    def reset(self):
        self.calls.append("reset")

    def plan(self, state, reference, obstacles, elapsed_s=0.0):
        self.calls.append(round(elapsed_s, 6))
        self.begun.release()
        assert self.go.acquire(timeout=PATIENCE)
        if self.fails:
            raise ZeroDivisionError
        plan = refused(2, 5, 2, "")
        object.__setattr__(plan, "ended", self.ended)
        return plan


def job(seconds):
    return Job(round(seconds * S), np.zeros(5), np.zeros((3, 5)), np.empty((0, 3)))


@pytest.fixture
def policy():
    return Policy()


@pytest.fixture
def made():
    return []


@pytest.fixture
def planning(policy, made):
    thread = PlanningThread(policy, made.append)
    yield thread
    for _ in range(20):
        policy.go.release()
    thread.close()


def begun(policy):
    assert policy.begun.acquire(timeout=PATIENCE)


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(1e-3)


def test_of_jobs_that_come_meanwhile_the_newest_is_planned_from(planning, policy, made):
    assert planning.offer(job(1.0)) is False
    begun(policy)
    assert [planning.offer(job(t)) for t in (1.05, 1.1, 1.15)] == [True] * 3
    policy.go.release(2)
    wait_for(lambda: len(made) == 2)
    assert [m.job.stamp for m in made] == [job(1.0).stamp, job(1.15).stamp]
    assert policy.calls == ["reset", 0.0, 0.15]


@pytest.mark.parametrize("second", [0.9, 2.5])
def test_after_a_gap_or_a_jump_back_it_begins_anew(planning, policy, made, second):
    policy.go.release(2)
    planning.offer(job(1.0))
    wait_for(lambda: len(made) == 1)
    planning.offer(job(second))
    wait_for(lambda: len(made) == 2)
    assert policy.calls == ["reset", 0.0, "reset", 0.0]


def test_time_goes_on_over_a_plan_that_was_refused(planning, policy, made):
    for count, (ended, t) in enumerate(
        ((Ended.COMPLETE, 1.0), (Ended.REFUSED, 1.1), (Ended.COMPLETE, 1.2)), 1
    ):
        policy.ended = ended
        policy.go.release()
        planning.offer(job(t))
        wait_for(lambda count=count: len(made) == count)
    assert policy.calls == ["reset", 0.0, 0.1, 0.2]


def test_what_was_under_way_is_not_delivered_once_it_is_forgotten(planning, policy, made):
    planning.offer(job(1.0))
    begun(policy)
    planning.offer(job(1.05))
    planning.forget()
    policy.go.release()
    time.sleep(0.1)
    assert made == []
    policy.go.release()
    planning.offer(job(1.1))
    wait_for(lambda: len(made) == 1)
    assert made[0].job.stamp == job(1.1).stamp
    assert policy.calls == ["reset", 0.0, "reset", 0.0]


def test_other_costs_hold_from_the_next_job_on(planning, policy, made):
    planning.use("dear")
    policy.go.release()
    planning.offer(job(1.0))
    wait_for(lambda: len(made) == 1)
    assert policy.calls == [("use", "dear"), "reset", 0.0]


def test_closed_while_busy_it_delivers_nothing_and_ends(planning, policy, made):
    planning.offer(job(1.0))
    begun(policy)
    planning.close(patience=0.01)
    policy.go.release()
    planning._thread.join(PATIENCE)
    assert not planning._thread.is_alive()
    assert made == []


def test_a_bug_is_kept_for_the_node_to_raise(planning, policy):
    policy.fails = True
    policy.go.release()
    planning.offer(job(1.0))
    wait_for(lambda: planning.error is not None)
    assert isinstance(planning.error, ZeroDivisionError)
