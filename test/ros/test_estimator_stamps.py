"""Stamps that can not be, and clocks that jump."""

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    alone,
    dropped,
    estimator,
    feed,
    fix,
    imu,
    mask,
    odometry,
    pose,
    queued,
    twist,
    with_imu,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (0, "stamp is 0"),
        (START - 2001 * MS, "stamp too old"),
        (START + 501 * MS, "stamp in the future"),
        (START + 3600 * SECOND, "stamp in the future"),
    ],
)
@pytest.mark.parametrize("name", ["odom0", "pose0", "twist0", "imu0", "navsat0"])
def test_a_stamp_out_of_range_drops_the_message(name, stamp, reason):
    send = {"odom0": odometry, "pose0": pose, "twist0": twist, "imu0": imu}.get(name)
    names = {"pose0": ["x"], "navsat0": ["x"]}.get(name, ["vyaw"])
    made = alone(name, names)
    message = send(stamp) if send else fix(stamp, (48.0, 11.0, 500.0))
    made.receive(name, message, START)
    assert dropped(made) == {(name, reason): 1}
    assert made.stamp_problems[f"{name}_timestamp"].startswith(reason)


def test_a_stamp_a_little_ahead_waits_for_its_time():
    made = estimator()
    made.receive("odom0", odometry(START + 400 * MS), START)
    assert made.to_publish(START + 399 * MS) is None
    assert made.to_publish(START + 400 * MS).stamp == START + 400 * MS


def test_a_stamp_used_before_drops_the_message():
    made = estimator()
    for stamp in (START, START + MS, START + MS, START):
        made.receive("odom0", odometry(stamp), START + MS)
    assert dropped(made) == {("odom0", "stamp repeated"): 2}
    assert len(queued(made)) == 2


def test_a_stamp_before_the_last_one_drops_the_message_and_names_its_parts():
    made = with_imu("yaw", "vyaw", "ax", odom0_config=mask("x", "vx"))
    for stamp in (START + 2 * MS, START + MS):
        made.receive("odom0", odometry(stamp), START + 2 * MS)
        made.receive("imu0", imu(stamp), START + 2 * MS)
    reason = "stamp before the previous message's"
    assert dropped(made) == {("odom0", reason): 1, ("imu0", reason): 1}
    assert set(made.stamp_problems) == {
        *("odom0_pose_timestamp", "odom0_twist_timestamp"),
        *("imu0_pose_timestamp", "imu0_twist_timestamp", "imu0_acceleration_timestamp"),
    }


def test_after_a_message_that_could_not_be_used_stamps_still_go_forward():
    made = estimator()
    made.receive("odom0", odometry(START + MS, linear=(NAN, 0, 0)), START + MS)
    made.receive("odom0", odometry(START), START + MS)
    assert ("odom0", "stamp before the previous message's") in dropped(made)


def test_a_clock_that_jumps_back_starts_over():
    made = estimator()
    feed(made, "odom0", [lambda s: odometry(s, linear=(1, 0, 0))] * 20)
    early = START - 40 * SECOND
    made.receive("odom0", odometry(early, linear=(3, 0, 0)), early)
    out = made.to_publish(early)
    assert made.time_jumps == 1
    assert (out.stamp, out.linear[0]) == (early, 3.0)
    np.testing.assert_allclose(out.position, 0.0, atol=1e-12)
    assert dropped(made) == {}


def test_a_clock_that_jumps_back_is_seen_by_a_tick_alone():
    made = estimator()
    feed(made, "odom0", [odometry] * 3)
    assert made.to_publish(START - SECOND) is None
    assert made.time_jumps == 1
    assert made.filter.estimate is None


def test_a_clock_that_is_put_back_a_little_is_no_jump():
    made = estimator()
    feed(made, "odom0", [odometry] * 3)
    made.advance(START - 300 * MS)
    assert made.time_jumps == 0


def test_who_wants_no_new_start_gets_none():
    made = estimator(reset_on_time_jump=False)
    feed(made, "odom0", [lambda s: odometry(s, linear=(1, 0, 0))] * 20)
    early = START - 40 * SECOND
    made.receive("odom0", odometry(early), early)
    made.advance(early)
    assert made.time_jumps == 0
    assert made.filter.estimate is not None
    assert dropped(made) == {("odom0", "stamp before the previous message's"): 1}
