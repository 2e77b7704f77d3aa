"""What is said of the controller's ticks."""

import numpy as np
import pytest
from controlling import settings

from ebm_mpc_ros.control import Solution, Status
from ebm_mpc_ros.ros.controller import Controller, Decision
from ebm_mpc_ros.ros.controller_health import ControllerHealth
from ebm_mpc_ros.ros.diagnosis import Condition, Level

MS = 1_000_000


@pytest.fixture
def health():
    return ControllerHealth(0.05)


def decision(reason="", status=Status.SOLVED, u=(0.0, 0.0), why=""):
    solution = Solution(
        status=status,
        inputs=np.zeros((25, 2)),
        states=np.zeros((26, 5)),
        iterations=12,
        primal_residual=0.0,
        reason=why,
    )
    return Decision(None if u is None else np.array(u), reason, solution, 0.001, 0.002)


def condition(health, *, stopped_because="", enabled=True, ignored=""):
    return health.condition(stopped_because=stopped_because, enabled=enabled, ignored=ignored)


def test_a_robot_that_drives_is_well(health):
    health.decided(decision())
    assert condition(health) == Condition(Level.OK, "driving")


def test_a_stop_is_an_error_unless_the_robot_is_not_enabled(health):
    stopped = condition(health, stopped_because="no plan")
    assert stopped == Condition(Level.ERROR, "stopping: no plan")
    assert condition(health, stopped_because="not enabled", enabled=False).level is Level.WARN


def test_a_tail_is_a_warning_that_says_why(health):
    reason = "no solution, driving on along the last plan: OSQP: reported infeasible"
    health.decided(decision(reason, Status.INFEASIBLE, why="OSQP: reported infeasible"))
    said = condition(health)
    assert said == Condition(Level.WARN, f"driving; {reason}")
    assert "driving on along the last plan" in said.message[:60]


def test_a_failure_is_told_with_status_iterations_and_times(health):
    health.decided(decision("r", Status.INFEASIBLE, u=None, why="OSQP: reported infeasible"))
    health.decided(decision())
    figures = health.figures(Controller(settings()))
    assert figures["OSQP"] == "solved"
    assert figures["solver failures"] == 1
    told = figures["last solver failure"]
    assert told == (
        "OSQP: reported infeasible; 12 iterations, prepared in 1.000 ms, solved in 2.000 ms"
    )


def test_a_later_solution_ends_the_warning(health):
    health.decided(decision("no solution", Status.FAILED, why="x"))
    health.decided(decision())
    assert condition(health).level is Level.OK


def test_a_stop_for_another_reason_ends_it_too(health):
    health.decided(decision("an obstacle blocks the way"))
    health.stopped()
    assert condition(health).level is Level.OK


def test_too_many_late_ticks_are_a_warning(health):
    now = 0
    for k in range(200):
        now += (100 if k < 20 else 50) * MS
        health.deadline.begin(now)
        health.ended(0.001)
    said = condition(health)
    assert said.level is Level.WARN
    assert "missed their deadline" in said.message


def test_a_few_late_ticks_are_none(health):
    for k in range(10):
        health.deadline.begin(k * 100 * MS)
        health.ended(0.001)
    assert condition(health).level is Level.OK


def test_ignored_input_is_a_warning(health):
    assert condition(health, ignored="plan refused: why") == Condition(
        Level.WARN, "driving; plan refused: why"
    )


def test_the_figures_tell_medians_and_p99(health):
    health.deadline.begin(0)
    health.ended(0.003)
    health.estimated(0.01)
    health.decided(decision())
    figures = health.figures(Controller(settings(latency=0.1)))
    assert figures["tick median ms"] == figures["tick p99 ms"] == "3.000"
    assert figures["prepare median ms"] == "1.000"
    assert figures["feedback p99 ms"] == "2.000"
    assert figures["solver iterations median"] == "12"
    assert figures["estimate age median ms"] == "10.0"
    assert "plan age median ms" not in figures
    assert figures["acts after ms"] == "100.0"
    assert figures["ticks"] == 1
