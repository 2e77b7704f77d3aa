"""Which estimates are taken, which are a jump, and what they don't tell of a standing car."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from fake_node import SECOND, FakeNode
from nav_msgs.msg import Odometry

from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.estimate_input import EstimateInput
from ebm_mpc_ros.ros.messages import to_time, yaw_quaternion

CAR = load_model("ackermann", {"wheelbase": 0.8})


@pytest.fixture
def node():
    return FakeNode()


def give(node, *, speed=0.0, rate=0.0, x=0.0, yaw=0.0, stamp=None):
    message = Odometry(child_frame_id="base_link")
    message.header.frame_id = "odom"
    message.header.stamp = to_time(node.now if stamp is None else stamp)
    message.pose.pose.position.x = x
    message.pose.pose.orientation = yaw_quaternion(yaw)
    message.twist.twist.linear.x, message.twist.twist.angular.z = speed, rate
    node.callbacks["odometry/filtered"](message)


def listening(node, model, *, simulated=False):
    return EstimateInput(
        node, model, frame="odom", child="base_link", timeout=0.1, simulated=simulated
    )


def estimate(node, model, speed=0.0, rate=0.0, *, simulated=False):
    """An estimate of a robot at that speed and turn rate."""
    made = listening(node, model, simulated=simulated)
    give(node, speed=speed, rate=rate)
    return made


@pytest.mark.parametrize("speed", [0.0, 0.09, -0.09])
def test_a_slow_car_is_steered_as_commanded(node, speed):
    made = estimate(node, CAR, speed, 0.02)
    np.testing.assert_allclose(made.completed((0.5, 0.3)), [0, 0, 0, speed, 0.3])


@pytest.mark.parametrize("speed", [0.5, -0.5])
def test_a_moving_car_is_steered_as_it_turns(node, speed):
    made = estimate(node, CAR, speed, 0.2)
    steering = math.atan(0.8 * 0.2 / speed)
    np.testing.assert_allclose(made.completed((0.5, 0.3)), [0, 0, 0, speed, steering])


def test_without_a_command_the_wheels_of_a_standing_car_are_straight(node):
    np.testing.assert_array_equal(estimate(node, CAR, 0.0, 0.0).completed(), np.zeros(5))


def test_what_is_measured_is_never_taken_from_the_command(node):
    made = estimate(node, load_model("omni"), 0.01, 0.02)
    np.testing.assert_allclose(made.completed((0.5, 0.3, 0.7)), [0, 0, 0, 0.01, 0, 0.02])


def test_the_estimate_itself_stays_as_it_is(node):
    made = estimate(node, CAR, 0.0, 0.0)
    made.completed((0.5, 0.3))[0] = 9.0
    np.testing.assert_array_equal(made.state, np.zeros(5))


@pytest.mark.parametrize(
    "change",
    [{"x": 1.5}, {"yaw": 1.5}, {"yaw": -1.5}, {"speed": 3.0}, {"speed": -3.0}, {"rate": 5.0}],
)
def test_what_no_robot_does_is_a_jump(node, change):
    made = estimate(node, load_model("diff_drive"))
    node.pass_time(0.02)
    give(node, **change)
    assert made.jumped


@pytest.mark.parametrize(
    "change", [{"x": 0.1}, {"yaw": 0.5}, {"speed": 1.5}, {"rate": 2.0}, {"yaw": 2.0 * math.pi}]
)
def test_what_a_robot_does_is_no_jump(node, change):
    made = estimate(node, load_model("diff_drive"))
    node.pass_time(0.02)
    give(node, **change)
    assert not made.jumped


@pytest.mark.parametrize("change", [{"x": 2.4}, {"yaw": 2.4}, {"speed": 7.0}, {"rate": 17.0}])
@pytest.mark.parametrize("gap", [0.5, 5.0])
def test_a_late_estimate_may_be_as_far_as_a_robot_gets_until_it_stops(node, change, gap):
    made = estimate(node, load_model("diff_drive"))
    node.pass_time(gap)
    give(node, **change)
    assert not made.jumped


@pytest.mark.parametrize("change", [{"x": 2.6}, {"yaw": 2.6}, {"speed": 9.0}, {"rate": 19.0}])
@pytest.mark.parametrize("gap", [1.0, 20.0])
def test_however_long_the_silence_no_robot_gets_farther_than_that(node, change, gap):
    made = estimate(node, load_model("diff_drive"))
    node.pass_time(gap)
    give(node, **change)
    assert made.jumped


@pytest.mark.parametrize(
    ("total", "change", "jumped"), [(1, 1, False), (2, 1, True), (2, 0, False), (3, 1, True)]
)
def test_an_estimator_in_the_place_of_another_is_a_jump(node, total, change, jumped):
    made = estimate(node, load_model("diff_drive"))
    info = SimpleNamespace(total_count=total, total_count_change=change, current_count=1)
    node.matched["odometry/filtered"](info)
    assert made.jumped is jumped


def test_who_estimates_first_does_not_matter(node):
    made = listening(node, load_model("diff_drive"))
    node.matched["odometry/filtered"](
        SimpleNamespace(total_count=2, total_count_change=1, current_count=1)
    )
    assert not made.jumped


def test_two_estimators_at_once_are_a_fault_until_one_is_gone(node):
    made = estimate(node, load_model("diff_drive"))
    for count, words in ((2, "odometry/filtered has 2 publishers"), (1, "")):
        info = SimpleNamespace(total_count=2, total_count_change=0, current_count=count)
        node.matched["odometry/filtered"](info)
        assert made.fault().startswith(words)
        assert bool(made.fault()) is bool(words)


def test_a_heading_that_wraps_is_no_jump(node):
    made = estimate(node, load_model("diff_drive"))
    for yaw in (0.9, 1.8, 2.7, 3.14, -3.14, -2.7):
        node.pass_time(0.02)
        give(node, yaw=yaw)
    assert not made.jumped


def test_an_estimate_stamped_before_the_one_held_is_dropped(node):
    made = estimate(node, load_model("diff_drive"))
    give(node, x=0.5, stamp=node.now - SECOND // 20)
    assert made.stamp == node.now
    assert made.state[0] == 0.0
    assert made.dropped == {"stamped before the one held": 1}


@pytest.mark.parametrize("simulated", [True, False])
def test_after_the_clock_jumped_back_estimates_are_taken_again(node, simulated):
    made = estimate(node, load_model("diff_drive"), simulated=simulated)
    node.now -= 50 * SECOND
    give(node, x=30.0)
    assert (made.stamp, made.state[0]) == (node.now, 30.0)
    assert made.jumped is not simulated
    assert made.fault() == ""


@pytest.mark.parametrize("silence", [0.02, 0.3, 0.9, 1.1, 30.0])
def test_a_clock_that_is_set_back_is_a_jump_wherever_the_robot_is(node, silence):
    made = estimate(node, load_model("diff_drive"))
    node.pass_time(silence)
    node.now -= SECOND
    for _ in range(60):
        node.pass_time(0.02)
        give(node)
    assert made.jumped


@pytest.mark.parametrize("back", [0.1, 0.45, 60.0])
def test_a_clock_that_is_set_back_makes_no_old_estimate_young(node, back):
    made = estimate(node, load_model("diff_drive"))
    for _ in range(15):
        node.pass_time(0.01)
    node.now -= round(back * SECOND)
    for _ in range(100):
        assert made.fault()
        node.pass_time(0.01)


def test_a_heading_turned_half_round_is_a_jump_after_any_silence(node):
    made = EstimateInput(
        node, load_model("diff_drive"), frame="odom", child="base_link", timeout=0.3
    )
    give(node)
    node.pass_time(0.6)
    give(node, yaw=math.pi)
    assert made.jumped


@pytest.mark.parametrize(("x", "jumped"), [(0.9, False), (1.1, True)])
def test_a_clock_set_back_by_too_little_for_a_new_start_allows_no_way_for_its_time(node, x, jumped):
    made = estimate(node, load_model("diff_drive"))
    node.now -= 3 * SECOND // 10
    node.steady_now += SECOND // 50
    give(node, x=x)
    assert made.jumped is jumped


def test_a_clock_that_is_set_forward_is_no_jump(node):
    made = estimate(node, load_model("diff_drive"))
    node.now += 50 * SECOND
    give(node)
    assert not made.jumped


def test_an_estimate_from_the_future_keeps_out_none_of_the_present(node):
    made = estimate(node, load_model("diff_drive"))
    give(node, stamp=node.now + 10 * SECOND)
    assert "in the future" in made.fault()
    node.pass_time(0.02)
    give(node)
    assert made.fault() == ""


def test_a_slow_simulation_is_no_clock_that_stands_still(node):
    made = estimate(node, load_model("diff_drive"), simulated=True)
    for _ in range(20):
        node.steady_now += SECOND // 10
        node.now += SECOND // 1000
        assert made.fault() == ""
    node.steady_now += SECOND
    assert "clock stands still" in made.fault()


def test_how_a_robot_rolls_is_told_in_what_it_is_commanded(node):
    made = estimate(node, CAR, 0.5, 0.2)
    steering = math.atan(0.8 * 0.2 / 0.5)
    np.testing.assert_allclose(made.rolling((0.0, 0.3)), [0.5, steering])


def test_a_jump_an_old_estimate_or_none_tell_nothing_of_how_it_rolls(node):
    made = estimate(node, CAR, 0.5, 0.2)
    give(node, x=5.0)
    assert made.rolling((0.0, 0.0)) is None
    made.jumped = False
    node.pass_time(0.2)
    assert made.rolling((0.0, 0.0)) is None
    made.reset()
    assert made.rolling((0.0, 0.0)) is None
