"""Where on a path the robot is, under noise, pushes and crossings."""

import numpy as np
import pytest
from following import DT, circle, eight, follow, follower_of, hairpin, out_and_back, pose_on

from ebm_mpc_ros.control import FollowerSettings, PathFollower, ReferencePath, split_path

SETTINGS = FollowerSettings(cruise_speed=1.0, reverse_speed=0.4)


def progress_along(path, arcs, follower, noise=0.0, seed=0):
    """Return the progress of a robot that is carried along the path with noise."""
    rng = np.random.default_rng(seed)
    progress = []
    for arc in arcs:
        state = pose_on(path, arc, 1.0)
        state[:2] += rng.normal(scale=noise, size=2)
        follower.reference(state, DT, 5)
        progress.append(follower.progress)
    return np.array(progress)


def test_progress_stays_on_its_branch_where_the_path_crosses_itself():
    path = ReferencePath(eight())
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0, laps=None))
    arc, rng = np.arange(0.0, 2.5 * path.length, 0.05), np.random.default_rng(0)
    for at in arc:
        position, heading, _ = path.sample(at)
        noisy = position + rng.normal(scale=0.03, size=2)
        yaw = float(heading) + (np.pi / 2 if at else 0.0)
        follower.reference([*noisy, yaw, 1.0, 0.0, 0.0], DT, 5)
        assert follower.progress == pytest.approx(at, abs=0.2)


@pytest.mark.parametrize("lap", [0.0, 0.5])
def test_the_first_projection_at_a_crossing_goes_by_the_heading(lap):
    path = ReferencePath(eight())
    follower = PathFollower(path, FollowerSettings(cruise_speed=1.0))
    _, heading, _ = path.sample(lap * path.length)
    follower.reference([0.0, 0.0, float(heading) + 0.3, 0.0, 0.0, 0.0], DT, 5)
    distance = (follower.progress - lap * path.length) % path.length
    assert min(distance, path.length - distance) < 0.15


@pytest.mark.parametrize("seed", range(5))
def test_noise_at_the_crossing_leaves_the_robot_on_its_branch(seed):
    path = ReferencePath(eight())
    arcs = np.arange(0.5 * path.length - 1.0, 0.5 * path.length + 1.0, 0.01)
    follower = PathFollower(path, SETTINGS)
    progress = progress_along(path, arcs, follower, noise=0.05, seed=seed)
    np.testing.assert_allclose(progress, arcs, atol=0.25)


def test_a_hairpin_with_legs_alongside_is_followed_leg_by_leg():
    path = ReferencePath(hairpin(gap=0.3))
    arcs = np.arange(0.0, path.length, 0.05)
    progress = progress_along(path, arcs, PathFollower(path, SETTINGS), noise=0.05)
    np.testing.assert_allclose(progress, arcs, atol=0.25)


@pytest.mark.parametrize("arc", [1.0, 2.5, 2.9])
@pytest.mark.parametrize("aside", [0.5, -0.5])
def test_a_robot_pushed_aside_in_a_hairpin_stays_on_its_leg(arc, aside):
    path = ReferencePath(hairpin(gap=0.3))
    follower = PathFollower(path, SETTINGS)
    progress_along(path, np.arange(0.0, arc + 0.01, 0.05), follower)
    for _ in range(20):
        follower.reference([arc, aside, 0.0, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(arc, abs=0.1)


def test_a_spiral_is_followed_turn_by_turn():
    angle = np.linspace(0, 6 * np.pi, 600)
    radius = 0.5 + 0.3 * angle / (2 * np.pi)
    path = ReferencePath(radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    arcs = np.arange(0.0, path.length, 0.05)
    progress = progress_along(path, arcs, PathFollower(path, SETTINGS), noise=0.05)
    np.testing.assert_allclose(progress, arcs, atol=0.25)


def test_a_loop_driven_twice_is_followed_twice():
    points = np.concatenate([circle(1.0)[:-1], 1.0001 * circle(1.0)])
    path = ReferencePath(points)
    arcs = np.arange(0.0, path.length, 0.05)
    progress = progress_along(path, arcs, PathFollower(path, SETTINGS), noise=0.03)
    np.testing.assert_allclose(progress, arcs, atol=0.25)


def test_on_the_way_out_the_way_back_is_not_seen():
    points = out_and_back(3.0)
    follower = follower_of(points, SETTINGS, np.zeros(len(points)))
    rng = np.random.default_rng(2)
    for arc in np.arange(0.0, 2.9, 0.05):
        x, y = np.array([arc, 0.0]) + rng.normal(scale=0.03, size=2)
        follower.reference([x, y, 0.0, 1.0, 0.0, 0.0], DT, 5)
        assert follower.progress == pytest.approx(arc, abs=0.15)


def test_of_ways_equally_good_the_first_is_taken():
    points = out_and_back(3.0)
    follower = follower_of(points, SETTINGS, np.zeros(len(points)))
    follower.reference([1.013, 0.02, 0.0, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(1.013, abs=1e-6)


def test_a_new_search_finds_the_stretch_that_the_robot_faces_along():
    stretches = split_path(out_and_back(3.0))
    follower = PathFollower(stretches, SETTINGS)
    follower.reference([1.0, 0.0, np.pi, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(5.0, abs=1e-6)


def test_a_robot_pushed_aside_goes_on_from_beside():
    path = ReferencePath([[0, 0], [10, 0]])
    follower = PathFollower(path, SETTINGS)
    progress_along(path, np.arange(0.0, 4.01, 0.05), follower)
    reference = follower.reference([4.0, 0.5, 0.3, 0.5, 0.0, 0.0], DT, 10)
    np.testing.assert_allclose(reference[0, :3], [4.0, 0.0, 0.0], atol=1e-9)


def test_a_robot_carried_ahead_is_caught_up_with_step_by_step():
    path = ReferencePath([[0, 0], [10, 0]])
    follower = PathFollower(path, SETTINGS)
    progress_along(path, [0.0, 0.05], follower)
    gains = np.diff(progress_along(path, [3.05] * 60, follower), prepend=0.05)
    assert np.max(gains) <= 2.0 + 0.03
    assert follower.progress == pytest.approx(3.05, abs=1e-6)


def test_a_robot_carried_to_a_later_branch_does_not_jump_there():
    path = ReferencePath(hairpin(gap=3.0, leg=6.0))
    follower = PathFollower(path, SETTINGS)
    progress_along(path, np.arange(0.0, 1.01, 0.05), follower)
    for _ in range(50):
        follower.reference([1.0, 3.0, 0.0, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(1.0, abs=1e-6)
    follower.reset()
    follower.reference([1.0, 3.0, np.pi, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(path.length - 1.0, abs=0.05)


def test_a_robot_in_the_middle_of_a_circle_makes_no_progress():
    path = ReferencePath(circle(0.5))
    follower = PathFollower(path, SETTINGS)
    progress_along(path, np.arange(0.0, 1.01, 0.05), follower)
    for _ in range(20):
        follower.reference([0.0, 0.0, 1.0, 0.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(1.0, abs=0.15)


def test_a_robot_that_cut_a_corner_is_found_behind_it():
    path = ReferencePath([[0, 0], [4, 0], [4, 4]])
    follower = PathFollower(path, SETTINGS)
    progress_along(path, np.arange(0.0, 3.41, 0.05), follower)
    for way in np.arange(0.0, 1.5, 0.05):
        follower.reference([3.4, way, np.pi / 2, 1.0, 0.0, 0.0], DT, 5)
    assert follower.progress == pytest.approx(5.45, abs=0.05)


@pytest.mark.parametrize("laps", [2, 3])
def test_a_noisy_robot_drives_a_closed_path_for_its_laps(laps):
    path = ReferencePath(circle(1.0))
    settings = FollowerSettings(cruise_speed=1.0, laps=laps)
    arcs = np.arange(0.0, laps * path.length, 0.05)
    follower = PathFollower(path, settings)
    progress = progress_along(path, arcs, follower, noise=0.03)
    np.testing.assert_allclose(progress[5:-5], arcs[5:-5], atol=0.25)
    assert follower.finished == (progress[-1] >= laps * path.length - 0.05)


def test_far_from_the_origin_a_path_is_followed_alike():
    offset = np.array([5e5, -5e5])
    near, far = (ReferencePath(eight() + o) for o in (0 * offset, offset))
    states = [follow(PathFollower(path, SETTINGS), pose_on(path, 0.0), 200) for path in (near, far)]
    states[1][:, :2] -= offset
    np.testing.assert_allclose(states[1], states[0], atol=1e-6)
