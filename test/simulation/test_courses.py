"""Courses and the distances measured on them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from ebm_mpc_ros.simulation.courses import (
    Course,
    clearance,
    course_names,
    cross_track,
    load_course,
    project,
)
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS

MARGIN = 0.15
EIGHT = load_course("figure_eight")


def eight(s):
    return np.stack([3.0 * np.sin(s), 1.5 * np.sin(2.0 * s)], axis=-1)


def load_written(folder, text):
    file = folder / "courses.yaml"
    file.write_text(text, encoding="utf-8")
    return load_course("mine", file)


def test_the_courses_of_the_package_are_there():
    assert set(course_names()) >= {"figure_eight", "slalom", "corridor"}


@pytest.mark.parametrize("name", course_names())
def test_points_lie_a_few_centimetres_apart(name):
    lengths = load_course(name).lengths
    assert (np.abs(lengths - 0.05) < 0.002).all()


@pytest.mark.parametrize("name", course_names())
def test_obstacles_can_be_passed_on_either_side(name):
    course = load_course(name)
    for x, y, radius in course.obstacles:
        nearest = np.argmin(np.hypot(*(course.points - [x, y]).T))
        offset = project(course, [[x, y]], nearest * 0.05).offset[0]
        needed = radius + ROBOT_RADIUS + MARGIN
        assert needed + abs(offset) <= course.half_width


@pytest.mark.parametrize("name", course_names())
def test_the_start_is_clear_of_obstacles(name):
    course = load_course(name)
    assert clearance(course, [course.start[:2]], ROBOT_RADIUS)[0] > 1.0


def test_the_figure_eight_has_the_length_of_its_formula():
    def speed(s):
        return math.hypot(3.0 * math.cos(s), 3.0 * math.cos(2.0 * s))

    length = quad(speed, 0.0, 2.0 * math.pi)[0]
    assert EIGHT.length == pytest.approx(length, rel=1e-3)
    assert EIGHT.closed


def test_the_figure_eight_begins_in_its_crossing():
    np.testing.assert_allclose(EIGHT.start, [0.0, 0.0, math.pi / 4], atol=1e-3)


def test_an_obstacle_stands_on_the_figure_eight_and_clear_of_the_crossing():
    assert clearance(EIGHT, EIGHT.points, 0.0).min() < -0.17
    assert np.hypot(*EIGHT.obstacles[0, :2]) > 2.0


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match=r"'eight' is none of .*figure_eight.*slalom"):
        load_course("eight")


def test_a_course_on_the_path_itself_has_no_cross_track():
    np.testing.assert_allclose(cross_track(EIGHT, EIGHT.points), 0.0, atol=1e-12)


def test_cross_track_keeps_its_branch_through_the_crossing():
    s = np.linspace(0.0, 2.0 * np.pi, 2000)
    gradient = np.stack([3.0 * np.cos(s), 3.0 * np.cos(2.0 * s)], axis=-1)
    normal = np.stack([-gradient[:, 1], gradient[:, 0]], axis=-1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    for side in (-0.3, 0.3):
        projection = project(EIGHT, eight(s) + side * normal)
        np.testing.assert_allclose(projection.offset, side, atol=2e-3)
        assert (np.diff(projection.progress) > -0.03).all()
        assert projection.progress[-1] == pytest.approx(EIGHT.length, abs=0.05)


def test_progress_counts_on_from_lap_to_lap():
    s = np.linspace(0.0, 6.0 * np.pi, 1000)
    progress = project(EIGHT, eight(s)).progress
    assert progress[-1] == pytest.approx(3.0 * EIGHT.length, abs=0.05)


def test_a_run_may_begin_in_the_middle_of_a_lap():
    half = project(EIGHT, eight(np.linspace(np.pi, 1.5 * np.pi, 100)), 0.5 * EIGHT.length)
    np.testing.assert_allclose(half.offset, 0.0, atol=1e-3)
    np.testing.assert_allclose(half.progress[[0, -1]] / EIGHT.length, [0.5, 0.75], atol=1e-3)


def test_a_run_may_begin_in_a_later_lap():
    progress = project(EIGHT, eight(np.array([0.1, 0.2])), 2.0 * EIGHT.length).progress
    assert (progress > 2.0 * EIGHT.length).all()


def test_positions_may_lie_far_apart():
    s = np.linspace(0.0, 2.0 * np.pi, 16)
    projection = project(EIGHT, eight(s))
    np.testing.assert_allclose(projection.offset, 0.0, atol=1e-3)
    assert projection.progress[-1] == pytest.approx(EIGHT.length, abs=1e-3)


def test_beyond_an_open_end_only_the_distance_across_counts():
    corridor = load_course("corridor")
    projection = project(corridor, [[7.9, 0.1], [8.2, 0.1], [8.6, -0.1]], 7.9)
    np.testing.assert_allclose(projection.offset, [0.1, 0.1, -0.1], atol=1e-9)
    np.testing.assert_allclose(projection.progress[1:], 8.0)


@given(st.floats(0.0, 8.0), st.floats(-0.7, 0.7))
def test_on_a_straight_path_progress_and_offset_are_the_coordinates(x, y):
    projection = project(load_course("corridor"), [[x, y]], x)
    assert projection.progress[0] == pytest.approx(x, abs=1e-9)
    assert projection.offset[0] == pytest.approx(y, abs=1e-9)


def test_clearance_is_the_gap_to_the_nearest_obstacle():
    slalom = load_course("slalom")
    gaps = clearance(slalom, [[2.5, 0.5], [5.0, -1.0], [4.0, 0.0]], 0.2)
    np.testing.assert_allclose(gaps, [0.15, 0.65, 0.65])


def test_clearance_is_infinite_without_obstacles():
    course = Course(**{**vars(load_course("corridor")), "obstacles": np.empty((0, 3))})
    assert clearance(course, [[0.0, 0.0]], 0.2)[0] == math.inf


def test_no_positions_have_no_distances():
    assert cross_track(EIGHT, np.empty((0, 2))).shape == (0,)
    assert clearance(EIGHT, np.empty((0, 2)), 0.2).shape == (0,)


@pytest.mark.parametrize("positions", [[0.0, 0.0], [[0.0, math.nan]], [[0.0, 0.0, 0.0]]])
def test_positions_of_the_wrong_kind_are_refused(positions):
    with pytest.raises(ValueError, match="positions"):
        cross_track(EIGHT, positions)
    with pytest.raises(ValueError, match="positions"):
        clearance(EIGHT, positions, 0.2)


def test_a_closed_course_of_waypoints_is_smooth_where_it_closes(tmp_path):
    course = load_written(
        tmp_path,
        "mine: {waypoints: [[1, 0], [0, 1], [-1, 0], [0, -1]], closed: true,"
        " half_width: 1.0, speed: 1.0}",
    )
    assert course.obstacles.shape == (0, 3)
    radii = np.hypot(*course.points.T)
    assert np.abs(radii - 1.0).max() < 0.03
    headings = np.unwrap(np.arctan2(course.segments[:, 1], course.segments[:, 0]))
    turns = np.diff(headings, append=headings[0] + 2.0 * np.pi)
    assert np.abs(turns - turns.mean()).max() < 0.5 * turns.mean()
    assert course.start[2] == pytest.approx(0.5 * np.pi, abs=1e-3)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{waypoints: [[0, 0], [1, 0]], speed: 1.0}", "half_width is missing"),
        ("{waypoints: [[0, 0], [1, 0]], half_width: .nan, speed: 1.0}", "half_width is nan"),
        ("{waypoints: [[0, 0], [1, 0]], half_width: 1.0, speed: -1.0}", "speed is -1"),
        ("{waypoints: [[0, 0], [0, 0]], half_width: 1.0, speed: 1.0}", "none repeated"),
        ("{waypoints: [[0, 0]], half_width: 1.0, speed: 1.0}", "2 or more"),
        ("{waypoints: [[0, 0], [1]], half_width: 1.0, speed: 1.0}", "waypoints is"),
        ("{half_width: 1.0, speed: 1.0}", "exactly one of lissajous, waypoints"),
        ("{lissajous: {a: 1.0}, half_width: 1.0, speed: 1.0}", "lissajous is"),
        ("{lissajous: {a: x, b: 1.0}, half_width: 1.0, speed: 1.0}", "a is 'x'"),
        ("{waypoints: [[0, 0], [1, 0]], closed: 1, half_width: 1.0, speed: 1.0}", "closed is 1"),
        ("{waypoints: [[0, 0], [1, 0]], width: 1.0, half_width: 1.0, speed: 1.0}", "width"),
        (
            "{waypoints: [[0, 0], [1, 0]], obstacles: [[0, 1, 0]], half_width: 1.0, speed: 1.0}",
            "radii",
        ),
        (
            "{waypoints: [[0, 0], [1, 0]], obstacles: [[0, 1]], half_width: 1.0, speed: 1.0}",
            "obstacles have shape",
        ),
        ("[1, 2]", "must be a mapping"),
    ],
)
def test_a_wrong_entry_says_what_is_wrong(tmp_path, entry, complaint):
    with pytest.raises(ValueError, match=complaint):
        load_written(tmp_path, f"mine: {entry}")


def test_a_file_without_courses_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mapping of names"):
        load_written(tmp_path, "- 1")


def test_the_arrays_of_a_course_can_not_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        EIGHT.points[0] = 1.0
