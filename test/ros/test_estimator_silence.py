"""Silence has a reason, told in words."""

import numpy as np
import pytest
from estimating import MS, SECOND, START, Lines, estimator, feed, fix, imu, mask, odometry, with_imu

from ebm_mpc_ros.estimation.frames import UnknownFrameError
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.estimator_health import EstimatorHealth


def watched(made, publishers=1, now=START):
    """What is said of an estimator after a tick."""
    log = Lines()
    health = EstimatorHealth(made, log, lambda topic: publishers)
    made.to_publish(now)
    health.watch(now, now)
    return health.condition(), log.lines


@pytest.mark.parametrize(("publishers", "why"), [(0, "nobody publishes it"), (1, "no message yet")])
def test_an_input_that_has_sent_nothing_is_named(publishers, why):
    condition, _ = watched(with_imu("vyaw"), publishers)
    expected = f"no estimate: imu0 (/imu): {why}; odom0 (/odom): {why}"
    assert condition == (Level.ERROR, expected)
    made = with_imu("vyaw")
    made.receive("odom0", odometry(START), START)
    condition, _ = watched(made, publishers)
    assert condition == (Level.WARN, f"imu0 (/imu): {why}")


def test_a_frame_without_a_transform_is_named():
    made = with_imu("vyaw", static_transforms=[])
    made.receive("imu0", imu(START), START)
    condition, lines = watched(made)
    why = "no transform from 'imu_link' to 'base_link'"
    assert condition.message == (f"no estimate: imu0 (/imu): {why}; odom0 (/odom): no message yet")
    assert lines == [f"imu0 (/imu): message dropped: {why}"]


def test_stamps_in_the_future_are_named():
    made = estimator()
    made.receive("odom0", odometry(START + 3600 * SECOND), START)
    condition, _ = watched(made)
    assert condition == (Level.ERROR, "no estimate: odom0 (/odom): stamp in the future")


def test_a_message_that_waits_for_its_transform_is_named_before_it_is_dropped():
    def lookup(target, source, stamp):
        raise UnknownFrameError(f"no transform from {source!r} to {target!r}")

    made = estimator(lookup=lookup, transform_timeout=1.0)
    made.receive("odom0", odometry(START, child="wheel"), START)
    condition, lines = watched(made)
    assert "odom0 (/odom): no transform from 'wheel' to 'base_link'" in condition.message
    assert lines == []


def test_disabled_at_startup_says_what_to_do():
    condition, _ = watched(estimator(disabled_at_startup=True))
    assert condition == (Level.ERROR, "no estimate: disabled_at_startup: call the service enable")


def test_switched_off_is_said():
    made = estimator()
    feed(made, "odom0", [odometry])
    made.toggle(on=False)
    condition, _ = watched(made, now=START + MS)
    assert condition == (Level.WARN, "the service toggle has switched processing off")


def test_when_all_is_well_that_is_said():
    made = estimator()
    feed(made, "odom0", [odometry] * 3)
    assert watched(made, now=START + SECOND)[0] == (Level.OK, "estimating")


def test_a_clock_that_jumped_back_is_said():
    made = estimator()
    feed(made, "odom0", [odometry] * 3)
    early = START - 30 * SECOND
    made.receive("odom0", odometry(early), early)
    condition, lines = watched(made, now=early)
    assert condition == (Level.WARN, "started over: the clock jumped back")
    assert lines == ["the clock jumped back: starting over"]


def test_warnings_are_said_once_and_again_after_a_change():
    made = estimator(navsat0="/fix", imu0="/imu", imu0_config=mask())
    log = Lines()
    health = EstimatorHealth(made, log, lambda topic: 1)
    for k in range(3):
        made.receive("navsat0", fix(START + k * MS, (48, 11, 0)), START + k * MS)
        health.watch(START, START)
    assert len(log.lines) == 2
    assert health.figures()["warning 0"].startswith("imu0 (/imu) is not used")
    assert health.figures()["warning 1"].startswith("navsat0 (/fix): no transform")
    health.tell_again()
    health.watch(START, START)
    assert len(log.lines) == 4


def test_figures_count_messages_and_say_how_consistent_they_are():
    made = estimator()
    feed(made, "odom0", [odometry] * 20)
    figures = EstimatorHealth(made, Lines(), lambda topic: 1).figures()
    assert figures["odom0 received"] == 20
    ratio, low, to, high = figures["odom0 NIS/dof"].replace("(", "").replace(")", "").split()
    assert to == "to"
    assert float(low) < 1.0 < float(high)
    assert float(ratio) >= 0.0


# input_timeout


def test_silent_inputs_are_named_and_hold_the_estimate_back():
    made = with_imu("vyaw", input_timeout=0.5)
    made.receive("odom0", odometry(START), START)
    made.advance(START)
    assert made.silent_inputs(START + 500 * MS) == []
    silent = [
        "imu0 (/imu): no message yet for more than 0.5 s",
        "odom0 (/odom): silent for more than 0.5 s",
    ]
    assert made.silent_inputs(START + 501 * MS) == silent
    assert made.to_publish(START + 501 * MS) is None
    condition, _ = watched(made, now=START + 501 * MS)
    assert condition == (Level.ERROR, f"no estimate: {'; '.join(silent)}")


def test_an_input_that_sends_only_garbage_counts_as_silent():
    made = estimator(input_timeout=0.5)
    for k in range(10):
        now = START + k * 100 * MS
        values = (1, 0, 0) if k == 0 else (np.nan, 0, 0)
        made.receive("odom0", odometry(now, linear=values), now)
        made.advance(now)
    assert made.silent_inputs(now) == [
        "odom0 (/odom): nothing usable (values not finite) for more than 0.5 s"
    ]
    made.receive("odom0", odometry(now + MS), now + MS)
    assert made.silent_inputs(now + MS) == []


def test_silence_is_no_matter_without_a_timeout():
    made = estimator()
    made.receive("odom0", odometry(START), START)
    made.advance(START)
    assert made.silent_inputs(START + 10**6 * MS) == []
