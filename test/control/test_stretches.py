"""Where a path is stopped on, and what of it is driven backwards."""

import numpy as np
import pytest
from following import circle, eight, hairpin, out_and_back

from ebm_mpc_ros.control import split_path


def directions(points, headings=None):
    return [path.backwards for path in split_path(points, headings)]


def tangents(points):
    ahead = np.gradient(np.asarray(points, dtype=float), axis=0)
    return np.arctan2(ahead[:, 1], ahead[:, 0])


@pytest.mark.parametrize("points", [eight(), circle(1.0), hairpin(0.3), [[0, 0], [2, 0], [2, 2]]])
@pytest.mark.parametrize("with_headings", [True, False])
def test_a_path_without_a_cusp_is_one_stretch_forwards(points, with_headings):
    assert directions(points, tangents(points) if with_headings else None) == [False]


def test_headings_against_the_line_make_it_backwards():
    points = eight()
    (path,) = split_path(points, tangents(points) + np.pi)
    assert path.backwards
    assert path.closed


def test_a_cusp_parts_forwards_from_backwards():
    points = out_and_back(2.0)
    first, second = split_path(points, np.full(len(points), 0.1))
    assert (first.backwards, second.backwards) == (False, True)
    assert [first.length, second.length] == pytest.approx([2.0, 2.0])
    np.testing.assert_allclose(second.positions[0], [2.0, 0.0])
    np.testing.assert_allclose(np.cos(second.headings), 1.0)


def test_a_three_point_turn_has_three_stretches():
    s = np.linspace(0, 1, 30)
    first = np.column_stack([s, 0.3 * s**2])
    second = np.column_stack([1 - 0.8 * s[1:], 0.3 + 0.1 * s[1:]])
    third = np.column_stack([0.2 + s[1:], 0.4 + 0.5 * s[1:]])
    headings = np.concatenate(
        [np.arctan(0.6 * s), np.full(29, np.arctan2(-0.1, 0.8)), np.full(29, np.arctan(0.5))]
    )
    points = np.concatenate([first, second, third])
    assert directions(points, headings) == [False, True, False]


def test_without_headings_a_tip_is_a_stop_between_two_ways_forwards():
    first, second = split_path(out_and_back(2.0))
    assert not first.backwards
    assert not second.backwards
    assert abs(second.headings[0] - first.headings[-1]) == pytest.approx(np.pi)


def test_headings_that_turn_at_the_tip_mean_forwards_twice():
    points = out_and_back(2.0, 21)
    headings = np.where(np.arange(len(points)) < 20, 0.0, np.pi)
    assert directions(points, headings) == [False, False]


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, 2.0])
def test_headings_that_do_not_follow_the_line_tell_nothing(heading):
    assert directions(eight(), np.full(400, heading)) == [False]


def test_a_goal_turned_otherwise_changes_nothing():
    points = np.column_stack([np.linspace(0, 3, 31), np.zeros(31)])
    headings = np.zeros(31)
    headings[-1] = np.pi
    assert directions(points, headings) == [False]
    headings[:] = np.pi
    headings[-1] = 0.0
    assert directions(points, headings) == [True]


def test_jitter_of_the_points_is_no_tip():
    rng = np.random.default_rng(0)
    points = np.column_stack([np.linspace(0, 3, 600), np.zeros(600)])
    assert directions(points + rng.normal(scale=0.003, size=points.shape)) == [False]


def test_repeated_points_are_no_cusp():
    points = np.repeat([[0.0, 0], [1, 0], [2, 0]], 3, axis=0)
    assert directions(points, np.full(9, 0.1)) == [False]


def test_a_heading_for_each_point_is_wanted():
    with pytest.raises(ValueError, match="headings"):
        split_path(eight(), np.zeros(3))


def test_a_long_path_with_many_tips_stays_small():
    points = np.column_stack([np.where(np.arange(200) % 2, 1e4, 0.0), np.zeros(200)])
    stretches = split_path(points)
    assert len(stretches) == 199
    assert sum(len(path.stations) for path in stretches) <= 102_000
