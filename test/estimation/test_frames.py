"""Static transforms: composed, inverted, looked up, written as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.frames import (
    IDENTITY,
    StaticTransforms,
    Transform,
    UnknownFrameError,
    parse_transform,
)

HALF_PI = 0.5 * np.pi
poses = st.lists(st.floats(-3, 3), min_size=6, max_size=6).map(Transform.from_rpy)


def homogeneous(transform):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = transform.matrix, transform.translation
    return matrix


def same(a, b):
    np.testing.assert_allclose(homogeneous(a), homogeneous(b), atol=1e-9)


@given(a=poses, b=poses)
def test_composition_is_the_product_of_homogeneous_matrices(a, b):
    np.testing.assert_allclose(homogeneous(a @ b), homogeneous(a) @ homogeneous(b), atol=1e-12)


@given(a=poses)
def test_a_transform_and_its_inverse_cancel(a):
    same(a @ a.inverse(), IDENTITY)
    same(a.inverse() @ a, IDENTITY)


def test_roll_pitch_yaw_turn_about_fixed_axes():
    R = Transform.from_rpy([0, 0, 0, HALF_PI, 0, -HALF_PI]).matrix
    np.testing.assert_allclose(R, [[0, 0, -1], [-1, 0, 0], [0, 1, 0]], atol=1e-15)


@given(a=poses, b=poses, c=poses)
def test_a_lookup_follows_chains_both_ways(a, b, c):
    frames = StaticTransforms([("base", "mast", a), ("mast", "imu", b), ("base", "gps", c)])
    same(frames.lookup("base", "imu"), a @ b)
    same(frames.lookup("imu", "base"), (a @ b).inverse())
    same(frames.lookup("gps", "imu"), c.inverse() @ a @ b)


def test_a_frame_is_where_it_is_without_being_known():
    same(StaticTransforms().lookup("odom", "odom"), IDENTITY)


def test_a_leading_slash_means_nothing():
    a = Transform.from_rpy([1, 2, 3, 0.1, 0.2, 0.3])
    frames = StaticTransforms([("/base", "imu", a)])
    same(frames.lookup("base", "/imu"), a)


def test_the_last_pose_given_counts():
    old, new = Transform.from_rpy([1, 0, 0, 0, 0, 0]), Transform.from_rpy([2, 0, 0, 0, 0, 0])
    frames = StaticTransforms([("base", "imu", old)])
    same(frames.lookup("base", "imu"), old)
    frames.add("base", "imu", new)
    same(frames.lookup("base", "imu"), new)
    frames.add("imu", "base", old)
    same(frames.lookup("base", "imu"), old.inverse())


def test_a_new_parent_replaces_the_old_one():
    old, new = Transform.from_rpy([1, 0, 0, 0, 0, 0]), Transform.from_rpy([2, 0, 0, 0, 0, 0])
    mast = Transform.from_rpy([0, 0, 1, 0, 0, 0])
    frames = StaticTransforms([("base", "mast", mast), ("base", "imu", old)])
    frames.add("mast", "imu", new)
    same(frames.lookup("base", "imu"), mast @ new)
    frames.add("imu", "mast", old)
    frames.add("base", "mast", mast)
    same(frames.lookup("base", "mast"), mast)


def test_frames_that_nothing_joins_are_named():
    frames = StaticTransforms([("base", "imu", IDENTITY), ("map", "odom", IDENTITY)])
    with pytest.raises(UnknownFrameError, match="no transform from 'odom' to 'base'"):
        frames.lookup("base", "odom")
    with pytest.raises(UnknownFrameError, match="no transform from 'gps' to 'base'"):
        frames.lookup("base", "gps")


def test_a_ring_of_frames_ends_the_search():
    frames = StaticTransforms([("a", "b", IDENTITY), ("b", "c", IDENTITY), ("c", "a", IDENTITY)])
    with pytest.raises(UnknownFrameError):
        frames.lookup("a", "d")


def test_a_transform_can_be_written_as_text():
    parent, child, transform = parse_transform("base_link imu_link 1 -0.3 5.2e-1 0 0 1.5")
    assert (parent, child) == ("base_link", "imu_link")
    same(transform, Transform.from_rpy([1, -0.3, 0.52, 0, 0, 1.5]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "base imu",
        "base imu 0 0 0 0 0",
        "base imu 0 0 0 0 0 0 0",
        "base imu 0 0 0 0 0 north",
        "base imu 0 0 0 0 0 nan",
        "base imu 0 0 inf 0 0 0",
        "base /base 0 0 0 0 0 0",
    ],
)
def test_a_text_of_another_form_is_shown(text):
    with pytest.raises(ValueError, match=r"^static transform") as caught:
        parse_transform(text)
    assert repr(text) in str(caught.value)
