"""Whatever comes in, what goes out is finite, and its covariances are covariances."""

import math

import numpy as np
import pytest
from estimating import (
    MS,
    SECOND,
    START,
    Lines,
    alone,
    estimator,
    feed,
    fix,
    imu,
    mask,
    odometry,
    pose,
    twist,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm_mpc_ros.models import CANONICAL_STATES, rotation
from ebm_mpc_ros.ros.diagnosis import Level
from ebm_mpc_ros.ros.estimator_health import EstimatorHealth

EXPONENTS = st.integers(-12, 12)
STEPS = st.floats(-3.0, 2.0)
NUMBERS = st.floats(-1e3, 1e3)
INPUTS = ("odom0", "pose0", "twist0", "imu0", "navsat0")


@st.composite
def events(draw):
    """(input, seconds since the last event, variance, three numbers)."""
    return (
        draw(st.sampled_from(INPUTS)),
        10.0 ** draw(STEPS),
        10.0 ** draw(EXPONENTS),
        [draw(NUMBERS) for _ in range(3)],
    )


def message(name, stamp, variance, numbers):
    six, three = (variance,) * 6, (variance,) * 3
    x, y, z = numbers
    turn = rotation.exp(np.clip(np.array(numbers), -3, 3))
    if name == "odom0":
        return odometry(
            stamp,
            position=numbers,
            orientation=turn,
            linear=(y, z, x),
            pose_variance=six,
            twist_variance=six,
        )
    if name == "pose0":
        return pose(stamp, position=numbers, orientation=turn, variance=six)
    if name == "twist0":
        return twist(stamp, linear=numbers, angular=(z / 100, x / 100, y / 100), variance=six)
    if name == "navsat0":
        return fix(stamp, (x / 100, y / 100, z), variance=three)
    return imu(
        stamp,
        orientation=turn,
        angular=(x / 100, y / 100, z / 100),
        acceleration=numbers,
        orientation_variance=three,
        angular_variance=three,
        acceleration_variance=three,
        frame="base_link",
    )


def assert_sane(out):
    for numbers in out[1:]:
        assert np.isfinite(numbers).all()
    assert np.linalg.norm(out.quaternion) == pytest.approx(1.0, abs=1e-6)
    for P in (out.pose_covariance, out.twist_covariance):
        np.testing.assert_array_equal(P, P.T)
        eigenvalues = np.linalg.eigvalsh(P)
        assert eigenvalues[0] >= -1e-9 * eigenvalues[-1]


def everything(**parameters):
    given = {name: f"/{name}" for name in INPUTS}
    given |= {f"{name}_config": [True] * 15 for name in INPUTS}
    return estimator(**(given | parameters))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"two_d_mode": True, "dynamic_process_noise_covariance": True},
        {"smooth_lagged_data": True, "history_length": 2.0, "predict_to_current_time": True},
        {"odom0_differential": True, "pose0_relative": True, "imu0_estimate_gyro_bias": True},
        {"model": "diff_drive"},
        {"model": "ackermann"},
    ],
    ids=lambda parameters: "-".join(map(str, parameters)) or "plain",
)
@settings(max_examples=25)
@given(script=st.lists(events(), min_size=1, max_size=30))
def test_no_sequence_of_messages_makes_it_publish_what_is_no_estimate(parameters, script):
    made, now = everything(**parameters), START
    for name, wait, variance, numbers in script:
        now += round(wait * SECOND)
        made.receive(name, message(name, now, variance, numbers), now)
        for tick in (now, now + 30 * MS):
            out = made.to_publish(tick)
            if out is not None:
                assert_sane(out)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=40), st.randoms())
def test_extreme_variances_one_after_the_other_leave_a_covariance(pattern, random):
    made, now = alone("odom0", CANONICAL_STATES[:12]), START
    for k in pattern:
        now += round(SECOND * 10.0 ** random.uniform(-3, 2))
        variance = (1e-12, 1.0, 1e12)[k]
        made.receive("odom0", message("odom0", now, variance, [1.0, 2.0, 3.0]), now)
        out = made.to_publish(now)
        if out is not None:
            assert_sane(out)


def test_a_full_covariance_of_extreme_condition_leaves_a_covariance():
    rng = np.random.default_rng(0)
    made = alone("odom0", CANONICAL_STATES[:12])
    for k in range(200):
        now = START + k * 100 * MS
        root = rng.normal(size=(6, 6)) * 10.0 ** rng.uniform(-5, 5, size=6)[:, None]
        C = root @ root.T
        C = 0.5 * (C + C.T)
        values = {"position": rng.normal(size=3), "linear": rng.normal(size=3)}
        made.receive("odom0", odometry(now, pose_variance=C, twist_variance=C, **values), now)
        out = made.to_publish(now)
        if out is not None:
            assert_sane(out)


def run_away(made):
    """An acceleration that no robot has, of which the filter is told to be sure."""
    return feed(
        made,
        "imu0",
        [
            lambda s: imu(
                s, acceleration=(1e5, 0, 0), acceleration_variance=(1e-9,) * 3, frame="base_link"
            )
        ]
        * 100,
    )


def test_an_estimate_that_runs_away_is_given_up_and_that_is_said():
    made, log = alone("imu0", ["ax"]), Lines()
    health = EstimatorHealth(made, log, lambda topic: 1)
    out = run_away(made)
    assert made.filter.resets.total() > 0
    assert out is None or abs(out.linear[0]) <= 1e3
    calm = [lambda s: imu(s, acceleration=(0, 0, 0), frame="base_link")]
    feed(made, "imu0", calm, start=START + 6 * SECOND)
    health.watch(START + 6 * SECOND, 0)
    assert log.lines == ["starting over: vx ran away"]
    assert health.figures()["resets: vx ran away"] == made.filter.resets["vx ran away"]
    assert health.condition() == (Level.WARN, "started over: vx ran away")


def test_after_a_run_away_the_estimate_begins_anew():
    made = alone("imu0", ["ax"], odom0="/odom", odom0_config=mask("x", "vx"))
    run_away(made)
    start = START + 10 * SECOND
    message = [lambda s: odometry(s, position=(4, 0, 0), linear=(1, 0, 0))]
    out = feed(made, "odom0", message * 100, start=start)
    assert math.isfinite(out.position[0])
    assert out.linear[0] == pytest.approx(1.0, abs=0.2)


def test_an_input_of_nothing_but_silence_in_between_does_no_harm():
    made = estimator()
    out = feed(made, "odom0", [lambda s: odometry(s, linear=(1, 0, 0))] * 10, period=100 * SECOND)
    assert_sane(out)
