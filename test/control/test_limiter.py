"""Commands never leave their limits, and a stop takes exactly as long as it must."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.control import CommandLimits, integrate, slow_down

LIMITS = CommandLimits(
    max_speed=1.2,
    min_speed=-0.5,
    max_yaw_rate=1.5,
    max_acceleration=0.8,
    max_deceleration=1.6,
    max_yaw_acceleration=3.0,
)
speeds = st.floats(LIMITS.min_speed, LIMITS.max_speed)
rates = st.floats(-LIMITS.max_yaw_rate, LIMITS.max_yaw_rate)
finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100)
steps = st.floats(1e-3, 1.0)


@given(finite, finite, finite, finite, steps)
def test_a_command_is_never_out_of_bounds(v, w, a, alpha, dt):
    for speed, rate in (integrate((v, w), (a, alpha), dt, LIMITS), slow_down((v, w), dt, LIMITS)):
        assert LIMITS.min_speed <= speed <= LIMITS.max_speed
        assert abs(rate) <= LIMITS.max_yaw_rate


@given(speeds, rates, finite, finite, steps)
def test_a_command_never_changes_faster_than_allowed(v, w, a, alpha, dt):
    speed, rate = integrate((v, w), (a, alpha), dt, LIMITS)
    assert abs(speed) - abs(v) <= LIMITS.max_acceleration * dt + 1e-12
    assert abs(speed - v) <= LIMITS.max_deceleration * dt + 1e-12
    assert abs(rate - w) <= LIMITS.max_yaw_acceleration * dt + 1e-12


@given(st.floats(0.2, 1.0), st.floats(-1, 1), st.floats(-0.8, 0.8), st.floats(-3, 3))
def test_an_input_within_the_limits_is_integrated_as_it_is(v, w, a, alpha):
    speed, rate = integrate((v, w), (a, alpha), 0.05, LIMITS)
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
    time = max(abs(v) / LIMITS.max_deceleration, abs(w) / LIMITS.max_yaw_acceleration)
    assert time / dt - 1e-6 <= ticks <= time / dt + 1 + 1e-6


@given(speeds, rates, steps)
def test_slowing_down_never_turns_round(v, w, dt):
    speed, rate = slow_down((v, w), dt, LIMITS)
    assert 0 <= speed * math.copysign(1, v) <= abs(v)
    assert 0 <= rate * math.copysign(1, w) <= abs(w)


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_speed", 0.0), ("min_speed", 0.1), ("max_yaw_rate", math.nan), ("max_deceleration", -1)],
)
def test_a_bad_limit_is_named(name, value):
    fields = dict.fromkeys(CommandLimits.__dataclass_fields__, 1.0) | {"min_speed": 0.0}
    with pytest.raises(ValueError, match=name):
        CommandLimits(**(fields | {name: value}))
