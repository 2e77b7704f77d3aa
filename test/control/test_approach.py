"""References that begin at a robot far from the path."""

import numpy as np
import pytest

from ebm_mpc_ros.control import led_from

DT = 0.05


def along_x(y=4.0, speed=1.0, rows=41):
    planar = np.zeros((rows, 6))
    planar[:, 0] = DT * speed * np.arange(rows)
    planar[:, 1] = y
    planar[:, 3] = speed
    return planar


def test_it_begins_at_the_place_and_leads_straight_to_where_the_other_begins():
    led = led_from(along_x(), np.zeros(2), DT)
    np.testing.assert_allclose(led[:, 0], 0.0)
    np.testing.assert_allclose(led[:, 1], DT * np.arange(41))
    np.testing.assert_allclose(led[:, 2], np.pi / 2)
    np.testing.assert_allclose(led[:, 3], 1.0)


def test_beyond_the_gap_it_is_the_other_reference():
    led = led_from(along_x(y=0.5), np.zeros(2), DT)
    np.testing.assert_allclose(led[10:], along_x(y=0.5)[:31], atol=1e-12)


def test_what_is_driven_backwards_is_come_to_backwards():
    led = led_from(along_x(speed=-1.0), np.zeros(2), DT)
    assert led[0, 3] == pytest.approx(-1.0)
    assert led[0, 2] == pytest.approx(-np.pi / 2)
    assert led[10, 1] == pytest.approx(0.5)


def test_a_reference_that_stands_is_come_to_slowly_and_not_passed():
    led = led_from(along_x(y=0.1, speed=0.0), np.zeros(2), DT)
    assert np.diff(led[:5, 1]) == pytest.approx(0.2 * DT)
    np.testing.assert_allclose(led[-1], along_x(y=0.1, speed=0.0)[-1])


@pytest.mark.parametrize("yaw", [7.0, -20.0])
def test_the_heading_stays_within_half_a_turn_of_the_others(yaw):
    planar = along_x()
    planar[:, 2] = yaw
    led = led_from(planar, np.zeros(2), DT)
    assert abs(led[0, 2] - yaw) <= np.pi
    assert np.sin(led[0, 2]) == pytest.approx(1.0)
