"""Drives on a grid of time: aligned, of any rates, and broken where the samples are."""

import dataclasses

import numpy as np
import pytest
from driving import MODEL, SECOND, START, commanded, drive, stamps_of

from ebm_mpc_ros.learning.recording import DataError, Track
from ebm_mpc_ros.learning.resampling import Grid, interpolate, segments
from ebm_mpc_ros.learning.steering import steered, told
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive

CAR = load_model("ackermann", {"wheelbase": 0.4})
GRID = Grid(dt=0.1, longest_gap=0.25)


def without(track, start, end):
    """Return a track without the samples between two times in s."""
    t = (track.stamps - START) / SECOND
    kept = (t < start) | (t > end)
    return Track(track.stamps[kept], track.values[kept])


def changed(recording, **fields):
    return dataclasses.replace(recording, **fields)


@pytest.mark.parametrize("state_rate", [10.0, 50.0, 100.0])
@pytest.mark.parametrize("command_rate", [10.0, 20.0, 50.0])
def test_inputs_are_the_rate_of_change_of_the_commands_whatever_the_rates(state_rate, command_rate):
    (found,) = segments(MODEL, drive(10.0, state_rate, command_rate), GRID)
    assert found.stamps[0] == START
    assert np.all(np.diff(found.stamps) == SECOND // 10)
    assert len(found.inputs) == len(found.states) - 1
    t = (found.stamps - START) / SECOND
    speed, rate = commanded(t)
    # The first commands have none before them.
    expected = np.column_stack([np.diff(speed), np.diff(rate)])[2:] / 0.1
    np.testing.assert_allclose(found.inputs[2:], expected, atol=0.02)


def test_states_and_inputs_are_of_the_same_time():
    (found,) = segments(MODEL, drive(), GRID)
    predicted = MODEL.f(found.states[2:-1], found.inputs[2:], 0.1)
    np.testing.assert_allclose(predicted, found.states[3:], atol=2e-3)
    shifted = MODEL.f(found.states[2:-2], found.inputs[3:], 0.1)
    assert np.abs(shifted - found.states[3:-1]).max() > 0.02


def test_without_commands_inputs_are_the_change_of_the_twist():
    t = np.arange(0.0, 10.0, 0.02)
    twists = np.zeros((len(t), 6))
    twists[:, 0], twists[:, 5] = commanded(t)
    recording = changed(drive(), commands=None, twists=Track(stamps_of(t), twists))
    (found,) = segments(MODEL, recording, GRID)
    speed, rate = commanded((found.stamps - START) / SECOND)
    expected = np.column_stack([np.diff(speed), np.diff(rate)]) / 0.1
    np.testing.assert_allclose(found.inputs, expected, atol=2e-3)


@pytest.mark.parametrize("field", ["states", "commands"])
def test_nothing_leads_across_a_gap(field):
    whole = drive()
    broken = changed(whole, **{field: without(getattr(whole, field), 4.03, 5.01)})
    before, after = segments(MODEL, broken, GRID)
    assert before.stamps[-1] <= START + 4.05 * SECOND
    assert after.stamps[0] >= START + 5.0 * SECOND
    for part in (before, after):
        assert np.all(np.diff(part.stamps) == SECOND // 10)


def test_a_short_gap_is_bridged():
    whole = drive()
    (found,) = segments(MODEL, changed(whole, states=without(whole.states, 4.01, 4.19)), GRID)
    assert len(found.stamps) == 101


def test_headings_are_interpolated_through_pi():
    track = Track(np.array([0, 100]), np.array([[0, 0, 3.1, 0, 0], [1, 0, -3.1, 0, 0]], float))
    (middle,) = interpolate(MODEL, track, np.array([50]))
    assert abs(middle[2]) == pytest.approx(np.pi)
    assert middle[0] == 0.5
    np.testing.assert_allclose(interpolate(MODEL, track, np.array([0, 100]))[:, 0], [0, 1])


def test_a_bag_slower_than_the_grid_is_refused():
    with pytest.raises(DataError, match=r"bag: its states come every 0.1 s, too slow for a dt of"):
        segments(MODEL, drive(state_rate=10.0), Grid(dt=0.05, longest_gap=0.25))


def test_states_and_commands_of_two_clocks_are_told():
    whole = drive()
    late = Track(whole.commands.stamps + 3600 * SECOND, whole.commands.values)
    with pytest.raises(DataError, match=r"states and inputs never go together for 0\.1 s"):
        segments(MODEL, changed(whole, commands=late), GRID)


class Jerky(DiffDrive):
    input_names = ("ax", "jerk")


@pytest.mark.parametrize(
    ("model", "words"),
    [(load_model("rigid_body"), "no inputs"), (Jerky(), "jerk is not told")],
)
def test_a_model_whose_inputs_bags_do_not_tell_is_refused(model, words):
    with pytest.raises(DataError, match=words):
        segments(model, drive(), GRID)


@pytest.mark.parametrize("measured", [False, True])
def test_a_robot_that_steers_is_told_by_its_turn_rate_and_speed(measured):
    recording = drive(model=CAR)
    if measured:
        outputs = CAR.h(recording.states.values)
        twists = np.zeros((len(outputs), 6))
        twists[:, [0, 5]] = outputs[:, 3:]
        recording = changed(recording, commands=None, twists=Track(recording.states.stamps, twists))
    (found,) = segments(CAR, recording, GRID)
    predicted = CAR.f(found.states[2:-1], found.inputs[2:], 0.1)
    np.testing.assert_allclose(predicted, found.states[3:], atol=2e-3)
    _, steering = commanded((found.stamps - START) / SECOND)
    np.testing.assert_allclose(found.inputs[2:, 1], np.diff(steering)[2:] / 0.1, atol=0.02)


def test_a_robot_that_stands_keeps_its_steering_angle():
    speeds = np.array([0.0, 0.5, 0.5, 0.0, 0.02, -0.5])
    angles = np.array([0.2, 0.2, 0.3, 0.3, 0.3, -0.1])
    states = np.zeros((6, 5))
    states[:, 3], states[:, 4] = speeds, angles
    twists = np.zeros((6, 6))
    twists[:, [0, 5]] = CAR.h(states)[:, 3:]
    np.testing.assert_allclose(told(CAR, twists)[:, 5], angles)
    states[[0, 3, 4], 4] = 0.0
    np.testing.assert_allclose(steered(CAR, states)[:, 4], angles)
    standing = np.zeros((3, 5))
    np.testing.assert_array_equal(steered(CAR, standing), standing)


def test_a_drive_without_inputs_and_one_sample_are_refused():
    whole = drive()
    with pytest.raises(DataError, match="neither commands nor twists"):
        segments(MODEL, changed(whole, commands=None), GRID)
    one = Track(whole.states.stamps[:1], whole.states.values[:1])
    with pytest.raises(DataError, match="only one sample of its states"):
        segments(MODEL, changed(whole, states=one), GRID)


@pytest.mark.parametrize("field", ["dt", "longest_gap"])
def test_a_grid_needs_positive_times(field):
    with pytest.raises(ValueError, match=f"{field} is 0.0, must be above 0"):
        Grid(**{"dt": 0.1, "longest_gap": 1.0, field: 0.0})
