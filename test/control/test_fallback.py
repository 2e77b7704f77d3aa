"""What is driven where solves fail."""

import numpy as np
import pytest

from ebm_mpc_ros.control import Fallback, FallbackSettings, Solution, Status

PLAN = np.arange(10.0).reshape(5, 2)


def solution(status=Status.SOLVED, inputs=PLAN):
    reason = "" if status is Status.SOLVED else f"OSQP: {status.value}"
    return Solution(
        status=status,
        inputs=inputs if not reason else np.full_like(inputs, np.nan),
        states=np.zeros((6, 5)),
        iterations=1,
        primal_residual=0.0,
        reason=reason,
    )


FAILED = solution(Status.FAILED)


def test_a_usable_plan_is_driven_from_its_start():
    fallback = Fallback()
    np.testing.assert_array_equal(fallback.take(solution()), PLAN[0])
    assert not fallback.counts
    assert not fallback.reason


def test_after_a_failure_the_tail_is_driven_then_nothing():
    fallback = Fallback(FallbackSettings(tail_ticks=2))
    fallback.take(solution())
    np.testing.assert_array_equal(fallback.take(FAILED), PLAN[1])
    np.testing.assert_array_equal(fallback.take(FAILED), PLAN[2])
    assert fallback.take(FAILED) is None
    assert fallback.take(FAILED) is None
    assert fallback.counts == {"solver failed": 4, "tail": 2, "stop": 2}
    assert fallback.reason == "OSQP: solver failed"


def test_a_tail_ends_with_its_plan():
    fallback = Fallback(FallbackSettings(tail_ticks=100))
    fallback.take(solution())
    driven = [fallback.take(FAILED) for _ in range(6)]
    assert [u is None for u in driven] == [False] * 4 + [True] * 2


def test_without_a_plan_there_is_nothing_to_drive():
    assert Fallback().take(FAILED) is None
    assert Fallback(FallbackSettings(tail_ticks=0)).take(FAILED) is None


def test_a_usable_solution_gives_a_whole_tail_again():
    fallback = Fallback(FallbackSettings(tail_ticks=1))
    for _ in range(3):
        fallback.take(solution())
        np.testing.assert_array_equal(fallback.take(FAILED), PLAN[1])


def test_a_plan_that_is_forgotten_has_no_tail():
    fallback = Fallback()
    fallback.take(solution())
    fallback.forget()
    assert fallback.take(FAILED) is None


def test_failures_are_counted_by_how_the_solve_ended():
    fallback = Fallback()
    for status in (Status.BAD_INPUT, Status.ITERATION_LIMIT, Status.BAD_INPUT):
        fallback.take(solution(status))
    assert fallback.counts["bad input"] == 2
    assert fallback.counts["iteration limit reached"] == 1


@pytest.mark.parametrize("ticks", [-1, 1.5, True])
def test_a_bad_setting_is_named(ticks):
    with pytest.raises(ValueError, match="tail_ticks"):
        FallbackSettings(tail_ticks=ticks)


def test_a_late_tick_takes_the_input_of_its_time():
    fallback = Fallback(FallbackSettings(tail_ticks=3))
    fallback.take(solution())
    np.testing.assert_array_equal(fallback.take(FAILED, periods=2), PLAN[2])
    np.testing.assert_array_equal(fallback.take(FAILED), PLAN[3])
    assert fallback.take(FAILED) is None
    fallback.take(solution(), periods=9)
    np.testing.assert_array_equal(fallback.take(FAILED), PLAN[1])
