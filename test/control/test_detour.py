"""References led around discs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.control import led_around

DT = 0.05
CLEARANCE = 0.3
DISC = [[1.5, 0.0, 0.3]]


def straight(speed=1.0, rows=61):
    planar = np.zeros((rows, 6))
    planar[:, 0] = DT * speed * np.arange(rows)
    planar[:, 3] = speed
    return planar


def led(planar, discs, **changes):
    arguments = {"clearance": CLEARANCE, "lateral_acceleration": 1.0} | changes
    return led_around(planar, discs, DT, **arguments)


def nearest(planar, disc):
    return np.hypot(*(planar[:, :2] - disc[:2]).T).min() - disc[2]


@settings(max_examples=60)
@given(st.floats(1.2, 1.8), st.floats(-0.9, 0.9), st.floats(0.0, 0.5), st.floats(0.3, 1.0))
def test_one_disc_is_passed_with_clearance(x, y, radius, speed):
    rows = int(3.5 / (DT * speed))
    moved = led(straight(speed, rows), [[x, y, radius]])
    assert nearest(moved, np.array([x, y, radius])) > CLEARANCE - 0.02


def test_discs_out_of_the_way_change_nothing():
    planar = straight()
    assert led(planar, [[1.5, 0.61, 0.3]]) is planar
    assert led(planar, [[9.0, 0.0, 0.3]]) is planar
    assert led(planar, np.empty((0, 3))) is planar


def test_a_standing_reference_is_left_alone():
    planar = straight(0.0)
    assert led(planar, [[0.1, 0.0, 0.3]]) is planar


@pytest.mark.parametrize(("y", "side"), [(0.05, -1.0), (-0.05, 1.0), (0.0, 1.0)])
def test_it_passes_on_the_nearer_side_in_doubt_on_the_left(y, side):
    moved = led(straight(), [[1.5, y, 0.3]])
    assert moved[:, 1][np.argmax(np.abs(moved[:, 1]))] * side > 0.5


def test_the_plan_keeps_its_side():
    plan = straight()[:, :2] + np.array([0.0, -0.3])
    moved = led(straight(), [[1.5, -0.05, 0.3]], plan=plan)
    assert moved[:, 1].min() < -0.5


def test_left_is_left_of_the_way_whatever_its_direction():
    moved = led(straight() * [-1, 1, 1, 1, 1, 1] + [0, 0, np.pi, 0, 0, 0], [[-1.5, 0.0, 0.3]])
    assert moved[:, 1].min() < -0.5


def test_the_heading_follows_and_the_speed_does_not_rise():
    planar = straight()
    moved = led(planar, DISC)
    steps = np.diff(moved[:, :2], axis=0)
    assert np.hypot(*steps.T).max() <= DT * 1.0 + 1e-9
    heading = np.arctan2(steps[:, 1], steps[:, 0])
    np.testing.assert_allclose(0.5 * (moved[1:, 2] + moved[:-1, 2]), heading, atol=0.03)
    np.testing.assert_allclose(np.diff(moved[:, 2]) / DT, moved[:-1, 5])


def test_the_lateral_acceleration_is_kept_to():
    moved = led(straight(rows=120), [[3.0, 0.0, 0.1]], lateral_acceleration=0.8)
    assert np.abs(moved[:, 3] * moved[:, 5]).max() < 0.9


def test_backwards_the_heading_is_that_of_the_robot():
    planar = straight()
    planar[:, 0] *= -1.0
    planar[:, 3] = -1.0
    moved = led(planar, [[-1.5, 0.0, 0.3]])
    assert np.abs(moved[:, 2]).max() < 0.8
    assert np.abs(moved[:, 1]).max() > 0.5


def test_discs_on_both_sides_hold_it_in_the_middle():
    planar = straight()
    moved = led(planar, [[1.5, 0.4, 0.3], [1.5, -0.4, 0.3]])
    np.testing.assert_allclose(moved[:, :2], planar[:, :2], atol=1e-9)


def test_the_argument_is_left_as_it_is():
    planar = straight()
    planar.setflags(write=False)
    led(planar, DISC)


@pytest.mark.parametrize(("name", "value"), [("clearance", -0.1), ("lateral_acceleration", 0.0)])
def test_a_bad_argument_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        led(straight(), DISC, **{name: value})
