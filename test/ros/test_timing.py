"""Figures of the last ticks, and whether they come and end in time."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.ros.timing import Deadline, Timing, Window

MS = 1_000_000
PERIOD = 0.05


def run(deadline, gaps, duration=0.001, start=0):
    """Let ticks come after gaps (ms); return the time and the periods that each counted for."""
    now, periods = start, []
    for gap in gaps:
        now += gap * MS
        periods.append(deadline.begin(now))
        deadline.end(duration)
    return now, periods


def test_a_quantile_of_the_last_numbers():
    window = Window(3)
    assert math.isnan(window.quantile(0.5))
    for number in (100.0, 1.0, 2.0, 3.0):
        window.add(number)
    assert window.quantile(0.5) == 2.0
    assert window.quantile(1.0) == 3.0


def test_durations_are_told_in_ms():
    timing = Timing()
    timing.add(0.002)
    assert timing.quantile(0.5) == pytest.approx(2.0)


def test_punctual_ticks_miss_nothing():
    deadline = Deadline(PERIOD)
    _, periods = run(deadline, [50] * 100)
    assert periods == [1] * 100
    assert (deadline.ticks, deadline.late, deadline.overruns, deadline.misses) == (100, 0, 0, 0)
    assert deadline.share == 0.0


@pytest.mark.parametrize(
    ("gap", "periods", "late"), [(20, 1, 0), (74, 1, 0), (80, 2, 1), (100, 2, 1), (260, 5, 1)]
)
def test_a_late_tick_counts_for_the_periods_since_the_last(gap, periods, late):
    deadline = Deadline(PERIOD)
    run(deadline, [50])
    assert deadline.begin((50 + gap) * MS) == periods
    deadline.end(0.001)
    assert deadline.late == late


def test_a_tick_longer_than_a_period_is_an_overrun():
    deadline = Deadline(PERIOD)
    run(deadline, [50], duration=0.051)
    assert (deadline.late, deadline.overruns, deadline.misses) == (0, 1, 1)


def test_a_tick_that_is_both_is_one_miss():
    deadline = Deadline(PERIOD)
    run(deadline, [50, 100], duration=0.051)
    assert (deadline.late, deadline.overruns, deadline.misses) == (1, 2, 2)


def test_the_share_is_that_of_the_last_ten_seconds():
    deadline = Deadline(PERIOD)
    now, _ = run(deadline, [50] * 190 + [100] * 10)
    assert deadline.share == pytest.approx(10 / 200)
    now, _ = run(deadline, [50] * 180, start=now)
    assert deadline.share == pytest.approx(10 / 200)
    run(deadline, [50] * 21, start=now)
    assert deadline.share == 0.0
    assert deadline.late == 10


def test_a_pause_is_no_lateness():
    deadline = Deadline(PERIOD)
    now, _ = run(deadline, [50])
    deadline.pause()
    assert deadline.begin(now + 10_000 * MS) == 1
    assert deadline.late == 0


def test_a_clock_that_jumps_back_is_no_lateness():
    deadline = Deadline(PERIOD)
    now, _ = run(deadline, [50, 100])
    assert now == 150 * MS
    assert deadline.begin(10 * MS) == 1
    deadline.end(0.001)
    assert np.isclose(deadline.share, 0.0)
