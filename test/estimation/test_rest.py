"""A gyro's bias, measured while the robot stands."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.rest import GyroBias, RestDetector

MS = 1_000_000


def standing(until=1000):
    """Return a detector that heard zero every 20 ms."""
    found = RestDetector()
    for k in range(0, until + 1, 20):
        found.note(k * MS, 0.0, 0.0)
    return found


def test_the_robot_stands_after_it_has_settled():
    assert not standing(280).at_rest(280 * MS)
    assert standing(300).at_rest(300 * MS)


@pytest.mark.parametrize("speeds", [(0.01, 0.0), (0.0, -0.01), (np.nan, 0.0), (0.0, np.inf)])
def test_any_speed_that_is_not_zero_ends_the_rest(speeds):
    found = standing()
    found.note(1010 * MS, *speeds)
    assert not found.at_rest(1010 * MS)
    found.note(1020 * MS, 0.0, 0.0)
    assert not found.at_rest(1310 * MS)


def test_silent_wheels_do_not_say_that_the_robot_stands():
    found = standing()
    assert found.at_rest(1100 * MS)
    assert not found.at_rest(2000 * MS)
    found.note(2000 * MS, 0.0, 0.0)
    assert not found.at_rest(2010 * MS)


def test_nothing_heard_is_no_rest():
    assert not RestDetector().at_rest(10**12)


def test_the_bias_is_the_mean_at_rest():
    rng = np.random.default_rng(0)
    gyro, bias = GyroBias(), np.array([0.002, -0.003, 0.001])
    for _ in range(1000):
        corrected = gyro.corrected(bias + 0.005 * rng.normal(size=3), at_rest=True)
    np.testing.assert_allclose(gyro.bias, bias, atol=6e-4)
    assert np.abs(corrected).max() < 0.03
    moving = gyro.corrected(gyro.bias + np.array([0.0, 0.0, 0.5]), at_rest=False)
    np.testing.assert_allclose(moving, [0.0, 0.0, 0.5], atol=1e-12)


@pytest.mark.parametrize("rate", [[0.0, 0.0, 0.2], [np.nan, 0.0, 0.0], [0.0, np.inf, 0.0]])
def test_what_can_be_no_bias_is_not_learnt(rate):
    gyro = GyroBias()
    gyro.corrected(np.array(rate), at_rest=True)
    np.testing.assert_array_equal(gyro.bias, np.zeros(3))


def test_an_old_bias_fades():
    gyro = GyroBias(window=10)
    for bias in (0.01, 0.05):
        for _ in range(200):
            gyro.corrected(np.full(3, bias), at_rest=True)
    np.testing.assert_allclose(gyro.bias, 0.05, atol=1e-6)


def test_a_bias_is_known_after_enough_samples_at_rest():
    gyro = GyroBias(needed=10)
    for _ in range(9):
        gyro.corrected(np.full(3, 0.002), at_rest=True)
    gyro.corrected(np.full(3, 0.002), at_rest=False)
    assert not gyro.known
    gyro.corrected(np.full(3, 0.002), at_rest=True)
    assert gyro.known


def test_motion_is_known_from_the_last_word_only():
    detector = RestDetector()
    assert not detector.moving
    detector.note(1000 * MS, 0.5)
    assert detector.moving
    detector.note(2000 * MS, 0.0)
    assert not detector.moving
