"""Commands, two_d_mode and the noise that goes with the speed."""

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    alone,
    command,
    dropped,
    estimator,
    feed,
    imu,
    mask,
    odometry,
    queued,
    twist,
)

from ebm_mpc_ros.errors import UserError

FORWARD = [True, False, False, False, False, True]


def controlled(**parameters):
    """A robot of which only z is measured: its speed is what control makes of it."""
    given = {
        "sensor_timeout": 0.01,
        "use_control": True,
        "control_config": FORWARD,
        "control_timeout": 0.5,
        "acceleration_limits": [1.0, 0, 0, 0, 0, 2.0],
        "acceleration_gains": [10.0, 0, 0, 0, 0, 10.0],
        "deceleration_limits": [4.0, 0, 0, 0, 0, 4.0],
        "deceleration_gains": [10.0, 0, 0, 0, 0, 10.0],
    } | parameters
    made = alone("odom0", ["z"], **given)
    made.receive("odom0", odometry(START), START)
    made.advance(START)
    return made


def driven(made, told, seconds, start=0.0):
    """Send a command at 20 Hz, and return the estimate at the end."""
    for k in range(round(20 * seconds)):
        now = START + round((start + 0.05 * k) * SECOND)
        if told is not None:
            made.command(told(now), now)
        made.receive("odom0", odometry(now + MS), now + MS)
        made.to_publish(now + MS)
    return made.to_publish(START + round((start + seconds) * SECOND))


def test_a_commanded_speed_is_approached_within_the_limit():
    made = controlled()
    out = driven(made, lambda now: command(0.5, 1.0), 0.3)
    assert out.linear[0] == pytest.approx(0.3, abs=0.03)
    assert out.angular[2] == pytest.approx(0.6, abs=0.05)
    out = driven(made, lambda now: command(0.5, 1.0), 2.0, start=0.3)
    assert out.linear[0] == pytest.approx(0.5, abs=0.02)
    assert out.angular[2] == pytest.approx(1.0, abs=0.02)


def test_a_command_too_old_counts_as_zero_and_brakes():
    made = controlled()
    driven(made, lambda now: command(0.5, 0.0), 2.0)
    out = driven(made, None, 1.5, start=2.0)
    assert out.linear[0] == pytest.approx(0.0, abs=0.02)


def test_without_use_control_commands_are_nothing():
    made = controlled(use_control=False)
    assert driven(made, lambda now: command(0.5, 1.0), 1.0).linear[0] == 0.0


def test_use_control_is_off_by_default():
    assert not estimator().values["use_control"]


def test_only_what_control_config_takes_is_controlled():
    made = controlled(control_config=[False] * 5 + [True])
    out = driven(made, lambda now: command(0.5, 1.0), 1.0)
    assert out.linear[0] == 0.0
    assert out.angular[2] > 0.5


def test_what_an_imu_measures_is_not_controlled_and_that_is_said():
    made = controlled(imu0="/imu", imu0_config=mask("ax"))
    assert made.filter.settings.control.mask == (False, False, False, False, False, True)
    assert made.warnings == ["imu0 measures ax: use_control leaves vx alone"]
    made = controlled(imu0="/imu", imu0_config=mask("ay"))
    assert made.filter.settings.control.mask[0]
    assert made.warnings == []


def test_use_control_needs_to_know_of_what():
    with pytest.raises(UserError, match="control_config: use_control needs it"):
        estimator(use_control=True)
    estimator(use_control=True, model="diff_drive")


@pytest.mark.parametrize("stamped", [True, False])
def test_a_model_with_inputs_takes_the_change_of_the_commands(stamped):
    made = estimator(model="diff_drive", use_control=True, sensor_timeout=0.01)
    made.receive("odom0", odometry(START, twist_variance=(1e-9,) * 6), START)
    made.advance(START)
    for k in range(2):
        now = START + k * 100 * MS
        made.command(command(0.1 * k, 0.2 * k, now if stamped else None), now)
    belief = made.advance(START + 200 * MS).belief
    np.testing.assert_allclose(belief.state[3:], [0.1, 0.2], atol=1e-12)


def test_a_command_stamped_zero_counts_from_its_arrival():
    made = estimator(model="diff_drive", use_control=True)
    made.command(command(0.1, 0.0, 0), START)
    assert dropped(made) == {}


# two_d_mode


def test_two_d_mode_holds_what_leaves_the_plane_at_zero():
    made = estimator(
        odom0_config=[True] * 15,
        two_d_mode=True,
        process_noise_covariance=[0.1] * 15,
        imu0="/imu",
        imu0_config=mask("vroll", "vpitch", "vyaw", "ax", "ay", "az"),
        static_transforms=["base_link imu_link 0 0 0 0.1 0.2 0"],
    )
    for k in range(40):
        now = START + k * 50 * MS
        made.receive("odom0", odometry(now, position=(1, 2, 3), linear=(1, 0, 1)), now)
        made.receive("imu0", imu(now, angular=(0.3, 0.4, 0.5)), now)
        out = made.to_publish(now)
    assert out.position[2] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(out.quaternion[:2], 0.0, atol=1e-3)
    assert out.linear[2] == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(out.angular[:2], 0.0, atol=1e-3)
    assert out.angular[2] > 0.1
    assert out.pose_covariance[2, 2] < 1e-5
    assert np.linalg.eigvalsh(out.pose_covariance).min() > 0.0


def test_without_it_they_are_free():
    made = estimator(odom0_config=mask("z"))
    made.receive("odom0", odometry(START, position=(1, 2, 3)), START)
    assert made.to_publish(START).position[2] == 3.0


def test_a_planar_model_has_nothing_to_hold():
    made = estimator(model="diff_drive", two_d_mode=True)
    made.receive("odom0", odometry(START, linear=(1, 0, 0)), START)
    assert len(queued(made)) == 1
    assert made.to_publish(START).linear[0] == 1.0


# dynamic_process_noise_covariance


@pytest.mark.parametrize(("speed", "still"), [(0.0, True), (2.0, False)])
def test_the_pose_of_a_standing_robot_stays_as_sure_as_it_is(speed, still):
    made = alone(
        "twist0",
        ["vx", "vy", "vz", "vroll", "vpitch", "vyaw"],
        dynamic_process_noise_covariance=True,
        process_noise_covariance=[0.0, 0.05, 0.0, 0.0, 0.0, 0.0] + [1e-9] * 9,
    )
    message = [lambda s: twist(s, linear=(speed, 0, 0), variance=(1e-9,) * 6)]
    out = feed(made, "twist0", message * 101)
    variance = out.pose_covariance[1, 1]
    if still:
        assert variance < 1e-6
    else:
        assert variance == pytest.approx(0.05 * 5.0 * speed**2, rel=0.05)
