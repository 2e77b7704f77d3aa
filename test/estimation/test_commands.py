"""The input u out of the velocity commands that the robot was sent."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.commands import CommandHistory

MS = 1_000_000
TENTH = 100 * MS


def average(found, start, end):
    """Return the mean accelerations along x and about z."""
    mean = found.average(start, end)
    np.testing.assert_array_equal(mean[1:5], 0.0)
    return mean[[0, 5]]


def history(*commands):
    found = CommandHistory()
    for stamp, speed, rate in commands:
        found.add(stamp, (speed, 0.0, 0.0, 0.0, 0.0, rate))
    return found


def test_the_input_is_the_change_over_the_senders_period():
    found = history((0, 0.0, 0.0), (TENTH, 0.2, -0.1))
    np.testing.assert_allclose(average(found, TENTH, 2 * TENTH), [2.0, -1.0])
    np.testing.assert_allclose(average(found, TENTH + 30 * MS, TENTH + 60 * MS), [2.0, -1.0])


def test_there_is_no_input_before_the_command_nor_after_its_period():
    found = history((0, 0.0, 0.0), (TENTH, 0.2, -0.1))
    np.testing.assert_array_equal(average(found, 0, TENTH), [0.0, 0.0])
    np.testing.assert_array_equal(average(found, 2 * TENTH, 3 * TENTH), [0.0, 0.0])
    np.testing.assert_allclose(average(found, 0, 4 * TENTH), [0.5, -0.25])


periods = st.lists(st.integers(5, 249), min_size=2, max_size=7)


@given(periods=periods, speeds=st.lists(st.floats(-2, 2), min_size=8, max_size=8), data=st.data())
def test_it_integrates_to_exactly_the_commanded_change(periods, speeds, data):
    stamps = np.concatenate(([0], np.cumsum(periods))) * MS
    commands = [(int(t), v, -2.0 * v) for t, v in zip(stamps, speeds, strict=False)]
    found = history(*commands)
    end = commands[-1][0] + 250 * MS
    cuts = sorted(data.draw(st.lists(st.integers(0, end), max_size=5)))
    edges = [0, *cuts, end]
    total = sum(average(found, a, b) * (b - a) * 1e-9 for a, b in itertools.pairwise(edges))
    change = commands[-1][1] - commands[0][1]
    np.testing.assert_allclose(total, [change, -2.0 * change], atol=1e-9)


def test_commands_too_far_apart_give_no_input():
    found = history((0, 0.0, 0.0), (251 * MS, 1.0, 1.0))
    np.testing.assert_array_equal(average(found, 251 * MS, 502 * MS), [0.0, 0.0])


@pytest.mark.parametrize("stamp", [0, TENTH])
def test_a_command_not_newer_than_the_last_is_ignored(stamp):
    found = history((0, 0.0, 0.0), (TENTH, 0.2, 0.0), (stamp, 9.0, 9.0))
    np.testing.assert_allclose(average(found, TENTH, 2 * TENTH), [2.0, 0.0])


def test_old_commands_are_forgotten_and_recent_ones_kept():
    found = CommandHistory(memory=1.0)
    for k in range(1000):
        found.add(k * TENTH, (0.1 * k, 0, 0, 0, 0, 0))
    assert len(found) <= 14
    np.testing.assert_allclose(average(found, 992 * TENTH, 999 * TENTH), [1.0, 0.0])


def test_an_empty_interval_has_no_input():
    found = history((0, 0.0, 0.0), (TENTH, 0.2, 0.0))
    np.testing.assert_array_equal(average(found, TENTH, TENTH), [0.0, 0.0])
    np.testing.assert_array_equal(average(found, 2 * TENTH, TENTH), [0.0, 0.0])


def test_clear_forgets_everything():
    found = history((0, 0.0, 0.0), (TENTH, 0.2, 0.0))
    found.clear()
    found.add(TENTH + 50 * MS, (1.0, 0, 0, 0, 0, 0))
    np.testing.assert_array_equal(average(found, 0, 4 * TENTH), [0.0, 0.0])
