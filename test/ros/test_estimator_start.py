"""The first message."""

import numpy as np
import pytest
from estimating import START, UPRIGHT, alone, imu, twist, with_imu


def test_a_speed_measured_away_from_base_link_starts_without_that_of_the_turn():
    made = alone("twist0", ["vx", "vy", "vyaw"], static_transforms=["base_link wheel 1 0 0 0 0 0"])
    message = twist(START, linear=(1, 2, 0), angular=(0, 0, 2), frame="wheel")
    made.receive("twist0", message, START)
    out = made.to_publish(START)
    np.testing.assert_allclose(out.linear, [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(out.angular, [0, 0, 2], atol=1e-9)


def test_the_first_rate_of_a_biased_gyro_is_known_no_better_than_its_bias():
    made = with_imu(
        "vyaw",
        imu0_estimate_gyro_bias=True,
        imu0_gyro_bias_sigma=0.05,
        static_transforms=[UPRIGHT],
    )
    message = imu(START, angular=(0, 0, 0.35), angular_variance=(1e-6,) * 3)
    made.receive("imu0", message, START)
    out = made.to_publish(START)
    assert out.twist_covariance[5, 5] == pytest.approx(0.05**2, rel=0.01)
