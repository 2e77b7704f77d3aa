"""The numbers behind a report's figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.tools.innovations import (
    Innovation,
    nis_windows,
    read_innovations,
    to_table,
    write_innovations,
)
from ebm_mpc_ros.tools.report_chart import Chart, numbers, ordinal
from ebm_mpc_ros.tools.report_numbers import (
    accelerations,
    ellipses,
    forecast_errors,
    peaks,
    pose_errors,
    thinned,
)
from ebm_mpc_ros.tools.report_run import Forecast, Track


def track(times, x, y=None, yaw=None):
    zeros = np.zeros(len(times))
    states = np.stack([x, zeros if y is None else y, zeros if yaw is None else yaw, *[zeros] * 3])
    return Track("/odom", "odom", np.asarray(times, float), states.T, np.zeros((len(times), 3, 3)))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(4, 50))
def test_peaks_keep_the_largest_and_the_least_of_every_block_within_the_budget(values, budget):
    array = np.array(values)
    kept, every = peaks(array, budget)
    assert len(kept) <= max(budget, 2)
    assert (np.diff(kept) > 0).all()
    for start in range(0, len(array), every):
        block = array[start : start + every]
        there = array[kept[(kept >= start) & (kept < start + every)]]
        assert {block.min(), block.max()} <= set(there)


def test_peaks_pass_over_what_is_no_number():
    values = np.tile([np.nan, 3.0, 1.0, np.nan], 100)
    kept, _ = peaks(values, 20)
    assert np.isfinite(values[kept]).all()
    peaks(np.full(100, np.nan), 20)


@given(st.integers(1, 5000), st.integers(1, 500))
def test_thinning_keeps_the_ends_and_every_so_many_th(count, budget):
    kept, every = thinned(count, budget)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert len(kept) <= budget + 1
    assert (np.diff(kept[:-1]) == every).all()


def test_an_ellipse_holds_95_percent_of_its_gaussian():
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[c, -s], [s, c]])
    covariance = turn @ np.diag([4.0, 0.25]) @ turn.T
    found = ellipses(np.stack([covariance, np.zeros((2, 2)), np.full((2, 2), np.nan)]))
    assert found.angle[0] % np.pi == pytest.approx(0.7)
    draws = np.random.default_rng(0).multivariate_normal([0, 0], covariance, 40_000)
    along = draws @ turn
    inside = (along[:, 0] / found.long[0]) ** 2 + (along[:, 1] / found.short[0]) ** 2 < 1.0
    assert inside.mean() == pytest.approx(0.95, abs=0.005)
    assert np.isnan(found.long[1:]).all()


def test_pose_errors_are_taken_where_both_are_and_headings_wrap():
    times = np.arange(10.0)
    truth = track(times, times, yaw=np.full(10, 3.1))
    estimate = track(times + 4.5, times + 4.5, np.full(10, 0.3), np.full(10, -3.1))
    errors = pose_errors(estimate, truth)
    assert errors.rmse == pytest.approx(0.3)
    np.testing.assert_allclose(errors.yaw[:5], 2 * np.pi - 6.2)
    assert np.isnan(errors.yaw[5:]).all()
    assert pose_errors(track(times + 100.0, times), truth) is None


def test_where_the_truth_is_silent_for_long_nothing_is_compared():
    times = np.arange(0.0, 60.0, 0.02)
    x, y = 5.0 * np.cos(times), 5.0 * np.sin(times)
    silent = (times > 20.0) & (times < 35.0)
    truth = track(times[~silent], x[~silent], y[~silent])
    errors = pose_errors(track(times, x, y), truth)
    np.testing.assert_array_equal(np.isnan(errors.yaw), silent)
    assert errors.rmse == pytest.approx(0.0, abs=1e-9)
    assert errors.told == "0.000 m, 25.0% left out"
    ahead = np.arange(21) * 0.1
    forecasts = [
        Forecast(t + ahead, 5.0 * np.stack([np.cos(t + ahead), np.sin(t + ahead)], axis=-1))
        for t in np.arange(0.0, 55.0, 0.5)
    ]
    assert np.nanmax(forecast_errors(forecasts, truth).distances) < 0.01


def test_a_slow_truth_is_compared_and_so_is_one_that_misses_a_few():
    times = np.array([0.0, 1.0, 2.0, 6.5, 7.5, 8.5])
    errors = pose_errors(track(np.arange(0.0, 8.5, 0.1), np.zeros(85)), track(times, np.zeros(6)))
    assert errors.told == "0.000 m"
    alone = track([2.0], [1.0])
    np.testing.assert_array_equal(alone.at(np.array([1.0, 2.0, 3.0]))[:, 0], [np.nan, 1.0, np.nan])


def test_a_late_command_is_no_larger_acceleration():
    times = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.252, 0.35, 2.0, 2.05])
    commands = np.column_stack([times, 2.0 * np.round(times / 0.05) * 0.05, np.zeros((9, 2))])
    changes = accelerations(commands)
    np.testing.assert_allclose(np.delete(changes[:, 1], 6), 2.0)
    assert np.isnan(changes[6, 1])
    assert accelerations(commands[:1]).shape == (0, 4)


def test_forecast_errors_grow_as_the_forecast_goes_astray():
    times = np.linspace(0.0, 10.0, 201)
    driven = track(times, times)
    ahead = np.linspace(0.0, 2.0, 21)
    forecasts = [
        Forecast(start + ahead, np.column_stack([start + ahead, 0.5 * ahead]))
        for start in np.arange(0.0, 10.0, 0.5)
    ]
    errors = forecast_errors(forecasts, driven)
    there = errors.distances[:16]
    np.testing.assert_allclose(there, np.broadcast_to(0.5 * errors.ahead, there.shape), atol=1e-9)
    assert np.isnan(errors.distances[-1, -1])
    nearest, column = errors.at(1.01)
    assert nearest == pytest.approx(1.0, abs=0.05)
    assert column[0] == pytest.approx(0.5 * nearest)
    assert forecast_errors(forecasts, track(times + 1e3, times)) is None


def test_windows_of_a_consistent_filter_lie_within_their_bounds():
    rng = np.random.default_rng(1)
    times = rng.uniform(0.0, 60.0, 20_000)
    found = nis_windows(
        times, rng.chisquare(3, 20_000), np.full(20_000, 3), np.linspace(0.0, 60.0, 201)
    )
    inside = (found.ratios > found.lows) & (found.ratios < found.highs)
    assert inside.mean() == pytest.approx(0.95, abs=0.04)
    assert nis_windows(times[:0], times[:0], np.zeros(0, int), np.arange(3.0)).ratios.size == 0


def test_innovations_survive_being_written(tmp_path):
    names = ("x", "y", "vx")
    noted = [
        Innovation(10**18 + 7, "odom0", 1.5, 2, (0, 2), np.array([0.1, -2e-7]), np.ones(2), True),
        Innovation(10**18 + 7, "gps,0", np.inf, 1, (1,), np.array([3.0]), np.array([0.5]), False),
    ]
    write_innovations(tmp_path / "table.csv", noted, names)
    read, direct = read_innovations(tmp_path / "table.csv"), to_table(noted, names)
    assert list(read.residuals) == [("odom0", "x"), ("odom0", "vx"), ("gps,0", "y")]
    for key, residuals in direct.residuals.items():
        for mine, theirs in zip(read.residuals[key], residuals, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    for key, squares in direct.squares.items():
        for mine, theirs in zip(read.squares[key], squares, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_numbers_are_rounded_to_what_a_figure_can_show():
    assert numbers([0.0, 1 / 3, np.nan, 10.0]) == [0.0, 0.3333, None, 10.0]
    assert numbers([12345.678, 12345.679]) == [12345.678, 12345.679]
    assert numbers([12345.0, 12345.0]) == [12345.0, 12345.0]
    assert numbers([1 / 3, 10.0], 2) == [0.33, 10.0]
    assert numbers([1e-6, 2e-6]) == [1e-6, 2e-6]
    assert numbers([np.nan]) == [None]
    assert numbers([]) == []


def test_an_outlier_leaves_the_other_numbers_as_they_are():
    assert numbers([0.51234, -0.7, 0.01, np.inf, 2e6]) == [0.5123, -0.7, 0.01, None, 2e6]
    assert numbers([1e-4, 0.0004, 25.0]) == [1e-4, 4e-4, 25.0]


def test_a_line_has_a_gap_where_nothing_came():
    times = np.array([0.0, 0.1, 0.2, 9.0, 9.1])
    chart = Chart("Speed", "speed (m/s)").line("s", times, np.ones(5), 0)
    assert chart.series[0]["y"] == [1.0, 1.0, 1.0, None, 1.0, 1.0]


def test_ordinals():
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "112th",
    ]  # fmt: skip
