"""A car's turn rate keeps to its limit, whatever it is told, and its rates to theirs."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.control import Actuation, CommandLimits, integrate, within_turn_rate
from ebm_mpc_ros.models import load_model

DT = 0.05
CAR = Actuation(load_model("ackermann", {"wheelbase": 0.4}))
LIMITS = CommandLimits(
    names=("vx", "steering"),
    lower=(-0.5, -0.6),
    upper=(2.0, 0.6),
    gain=(0.8, 1.0),
    loss=(1.6, 1.0),
    turn_rate=1.2,
)
numbers = st.floats(-5.0, 5.0)


def turn_rate(command):
    return abs(CAR.twist(command)[2])


def following(before, u, limits=LIMITS):
    wanted = integrate(before, u, DT, limits)
    return wanted, within_turn_rate(before, wanted, DT, limits, CAR)


@given(st.floats(-0.5, 2.0), st.floats(-0.6, 0.6), numbers, numbers)
def test_a_car_within_its_turn_rate_stays_there_within_its_rates(v, s, a, rate):
    if turn_rate((v, s)) > LIMITS.turn_rate:
        s = math.copysign(math.atan(0.4 * LIMITS.turn_rate / abs(v)), s)
    wanted, (speed, steering) = following((v, s), (a, rate))
    assert turn_rate((speed, steering)) <= LIMITS.turn_rate * (1 + 1e-9)
    assert abs(speed) <= abs(wanted[0])
    assert abs(speed - v) <= 1.6 * DT + 1e-12
    assert abs(steering - s) <= 1.0 * DT + 1e-9
    assert abs(steering) <= max(abs(s), abs(wanted[1])) + 1e-9


@given(st.floats(-0.5, 2.0), st.floats(-0.6, 0.6), numbers, numbers)
def test_a_car_that_turns_too_fast_loses_speed_and_steers_no_further(v, s, a, rate):
    _, (speed, steering) = following((v, s), (a, rate))
    if turn_rate((v, s)) > LIMITS.turn_rate:
        assert turn_rate((speed, steering)) < turn_rate((v, s))
        assert abs(speed - v) <= 1.6 * DT + 1e-12
        assert abs(steering - s) <= 1.0 * DT + 1e-9


def test_the_speed_falls_before_the_steering_is_held_back():
    before = (1.0, math.atan(0.4 * 1.2))
    wanted, (speed, steering) = following(before, (0.0, 0.2))
    assert steering == wanted[1]
    assert speed == pytest.approx(1.2 * 0.4 / math.tan(steering))
    _, (speed, steering) = following(before, (0.0, 9.0))
    assert speed == pytest.approx(before[0] - 1.6 * DT)
    assert before[1] < steering < before[1] + 1.0 * DT


def test_a_robot_that_commands_its_turn_rate_is_left_to_that_limit():
    robot = Actuation(load_model("diff_drive"))
    limits = CommandLimits(
        names=("vx", "vyaw"),
        lower=(0.0, -1.0),
        upper=(1.0, 1.0),
        gain=(1.0, 1.0),
        loss=(1.0, 1.0),
        turn_rate=0.1,
    )
    assert within_turn_rate((1.0, 0.9), (1.0, 0.9), DT, limits, robot) == (1.0, 0.9)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_bad_turn_rate_is_named(bad):
    fields = {name: getattr(LIMITS, name) for name in CommandLimits.__dataclass_fields__}
    with pytest.raises(ValueError, match="turn_rate is"):
        CommandLimits(**(fields | {"turn_rate": bad}))
