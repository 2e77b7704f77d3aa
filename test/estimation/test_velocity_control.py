"""How commands accelerate the robot: closed forms of robot_localization's rule."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.velocity_control import VelocityControl

EVERY = (True,) * 6


def control(**changes):
    values = {
        "mask": EVERY,
        "timeout": 0.2,
        "acceleration_limits": np.full(6, 1.0),
        "acceleration_gains": np.full(6, 2.0),
        "deceleration_limits": np.full(6, 3.0),
        "deceleration_gains": np.full(6, 5.0),
    }
    return VelocityControl(**(values | changes))


def along_x(speed, command, **changes):
    twist, told = np.zeros(6), np.zeros(6)
    twist[0], told[0] = speed, command
    found = control(**changes).acceleration(twist, told)
    assert not found[1:].any()
    return found[0]


@pytest.mark.parametrize(
    ("speed", "command", "expected"),
    [
        (0.0, 0.3, 2.0 * 0.3),  # speeds up by the gain
        (0.0, 5.0, 1.0),  # up to the limit
        (0.0, -5.0, -1.0),
        (1.0, 0.9, 5.0 * -0.1),  # brakes by the braking gain
        (9.0, 1.0, -3.0),  # up to the braking limit
        (-9.0, -1.0, 3.0),
        (1.0, 0.0, -3.0),  # told to stop
        (0.1, -0.1, 5.0 * -0.2),  # told to turn back, it brakes first
        (0.005, -0.1, -0.2 * 1.05),  # all but at rest it is already under way
        (0.005, -0.005, 2.0 * -0.01),
        (0.4, 0.4, 0.0),
    ],
)
def test_the_acceleration_follows_the_command(speed, command, expected):
    assert along_x(speed, command) == pytest.approx(expected)


def test_every_axis_has_its_own_limits_and_gains():
    found = control(
        acceleration_limits=np.arange(1.0, 7.0) / 10, acceleration_gains=np.full(6, 100.0)
    ).acceleration(np.zeros(6), np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]))
    np.testing.assert_allclose(found, [0.1, -0.2, 0.3, -0.4, 0.5, -0.6])


def test_what_the_mask_leaves_out_is_not_accelerated():
    mask = (True, False, False, False, False, True)
    found = control(mask=mask).acceleration(np.zeros(6), np.full(6, 0.1))
    np.testing.assert_allclose(found, [0.2, 0, 0, 0, 0, 0.2])


def test_a_robot_that_follows_arrives_exponentially():
    speed, dt = 0.0, 1e-3
    for _ in range(1000):
        speed += along_x(speed, 0.4) * dt
    assert speed == pytest.approx(0.4 * (1.0 - np.exp(-2.0)), abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"mask": (True,) * 5}, "control_config has 5 entries: must have 6"),
        ({"acceleration_limits": np.ones(5)}, "acceleration_limits must be 6 numbers"),
        ({"acceleration_gains": np.full(6, np.nan)}, "acceleration_gains must be 6 numbers"),
        ({"deceleration_limits": -np.ones(6)}, "deceleration_limits must be .* at least 0"),
        ({"deceleration_gains": np.ones((6, 1))}, "deceleration_gains must be 6 numbers"),
    ],
)
def test_impossible_settings_are_named(changes, named):
    with pytest.raises(ValueError, match=named):
        control(**changes)
