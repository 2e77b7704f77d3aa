"""Satellite fixes in the estimator itself."""

import numpy as np
import pytest
from estimating import (
    MS,
    START,
    alone,
    dropped,
    estimator,
    feed,
    fix,
    mask,
    odometry,
    queued,
)

from ebm_mpc_ros.errors import UserError

HOME = (48.0, 11.0, 500.0)
# Metres of a degree there, by the radii of curvature of WGS 84.
_SQUARE = 1.0 - 0.00669437999014 * np.sin(np.radians(HOME[0])) ** 2
NORTH = np.radians(6378137.0 * (1.0 - 0.00669437999014) / _SQUARE**1.5 + HOME[2])
EAST = np.radians((6378137.0 / _SQUARE**0.5 + HOME[2]) * np.cos(np.radians(HOME[0])))
ANTENNA = "base_link gps 1 0 0.5 0 0 0"


def at(east, north, up=0.0):
    return HOME[0] + north / NORTH, HOME[1] + east / EAST, HOME[2] + up


def navsat(*names, **parameters):
    return alone("navsat0", names or ["x", "y", "z"], world_frame="map", **parameters)


def test_fixes_are_east_north_and_up_of_the_first():
    made = navsat(static_transforms=["base_link gps 0 0 0 0 0 0"])
    out = feed(made, "navsat0", [lambda s: fix(s, HOME)])
    np.testing.assert_allclose(out.position, 0.0, atol=1e-9)
    there = at(30, 40, 5)
    out = feed(made, "navsat0", [lambda s: fix(s, there)] * 200, start=START + 50 * MS)
    np.testing.assert_allclose(out.position, [30, 40, 5], atol=0.5)
    assert made.world_frame == "map"


def test_a_datum_may_be_given():
    made = navsat(datum=list(HOME), static_transforms=["base_link gps 0 0 0 0 0 0"])
    out = feed(made, "navsat0", [lambda s: fix(s, at(30, 40, 5))])
    np.testing.assert_allclose(out.position, [30, 40, 5], atol=0.01)


def test_two_receivers_share_a_datum():
    made = estimator(
        **{f"navsat{i}": f"/fix{i}" for i in range(2)},
        static_transforms=["base_link gps 0 0 0 0 0 0"],
        world_frame="map",
    )
    made.receive("navsat0", fix(START, HOME), START)
    made.receive("navsat1", fix(START, at(10, 0)), START)
    values = {m.source: m.values for m in made.filter._queue}
    np.testing.assert_allclose(values["navsat0"], 0.0, atol=1e-9)
    np.testing.assert_allclose(values["navsat1"], [10, 0, 0], atol=0.01)


def test_the_datum_outlives_a_reset():
    made = navsat(static_transforms=["base_link gps 0 0 0 0 0 0"])
    feed(made, "navsat0", [lambda s: fix(s, HOME)])
    made.reset()
    out = feed(made, "navsat0", [lambda s: fix(s, at(30, 40))], start=START + 50 * MS)
    np.testing.assert_allclose(out.position[:2], [30, 40], atol=0.01)


def test_an_antenna_has_its_place_on_the_robot():
    made = navsat(
        datum=list(HOME),
        static_transforms=[ANTENNA],
        initial_state=[0.0] * 5 + [np.pi / 2] + [0.0] * 9,
    )
    out = feed(made, "navsat0", [lambda s: fix(s, at(30, 41, 5.5))])
    np.testing.assert_allclose(out.position, [30, 40, 5], atol=0.01)
    assert made.warnings == []


def test_an_antenna_without_a_transform_is_at_base_link_with_one_warning():
    made = navsat()
    out = feed(made, "navsat0", [lambda s: fix(s, HOME)] * 5)
    np.testing.assert_allclose(out.position, 0.0, atol=1e-9)
    assert dropped(made) == {}
    (warning,) = made.warnings
    assert warning.startswith("navsat0 (/navsat0): no transform from 'gps' to 'base_link'")
    assert warning.endswith("its antenna is taken to be at base_link")


def test_what_is_no_fix_is_dropped():
    made = navsat()
    made.receive("navsat0", fix(START, HOME, status=-1), START)
    assert dropped(made) == {("navsat0", "no fix"): 1}
    made.receive("navsat0", fix(START + MS, at(5, 0)), START + MS)
    np.testing.assert_allclose(made.to_publish(START + MS).position, 0.0, atol=1e-9)


@pytest.mark.parametrize("place", [(91.0, 0.0, 0.0), (np.nan, 0.0, 0.0), (0.0, 0.0, np.inf)])
def test_a_place_that_is_none_is_dropped(place):
    made = navsat()
    made.receive("navsat0", fix(START, place), START)
    assert dropped(made) == {("navsat0", "no such place"): 1}


def test_a_fix_that_can_not_be_used_is_no_datum():
    made = navsat()
    made.receive("navsat0", fix(START, at(100, 100), variance=(-1.0,) * 3), START)
    made.receive("navsat0", fix(START + MS, HOME), START + MS)
    np.testing.assert_allclose(made.to_publish(START + MS).position, 0.0, atol=1e-9)


def test_an_unknown_covariance_needs_a_configured_variance():
    unknown = {"covariance_type": 0, "variance": (0.0,) * 3}
    made = navsat()
    made.receive("navsat0", fix(START, HOME, **unknown), START)
    assert dropped(made) == {("navsat0", "variance of x is 0 and navsat0_variance not set"): 1}
    made = navsat(navsat0_variance=[2.0] * 15)
    made.receive("navsat0", fix(START, HOME, **unknown), START)
    np.testing.assert_array_equal(made.filter._queue[0].covariance, np.eye(3) * 2.0)


def test_what_a_message_says_of_an_unknown_covariance_does_not_count():
    made = navsat(navsat0_variance=[2.0] * 15)
    made.receive("navsat0", fix(START, HOME, covariance_type=0, variance=(9.0,) * 3), START)
    np.testing.assert_array_equal(made.filter._queue[0].covariance, np.eye(3) * 2.0)


def test_without_a_mask_a_fix_measures_its_position():
    made = estimator(navsat0="/fix", world_frame="map")
    assert made.values["navsat0_config"] == mask("x", "y", "z")


def test_the_height_may_be_left_out():
    made = navsat("x", "y", datum=list(HOME))
    out = feed(made, "navsat0", [lambda s: fix(s, at(1, 2, 50))])
    np.testing.assert_allclose(out.position, [1, 2, 0], atol=0.01)


def test_a_fix_far_away_is_rejected():
    made = navsat(datum=list(HOME), navsat0_rejection_threshold=3.0)
    feed(made, "navsat0", [lambda s: fix(s, HOME)])
    feed(made, "navsat0", [lambda s: fix(s, at(100, 0))], start=START + 50 * MS)
    assert dropped(made) == {("navsat0", "beyond the rejection threshold"): 1}


def test_fixes_and_a_speed_give_the_heading():
    made = estimator(
        navsat0="/fix",
        world_frame="map",
        datum=list(HOME),
        odom0_config=mask("vx", "vy", "vyaw"),
        initial_estimate_covariance=[1e-9] * 5 + [0.3] + [1e-9] * 9,
        process_noise_covariance=[1e-4] * 15,
        two_d_mode=True,
    )
    heading = 0.6
    for k in range(300):
        now = START + k * 100 * MS
        ahead = 0.1 * k * np.array([np.cos(heading), np.sin(heading)])
        made.receive("odom0", odometry(now, linear=(1, 0, 0), twist_variance=(1e-4,) * 6), now)
        made.receive("navsat0", fix(now + MS, at(*ahead), variance=(0.1,) * 3), now + MS)
        out = made.to_publish(now + MS)
    assert 2 * np.arctan2(out.quaternion[2], out.quaternion[3]) == pytest.approx(0.6, abs=0.02)


def test_a_datum_that_is_no_place_is_refused():
    with pytest.raises(UserError, match=r"parameter datum: 95\.0, 0\.0 is no latitude"):
        navsat(datum=[95.0, 0.0, 0.0])


@pytest.mark.parametrize(("names", "fused"), [(("x", "y"), 1), (("x", "y", "z"), 0)])
def test_an_altitude_may_be_missing_where_nobody_asks_for_it(names, fused):
    made = navsat(*names, static_transforms=["base_link gps 0 0 0 0 0 0"])
    made.receive("navsat0", fix(START, (*HOME[:2], np.nan)), START)
    assert len(queued(made)) == fused
    assert bool(dropped(made)) is not bool(fused)
