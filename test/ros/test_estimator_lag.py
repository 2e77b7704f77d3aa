"""Late and out-of-order messages."""

import numpy as np
import pytest
from estimating import MS, START, dropped, estimator, imu, mask, odometry, with_imu

from ebm_mpc_ros.models import rotation

SMOOTH = {"smooth_lagged_data": True, "history_length": 1.0}
PERIOD = 20 * MS
ROUNDS = 100


def robot(**parameters):
    return with_imu(
        *("yaw", "vyaw"),
        static_transforms=["base_link imu_link 0 0 0 0 0 0"],
        sensor_timeout=10.0,
        **parameters,
    )


def script(delay):
    """(arrival, name, message) of a robot on a curve, its odometry `delay` ns late."""
    rng = np.random.default_rng(1)
    for k in range(ROUNDS):
        stamp = START + k * PERIOD
        facing = rotation.from_rpy(*np.array([0, 0, 0.5 * k * 0.02]))
        turn = (0, 0, 0.5 + rng.normal(0, 0.05))
        yield stamp, "imu0", imu(stamp, orientation=facing, angular=turn)
        message = odometry(stamp + MS, linear=(1 + rng.normal(0, 0.1), 0, 0))
        yield stamp + MS + delay, "odom0", message


def run(made, delay=0, until=ROUNDS * PERIOD):
    """Deliver everything in the order of arrival, a tick every 30 ms."""
    tick, out = START, None
    for arrival, name, message in sorted(script(delay), key=lambda event: event[:2]):
        while tick <= arrival:
            out = made.to_publish(tick) or out
            tick += 30 * MS
        made.receive(name, message, arrival)
    return made.to_publish(START + until + delay) or out


def test_with_smoothing_late_messages_end_in_the_estimate_of_punctual_ones():
    end = START + ROUNDS * PERIOD
    prompt, late = robot(**SMOOTH), robot(**SMOOTH)
    run(prompt)
    run(late, delay=300 * MS)
    assert dropped(late) == {}
    for t in np.linspace(end - 800 * MS, end - PERIOD, 30).astype(int):
        one, other = prompt.filter.at(int(t)), late.filter.at(int(t))
        np.testing.assert_allclose(other.belief.state, one.belief.state, atol=1e-9)
        np.testing.assert_allclose(other.belief.covariance, one.belief.covariance, atol=1e-9)


def test_without_smoothing_late_messages_are_fused_into_the_present():
    prompt, late = robot(), robot()
    one, other = run(prompt), run(late, delay=300 * MS)
    assert dropped(late) == {}
    assert not np.allclose(one.position, other.position, atol=1e-6)


def test_with_smoothing_an_input_may_be_out_of_order():
    made = robot(**SMOOTH)
    now = START + 100 * MS
    for offset in (0, 60, 40, 20):
        made.receive("odom0", odometry(START + offset * MS, linear=(1, 0, 0)), now)
    assert dropped(made) == {}
    for offset in (20, 60):
        made.receive("odom0", odometry(START + offset * MS), now)
    assert dropped(made) == {("odom0", "stamp repeated"): 2}


@pytest.mark.parametrize("mode", ["differential", "relative"])
def test_differences_need_their_order_all_the_same(mode):
    made = estimator(odom0_config=mask("x", "y"), **{f"odom0_{mode}": True}, **SMOOTH)
    for offset in (0, 40, 20):
        made.receive("odom0", odometry(START + offset * MS), START + 100 * MS)
    assert dropped(made) == {("odom0", "stamp before the previous message's"): 1}


def test_what_is_older_than_the_history_is_dropped():
    made = robot(**SMOOTH)
    run(made)
    now = START + ROUNDS * PERIOD
    made.receive("odom0", odometry(now - 1500 * MS), now)
    assert dropped(made) == {("odom0", "stamp older than the history"): 1}


def test_a_negative_history_length_counts_as_its_size():
    made = robot(smooth_lagged_data=True, history_length=-1.0)
    assert made.filter.settings.history == 1.0


@pytest.mark.parametrize(("permit", "again"), [(False, False), (True, True)])
def test_a_corrected_estimate_is_published_again_only_where_that_is_permitted(permit, again):
    made = robot(**SMOOTH, permit_corrected_publication=permit)
    for offset in (0, 40):
        stamp = START + offset * MS
        made.receive("odom0", odometry(stamp, linear=(1, 0, 0)), stamp)
        first = made.to_publish(stamp)
    late = START + 20 * MS
    made.receive("odom0", odometry(late, linear=(2, 0, 0)), START + 60 * MS)
    second = made.to_publish(START + 60 * MS)
    assert (second is not None) == again
    if again:
        assert second.stamp == first.stamp
        assert second.linear[0] > first.linear[0] + 0.1


@pytest.mark.parametrize("parameters", [{"smooth_lagged_data": True}, {"history_length": 1.0}])
def test_half_a_setting_of_smoothing_smooths_nothing_and_is_warned_about(parameters):
    assert robot(**parameters).filter.settings.history == 0.0
    assert any("need each other" in warning for warning in robot(**parameters).warnings)
    assert not any("need each other" in warning for warning in robot(**SMOOTH).warnings)
