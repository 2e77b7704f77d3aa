"""When a launch gives a node up: it can't start, or dies again and again."""

from types import SimpleNamespace

import pytest

from ebm_mpc_ros.errors import CANT_START
from ebm_mpc_ros.tools import respawning

RUNNING = SimpleNamespace(is_shutdown=False)


@pytest.fixture
def clock(monkeypatch):
    made = SimpleNamespace(now=100.0)
    monkeypatch.setattr(respawning.time, "monotonic", lambda: made.now)
    return made


def died(code=-9):
    return SimpleNamespace(returncode=code, process_name="ekf_node-1")


def test_a_node_may_die_now_and_then(clock):
    exited = respawning.giving_up()
    for _ in range(20):
        exited(died(), RUNNING)
        clock.now += 16.0


def test_the_fifth_death_within_a_minute_is_the_last(clock):
    exited = respawning.giving_up()
    for _ in range(4):
        exited(died(), RUNNING)
        clock.now += 14.0
    with pytest.raises(RuntimeError, match="ekf_node-1 has died 5 times within 60 s"):
        exited(died(), RUNNING)


def test_a_node_that_cant_start_is_given_up_at_once(clock):
    with pytest.raises(RuntimeError, match="ekf_node-1 can't start"):
        respawning.giving_up()(died(CANT_START), RUNNING)


def test_nothing_is_said_while_the_launch_ends(clock):
    respawning.giving_up()(died(CANT_START), SimpleNamespace(is_shutdown=True))
