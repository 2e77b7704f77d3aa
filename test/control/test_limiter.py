"""Commands never leave their limits, and a stop takes exactly as long as it must."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ebm_mpc_ros.control import CommandLimits, at_rest, integrate, slow_down

LIMITS = CommandLimits(
    names=("vx", "vyaw"), lower=(-0.5, -1.5), upper=(1.2, 1.5), gain=(0.8, 3.0), loss=(1.6, 3.0)
)
CAR = CommandLimits(
    names=("vx", "steering"), lower=(-0.5, -0.6), upper=(1.2, 0.6), gain=(0.8, 1.0), loss=(1.6, 1.0)
)
OMNI = CommandLimits(
    names=("vx", "vy", "vyaw"),
    lower=(-0.5, -0.4, -1.5),
    upper=(1.2, 0.4, 1.5),
    gain=(0.8, 0.7, 3.0),
    loss=(1.6, 0.9, 3.0),
)
ROBOTS = pytest.mark.parametrize("limits", [LIMITS, CAR, OMNI])
speeds = st.floats(-0.5, 1.2)
rates = st.floats(-1.5, 1.5)
finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
triples = st.tuples(finite, finite, finite)
shares = st.tuples(*[st.floats(0, 1)] * 3)
steps = st.floats(1e-3, 1.0)


def within(limits, parts):
    """The command that lies at those parts of the way from the lower to the upper limits."""
    return tuple(
        low + part * (high - low)
        for low, high, part in zip(limits.lower, limits.upper, parts, strict=False)
    )


@ROBOTS
@given(triples, triples, steps)
def test_a_command_is_never_out_of_bounds(limits, command, u, dt):
    m = len(limits.names)
    for sent in (integrate(command[:m], u[:m], dt, limits), slow_down(command[:m], dt, limits)):
        assert limits.hold(sent)


@ROBOTS
@given(shares, triples, steps)
def test_a_command_never_changes_faster_than_allowed(limits, parts, u, dt):
    before = within(limits, parts)
    after = integrate(before, u[: len(before)], dt, limits)
    for v, w, gain, loss in zip(before, after, limits.gain, limits.loss, strict=True):
        assert abs(w) - abs(v) <= gain * dt + 1e-12
        assert abs(w - v) <= max(gain, loss) * dt + 1e-12


@given(st.floats(0.2, 1.0), st.floats(-1, 1), st.floats(-0.8, 0.8), st.floats(-3, 3))
def test_an_input_within_the_limits_is_integrated_as_it_is(v, w, a, alpha):
    speed, rate = integrate((v, w), np.array([a, alpha]), 0.05, LIMITS)
    assert speed == pytest.approx(v + 0.05 * a, abs=1e-15)
    assert rate == pytest.approx(w + 0.05 * alpha, abs=1e-15)


def test_reversing_brakes_by_one_limit_and_speeds_up_by_the_other():
    speed, _ = integrate((0.16, 0.0), (-10.0, 0.0), 0.2, LIMITS)
    assert speed == pytest.approx(-0.08)


@given(speeds, rates, st.floats(0.005, 0.2))
def test_a_stop_is_reached_in_the_time_the_limits_give(v, w, dt):
    command, ticks = (v, w), 0
    while command != (0.0, 0.0):
        command = slow_down(command, dt, LIMITS)
        ticks += 1
    time = max(abs(v) / LIMITS.loss[0], abs(w) / LIMITS.loss[1])
    assert time / dt - 1e-6 <= ticks <= time / dt + 1 + 1e-6


@ROBOTS
@given(shares, steps)
def test_slowing_down_never_turns_round_nor_loses_more_than_allowed(limits, parts, dt):
    before = within(limits, parts)
    for v, w, loss in zip(before, slow_down(before, dt, limits), limits.loss, strict=True):
        assert 0 <= w * math.copysign(1, v) <= abs(v)
        assert abs(v - w) <= loss * dt + 1e-12


@given(speeds, st.floats(-0.6, 0.6), st.floats(0.005, 0.2))
def test_a_car_stops_with_its_wheels_as_they_are_steered(v, steering, dt):
    command = (v, steering)
    for _ in range(math.ceil(abs(v) / 1.6 / dt) + 1):
        command = slow_down(command, dt, CAR)
        assert command[1] == steering
    assert command == at_rest(command, CAR.names) == (0.0, steering)


@given(speeds, st.floats(-0.4, 0.4), steps)
def test_an_omni_robot_keeps_its_direction_while_it_stops(vx, vy, dt):
    assume(abs(vx) > 1e-3 or abs(vy) > 1e-3)
    slower = slow_down((vx, vy, 0.7), dt, OMNI)
    assert slower[0] * vy == pytest.approx(slower[1] * vx, abs=1e-12)
    time = max(abs(vx) / 1.6, abs(vy) / 0.9)
    assert math.hypot(*slower[:2]) == pytest.approx(
        max(0.0, 1.0 - dt / time) * math.hypot(vx, vy), abs=1e-12
    )


def test_out_of_limits_that_have_changed_a_command_returns_along_the_deceleration():
    dt, command = 0.1, (1.2, -1.5)
    narrow = CommandLimits(
        names=LIMITS.names, lower=(0.0, -1.0), upper=(0.5, 1.0), gain=LIMITS.gain, loss=LIMITS.loss
    )
    speeds = [command[0]]
    while not narrow.hold(command):
        command = integrate(command, (0.8, -3.0), dt, narrow.reached(command, dt))
        speeds.append(command[0])
    assert command == pytest.approx((0.5, -1.0))
    np.testing.assert_allclose(np.diff(speeds), [-0.16, -0.16, -0.16, -0.16, -0.06], atol=1e-12)


def test_limits_that_hold_a_command_are_reached():
    assert LIMITS.reached((1.2, 0.3), 0.1) == LIMITS


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(5))
def test_numbers_that_are_not_finite_are_refused(bad, place):
    numbers = [0.1] * 5
    numbers[place] = bad
    v, w, a, alpha, dt = numbers
    with pytest.raises(ValueError, match="finite"):
        integrate((v, w), (a, alpha), dt, LIMITS)
    if place in {0, 1, 4}:
        with pytest.raises(ValueError, match="finite"):
            slow_down((v, w), dt, LIMITS)


@pytest.mark.parametrize("dt", [0.0, -0.1])
def test_time_must_pass(dt):
    with pytest.raises(ValueError, match="dt"):
        integrate((0.0, 0.0), (0.0, 0.0), dt, LIMITS)


def test_a_command_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 are wanted"):
        integrate((0.0, 0.0, 0.0), (0.0, 0.0), 0.1, LIMITS)
    with pytest.raises(ValueError, match="3 are wanted"):
        slow_down((0.0, 0.0), 0.1, OMNI)


@pytest.mark.parametrize(
    ("field", "numbers", "words"),
    [
        ("upper", (0.0, 1.0), "upper of vx is 0.0"),
        ("lower", (-0.5, 0.1), "lower of vyaw is 0.1"),
        ("lower", (-math.inf, -1.0), "lower of vx is -inf"),
        ("gain", (1.0, math.nan), "gain of vyaw is nan"),
        ("loss", (-1.0, 1.0), "loss of vx is -1.0"),
        ("loss", (1.0,), "loss has 1 values: 2 are wanted"),
    ],
)
def test_a_bad_limit_is_named(field, numbers, words):
    fields = {name: getattr(LIMITS, name) for name in CommandLimits.__dataclass_fields__}
    with pytest.raises(ValueError, match=words):
        CommandLimits(**(fields | {field: numbers}))
