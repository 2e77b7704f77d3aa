"""cmd_vel: limited, stopped when in doubt, and only while enabled."""

import math

import numpy as np
import pytest
from fake_node import SECOND, FakeNode
from geometry_msgs.msg import Twist, TwistStamped
from std_srvs.srv import SetBool

from ebm_mpc_ros.control import Actuation, CommandLimits
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.ros.driver import Driver

LIMITS = {
    "vx": (0.0, 1.0, 1.0, 2.0),
    "vy": (-0.5, 0.5, 1.0, 2.0),
    "vyaw": (-1.0, 1.0, 2.0, 2.0),
    "steering": (-0.6, 0.6, 1.0, 1.0),
}


@pytest.fixture
def node():
    return FakeNode()


def limits(actuation, turn_rate=math.inf, **changes):
    known = LIMITS | changes
    lower, upper, gain, loss = zip(*(known[name] for name in actuation.names), strict=True)
    return CommandLimits(
        names=actuation.names,
        lower=lower,
        upper=upper,
        gain=gain,
        loss=loss,
        turn_rate=turn_rate,
    )


def driver(node, model="diff_drive", *, enabled=True, stamped=True, turn_rate=math.inf, **others):
    actuation = Actuation(load_model(model, {"wheelbase": 0.8}))
    return Driver(
        node,
        actuation,
        limits(actuation, turn_rate),
        period=0.1,
        frame="base_link",
        enabled=enabled,
        stamped=stamped,
        **others,
    )


def start(*values):
    return np.array(values, dtype=float)


def moving(node, *values, **arguments):
    """A driver that has just commanded those values."""
    made = driver(node, **arguments)
    made.drive(np.zeros(len(values)), start(*values))
    node.pass_time(0.1)
    return made


def simulated(node, *values, **arguments):
    """A driver in a simulation whose base does what it has just commanded."""
    made = driver(node, simulated=True, **arguments)
    made.drive(np.zeros(len(values)), start(*values))
    return made


def pass_steady_time(node, seconds, factor):
    """Let the node's clock go on at a factor of the steady one, and call timers each 10 ms."""
    for _ in range(round(100 * seconds)):
        node.steady_now += SECOND // 100
        node.now += round(factor * SECOND / 100)
        for timer in node.timers:
            timer()


def enable(node, on):
    return node.services["~/enable"](SetBool.Request(data=on), SetBool.Response())


class TestDriving:
    def test_an_input_is_integrated_within_the_limits(self, node):
        made = driver(node)
        made.drive(np.array([9.0, -9.0]), start(0.0, 0.0))
        assert made.command == pytest.approx((0.1, -0.2))
        assert isinstance(node.sent[-1], TwistStamped)
        assert node.sent[-1].twist.linear.x == pytest.approx(0.1)

    def test_the_input_that_was_sent_is_that_of_the_limits(self, node):
        made = driver(node)
        sent = made.drive(np.array([9.0, -0.5]), start(0.0, 0.0))
        np.testing.assert_allclose(sent, [1.0, -0.5])
        node.pass_time(0.05)
        np.testing.assert_allclose(made.stop("why"), [-2.0, 1.0])

    def test_what_is_not_sent_is_no_input(self, node):
        made = driver(node, enabled=False)
        np.testing.assert_array_equal(made.drive(np.ones(2), start(0.3, 0.0)), [0.0, 0.0])
        np.testing.assert_array_equal(made.stop("why"), [0.0, 0.0])
        assert node.sent == []

    def test_a_car_is_told_the_turn_rate_of_its_steering(self, node):
        made = driver(node, "ackermann")
        made.drive(np.array([0.0, 1.0]), start(0.5, 0.2))
        assert made.command == pytest.approx((0.5, 0.3))
        twist = node.sent[-1].twist
        assert (twist.linear.x, twist.linear.y) == (0.5, 0.0)
        assert twist.angular.z == pytest.approx(0.5 * math.tan(0.3) / 0.8)

    def test_an_omni_robot_is_told_its_speed_sideways(self, node):
        made = driver(node, "omni", stamped=False)
        made.drive(np.array([0.0, 1.0, 0.0]), start(0.5, 0.2, -0.1))
        assert isinstance(node.sent[-1], Twist)
        twist = node.sent[-1]
        assert (twist.linear.x, twist.linear.y, twist.angular.z) == pytest.approx((0.5, 0.3, -0.1))

    @pytest.mark.parametrize("u", [[math.nan, 0.0], [0.0, math.inf]])
    def test_a_non_finite_input_stops(self, node, u):
        made = moving(node, 1.0, 0.0)
        made.drive(np.array(u), start(1.0, 0.0))
        assert made.command[0] == pytest.approx(0.8)
        assert "not finite" in made.reason

    def test_after_a_stall_it_goes_on_from_the_robots_own_speed(self, node):
        made = moving(node, 1.0, 0.0)
        node.pass_time(1.5)
        made.drive(np.array([1.0, 0.0]), start(0.0, 0.0))
        assert made.command[0] == pytest.approx(0.1)

    def test_a_robot_that_is_too_fast_when_it_is_taken_over_is_slowed_down(self, node):
        made = driver(node)
        speeds = []
        for _ in range(3):
            made.drive(np.array([0.0, 0.0]), start(2.0, 0.0))
            node.pass_time(0.1)
            speeds.append(made.command[0])
        assert speeds == pytest.approx([1.8, 1.6, 1.4])

    def test_a_car_does_not_turn_faster_than_it_may(self, node):
        made = driver(node, "ackermann", turn_rate=0.5)
        rates = []
        for _ in range(30):
            made.drive(np.array([1.0, 1.0]), start(0.0, 0.0))
            node.pass_time(0.1)
            rates.append(node.sent[-1].twist.angular.z)
        assert max(rates) == pytest.approx(0.5)
        assert made.command[1] == pytest.approx(0.6)
        assert made.command[0] == pytest.approx(0.5 * 0.8 / math.tan(0.6))

    def test_the_input_that_was_sent_tells_of_a_car_slowed_down_in_a_bend(self, node):
        made = driver(node, "ackermann", turn_rate=0.5)
        sent = made.drive(np.array([0.0, 0.0]), start(1.0, 0.5))
        assert sent == pytest.approx([-2.0, 0.0])

    def test_narrower_limits_are_reached_along_the_deceleration(self, node):
        made = moving(node, 1.0, 0.9)
        made.use(limits(Actuation(load_model("diff_drive")), vx=(0.0, 0.5, 1.0, 2.0)))
        speeds = []
        for _ in range(4):
            made.drive(np.array([1.0, 0.0]), start(1.0, 0.0))
            node.pass_time(0.1)
            speeds.append(made.command[0])
        assert speeds == pytest.approx([0.8, 0.6, 0.5, 0.5])

    def test_a_stop_within_narrower_limits_is_no_harder(self, node):
        made = moving(node, 1.0, 0.0)
        made.use(limits(Actuation(load_model("diff_drive")), vx=(0.0, 0.3, 1.0, 2.0)))
        made.stop("why")
        assert made.command[0] == pytest.approx(0.8)

    def test_wider_limits_hold_at_once(self, node):
        made = moving(node, 1.0, 0.0)
        made.use(limits(Actuation(load_model("diff_drive")), vx=(0.0, 2.0, 3.0, 3.0)))
        made.drive(np.array([3.0, 0.0]), start(1.0, 0.0))
        assert made.command[0] == pytest.approx(1.3)


class TestStopping:
    def test_a_stop_runs_along_the_deceleration_limit(self, node):
        made = moving(node, 1.0, 0.0)
        made.stop("why")
        assert made.command[0] == pytest.approx(0.8)
        assert made.reason == "why"

    def test_a_late_stop_makes_up_for_the_time(self, node):
        made = moving(node, 1.0, 0.0)
        node.pass_time(0.05)
        made.stop("why")
        assert made.command[0] == pytest.approx(0.7)

    def test_a_stop_after_a_stall_does_not_speed_a_standing_robot_up(self, node):
        made = moving(node, 1.0, 0.0)
        node.pass_time(1.5)
        made.stop("why")
        assert made.command == (0.0, 0.0)

    def test_a_robot_that_rolls_is_slowed_down_from_the_first_stop_on(self, node):
        made = driver(node, rolling=lambda _: start(2.0, 0.4))
        speeds = []
        for _ in range(12):
            made.stop("why")
            node.pass_time(0.1)
            speeds.append(made.command[0])
        assert speeds == pytest.approx([2.0 - 0.2 * k for k in range(1, 11)] + [0.0, 0.0])
        assert made.command == (0.0, 0.0)

    def test_a_stop_after_a_stall_goes_on_from_the_robots_own_speed(self, node):
        made = moving(node, 1.0, 0.0, rolling=lambda _: start(0.5, 0.0))
        node.pass_time(1.5)
        made.stop("why")
        assert made.command[0] == pytest.approx(0.3)

    @pytest.mark.parametrize("found", [None, np.array([math.nan, 0.0])])
    def test_where_nothing_tells_how_it_rolls_a_first_stop_is_rest(self, node, found):
        made = driver(node, rolling=lambda _: found)
        made.stop("why")
        assert made.command == (0.0, 0.0)
        assert len(node.sent) == 1

    def test_a_robot_that_lags_behind_its_stop_is_not_driven_on(self, node):
        made = driver(node, rolling=lambda _: start(0.3, 0.0))
        for _ in range(5):
            made.stop("why")
            node.pass_time(0.1)
        assert made.command == (0.0, 0.0)

    def test_a_robot_that_others_drove_since_is_taken_over_anew(self, node):
        made = driver(node, rolling=lambda _: start(2.0, 0.0))
        enable(node, False)
        made.stop("why")
        node.pass_time(0.1)
        enable(node, True)
        made.stop("why")
        assert made.command[0] == pytest.approx(1.8)

    def test_a_car_stops_along_its_bend_and_remembers_its_steering(self, node, monkeypatch):
        made = moving(node, 0.5, 0.3, model="ackermann")
        monkeypatch.setattr("time.sleep", node.pass_time)
        made.halt()
        twists = [message.twist for message in node.sent]
        for twist in twists[:-1]:
            bend = twist.angular.z / twist.linear.x
            assert bend == pytest.approx(math.tan(0.3) / 0.8)
        assert (twists[-1].linear.x, twists[-1].angular.z) == (0.0, 0.0)
        assert made.command == (0.0, 0.3)

    def test_a_halt_ends_at_rest_and_forgets(self, node, monkeypatch):
        made = moving(node, 1.0, 0.0)
        monkeypatch.setattr("time.sleep", node.pass_time)
        made.halt()
        sent = [message.twist.linear.x for message in node.sent]
        assert sent[-1] == 0.0
        assert max(-np.diff(sent)) <= 0.2 + 1e-9
        assert made.enabled
        made.drive(np.zeros(2), start(0.0, 0.0))
        assert made.command == (0.0, 0.0)

    def test_after_a_halt_the_robot_is_taken_over_anew(self, node, monkeypatch):
        made = moving(node, 0.1, 0.0, rolling=lambda _: start(2.0, 0.0))
        monkeypatch.setattr("time.sleep", node.pass_time)
        made.halt()
        made.stop("why")
        assert made.command[0] == pytest.approx(1.8)

    def test_without_ticks_it_stops_by_itself(self, node):
        made = moving(node, 1.0, 0.0)
        begun = None
        for k in range(100):
            node.steady_now += SECOND // 100
            for timer in node.timers:
                timer()
            if begun is None and made.command[0] < 1.0:
                begun = 0.1 + (k + 1) / 100
        assert made.command == (0.0, 0.0)
        assert begun <= 0.2
        assert "no tick" in made.reason


class TestSimulatedTime:
    @pytest.mark.parametrize("factor", [0.05, 0.25, 0.5, 2.0])
    def test_a_slow_simulation_is_driven_as_a_fast_one(self, node, factor):
        made = driver(node, simulated=True)
        for _ in range(15):
            made.drive(np.array([1.0, 0.0]), start(0.0, 0.0))
            pass_steady_time(node, 0.1 / factor, factor)
        assert made.stops == 0
        assert made.command[0] == pytest.approx(1.0)

    @pytest.mark.parametrize("factor", [0.25, 0.5, 2.0])
    def test_a_stop_takes_the_simulations_time(self, node, factor):
        made = simulated(node, 1.0, 0.0)
        speeds = []
        for _ in range(4):
            pass_steady_time(node, 0.1 / factor, factor)
            made.stop("why")
            speeds.append(made.command[0])
        assert speeds == pytest.approx([0.8, 0.6, 0.4, 0.2])

    def test_a_clock_that_stands_still_slows_the_robot_down_by_the_steady_one(self, node):
        made = simulated(node, 1.0, 0.0)
        pass_steady_time(node, 0.5, 0.0)
        assert made.command[0] == 1.0
        speeds = [1.0]
        while speeds[-1] > 0.0:
            pass_steady_time(node, 0.1, 0.0)
            speeds.append(made.command[0])
        assert np.diff(speeds) == pytest.approx(-0.2)
        assert "clock stands still" in made.reason

    def test_when_the_clock_goes_on_so_does_the_robot(self, node):
        made = simulated(node, 1.0, 0.0)
        pass_steady_time(node, 0.7, 0.0)
        slowed = made.command[0]
        assert 0.0 < slowed < 1.0
        pass_steady_time(node, 0.1, 1.0)
        made.drive(np.array([1.0, 0.0]), start(1.0, 0.0))
        assert made.command[0] == pytest.approx(slowed + 0.1)
        assert made.reason == ""

    def test_a_clock_that_jumps_back_stops_no_harder(self, node):
        made = simulated(node, 1.0, 0.0)
        node.now -= 50 * SECOND
        made.stop("why")
        assert made.command[0] == 1.0
        node.pass_time(0.1)
        made.stop("why")
        assert made.command[0] == pytest.approx(0.8)

    def test_a_halt_needs_no_clock_but_the_steady_one(self, node, monkeypatch):
        def sleep(seconds):
            node.steady_now += round(seconds * SECOND)

        made = simulated(node, 1.0, 0.0)
        monkeypatch.setattr("time.sleep", sleep)
        made.halt()
        sent = [message.twist.linear.x for message in node.sent]
        assert sent[:6] == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.4, 0.2])
        assert sent[-1] == 0.0


class TestEnabling:
    def test_disabled_it_slows_down_then_is_silent(self, node):
        made = moving(node, 0.3, 0.0)
        assert enable(node, False).message == "disabled; slowing down to rest"
        for _ in range(2):
            made.drive(np.array([1.0, 0.0]), start(0.3, 0.0))
            node.pass_time(0.1)
        assert made.command == (0.0, 0.0)
        count = len(node.sent)
        made.drive(np.array([1.0, 0.0]), start(0.3, 0.0))
        assert len(node.sent) == count

    def test_enabled_while_moving_it_goes_on_from_there(self, node):
        made = driver(node, enabled=False)
        answer = enable(node, True)
        assert (answer.success, answer.message) == (True, "enabled")
        made.drive(np.zeros(2), start(0.5, 0.1))
        assert made.command == pytest.approx((0.5, 0.1))

    def test_the_answer_says_what_holds_the_robot_back(self, node):
        made = driver(node, enabled=False, fault=lambda: "estimate is more than 0.1 s old")
        answer = enable(node, True)
        assert answer.success
        assert made.enabled
        assert answer.message == (
            "enabled; the robot is held back: estimate is more than 0.1 s old"
        )
        node.active = False
        assert enable(node, True).message == (
            "already enabled; the robot is held back: the node is not active"
        )

    def test_disabling_twice_is_told(self, node):
        driver(node, enabled=False)
        assert enable(node, False).message == "already disabled"

    def test_disabled_for_a_reason_it_stays_stopped_until_it_is_enabled(self, node):
        made = moving(node, 0.1, 0.0)
        made.disable("jumped")
        node.pass_time(0.1)
        made.drive(np.array([1.0, 0.0]), start(0.0, 0.0))
        assert made.command == (0.0, 0.0)
        assert not made.enabled

    def test_why_it_was_disabled_outlives_a_clock_that_stood_still(self, node):
        made = moving(node, 0.1, 0.0)
        made.disable("jumped")
        node.steady_now += SECOND
        for timer in node.timers:
            timer()
        assert "no tick" in made.reason
        made.drive(np.zeros(2), start(0.0, 0.0))
        assert made.reason == made.disabled_because == "jumped"
        enable(node, True)
        made.drive(np.zeros(2), start(0.0, 0.0))
        assert made.reason == ""
        enable(node, False)
        made.drive(np.zeros(2), start(0.0, 0.0))
        assert made.reason == "not enabled"
