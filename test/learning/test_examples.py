"""Rows to learn from: each within its segment, with what belongs together."""

import dataclasses

import numpy as np
from driving import MODEL, SECOND, START, drive

from ebm_mpc_ros.learning.conditions import Sight, condition_units
from ebm_mpc_ros.learning.examples import demonstrations, transitions
from ebm_mpc_ros.learning.recording import Goal, Obstacles
from ebm_mpc_ros.learning.resampling import Grid, Segment, segments

GRID = Grid(dt=0.1, longest_gap=0.25)
SIGHT = Sight(look_ahead=1.0, nearest=1)


def segment(length, first):
    """Return one whose numbers tell where they come from."""
    k = np.arange(length, dtype=float) + first
    states = np.column_stack([k, 0 * k, 0 * k, 0 * k + 0.5, 0 * k])
    return Segment(k.astype(np.int64), states, np.column_stack([k, -k])[:-1])


def test_every_step_is_a_transition_and_none_leads_across_a_gap():
    found = transitions([segment(4, 0), segment(3, 100)])
    np.testing.assert_array_equal(found.states[:, 0], [0, 1, 2, 100, 101])
    np.testing.assert_array_equal(found.inputs[:, 0], [0, 1, 2, 100, 101])
    np.testing.assert_array_equal(found.following[:, 0], [1, 2, 3, 101, 102])
    np.testing.assert_array_equal(found.end - found.begin, 1)


def test_transitions_of_two_rates_follow_the_model():
    for rate in (20.0, 100.0):
        parts = segments(MODEL, drive(state_rate=rate), GRID)
        x, u, following, _, _ = transitions(parts)
        np.testing.assert_allclose(MODEL.f(x, u, 0.1)[2:], following[2:], atol=3e-3)


def test_chunks_are_the_inputs_that_follow_and_stay_within_their_segment():
    parts = [segment(6, 0), segment(3, 100), segment(5, 200)]
    found = demonstrations(MODEL, drive(), parts, SIGHT, 3)
    np.testing.assert_array_equal(
        found.inputs[:, :, 0], [[0, 1, 2], [1, 2, 3], [2, 3, 4], [200, 201, 202], [201, 202, 203]]
    )
    np.testing.assert_array_equal(found.begin, [0, 1, 2, 200, 201])
    np.testing.assert_array_equal(found.end - found.begin, 3)


def test_moments_before_the_first_goal_are_left_out():
    goal = Goal(START + 2 * SECOND, np.array([[3.0, 1.0, 0.0]]))
    recording = dataclasses.replace(drive(), goals=(goal,))
    found = demonstrations(MODEL, recording, segments(MODEL, recording, GRID), SIGHT, 8)
    assert found.begin[0] == START + 2 * SECOND


def test_obstacles_count_from_when_they_stand_to_when_they_are_gone():
    circle = np.array([[2.0, 3.0, 0.3]])
    history = (
        Obstacles(START + 2 * SECOND, circle),
        Obstacles(START + 3 * SECOND, np.empty((0, 3))),
    )
    recording = dataclasses.replace(drive(), obstacles=history)
    sight = dataclasses.replace(SIGHT, obstacle_range=100.0)
    found = demonstrations(MODEL, recording, segments(MODEL, recording, GRID), sight, 4)
    column = list(condition_units(MODEL, sight)).index("obstacle0_radius")
    seen = found.begin[found.conditions[:, column] > 0.0]
    np.testing.assert_array_equal([seen[0], seen[-1]], [START + 2 * SECOND, START + 2.9 * SECOND])
    assert len(seen) == 10


def test_the_speed_in_the_condition_is_that_of_the_chunks_beginning():
    recording = drive()
    (part,) = segments(MODEL, recording, GRID)
    found = demonstrations(MODEL, recording, [part], SIGHT, 8)
    speeds = part.states[:, 3]
    np.testing.assert_allclose(found.conditions[:, 0], speeds[: len(speeds) - 8])
    gained = found.conditions[2:, 0] + 0.1 * found.inputs[2:, :, 0].sum(axis=1)
    np.testing.assert_allclose(gained, speeds[10:], atol=2e-3)
