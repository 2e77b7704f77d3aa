"""cmd_vel: limited, stopped when in doubt, and only while enabled."""

import math

import numpy as np
import pytest
from fake_node import SECOND, FakeNode
from geometry_msgs.msg import TwistStamped
from std_srvs.srv import SetBool

from ebm_mpc_ros.control import CommandLimits
from ebm_mpc_ros.ros.driver import Driver


@pytest.fixture
def node():
    return FakeNode()


class TestDriver:
    LIMITS = CommandLimits(
        max_speed=1.0,
        min_speed=0.0,
        max_yaw_rate=1.0,
        max_acceleration=1.0,
        max_deceleration=2.0,
        max_yaw_acceleration=2.0,
    )

    def driver(self, node, *, enabled=True):
        return Driver(
            node, self.LIMITS, period=0.1, frame="base_link", enabled=enabled, stamped=True
        )

    def moving(self, node, speed=1.0, **arguments):
        """A driver that has just commanded `speed`."""
        driver = self.driver(node, **arguments)
        driver.drive(np.zeros(2), (speed, 0.0))
        node.pass_time(0.1)
        return driver

    def test_an_input_is_integrated_within_the_limits(self, node):
        driver = self.driver(node)
        driver.drive(np.array([9.0, -9.0]), (0.0, 0.0))
        assert driver.command == pytest.approx((0.1, -0.2))
        assert isinstance(node.sent[-1], TwistStamped)
        assert node.sent[-1].twist.linear.x == pytest.approx(0.1)

    def test_a_stop_runs_along_the_deceleration_limit(self, node):
        driver = self.moving(node)
        driver.stop("why")
        assert driver.command[0] == pytest.approx(0.8)
        assert driver.reason == "why"

    def test_a_late_stop_makes_up_for_the_time(self, node):
        driver = self.moving(node)
        node.pass_time(0.05)
        driver.stop("why")
        assert driver.command[0] == pytest.approx(0.7)

    @pytest.mark.parametrize("u", [[math.nan, 0.0], [0.0, math.inf]])
    def test_a_non_finite_input_stops(self, node, u):
        driver = self.moving(node)
        driver.drive(np.array(u), (1.0, 0.0))
        assert driver.command[0] == pytest.approx(0.8)
        assert "not finite" in driver.reason

    def test_disabled_it_slows_down_then_is_silent(self, node):
        driver = self.moving(node, 0.3)
        node.services["~/enable"](SetBool.Request(data=False), SetBool.Response())
        for _ in range(2):
            driver.drive(np.array([1.0, 0.0]), (0.3, 0.0))
            node.pass_time(0.1)
        assert driver.command == (0.0, 0.0)
        count = len(node.sent)
        driver.drive(np.array([1.0, 0.0]), (0.3, 0.0))
        assert len(node.sent) == count

    def test_enabled_while_moving_it_goes_on_from_there(self, node):
        driver = self.driver(node, enabled=False)
        node.services["~/enable"](SetBool.Request(data=True), SetBool.Response())
        driver.drive(np.zeros(2), (0.5, 0.1))
        assert driver.command == pytest.approx((0.5, 0.1))

    def test_after_a_stall_it_goes_on_from_the_robots_own_speed(self, node):
        driver = self.moving(node)
        node.pass_time(1.5)
        driver.drive(np.array([1.0, 0.0]), (0.0, 0.0))
        assert driver.command[0] == pytest.approx(0.1)

    def test_a_stop_after_a_stall_does_not_speed_a_standing_robot_up(self, node):
        driver = self.moving(node)
        node.pass_time(1.5)
        driver.stop("why")
        assert driver.command == (0.0, 0.0)

    def test_disabled_for_a_reason_it_stays_stopped_until_it_is_enabled(self, node):
        driver = self.moving(node, 0.1)
        driver.disable("jumped")
        node.pass_time(0.1)
        driver.drive(np.array([1.0, 0.0]), (0.0, 0.0))
        assert driver.command == (0.0, 0.0)
        assert not driver.enabled

    def test_why_it_was_disabled_outlives_a_clock_that_stood_still(self, node):
        driver = self.moving(node, 0.1)
        driver.disable("jumped")
        node.steady_now += SECOND
        for timer in node.timers:
            timer()
        assert "clock" in driver.reason
        driver.drive(np.zeros(2), (0.0, 0.0))
        assert driver.reason == driver.disabled_because == "jumped"
        node.services["~/enable"](SetBool.Request(data=True), SetBool.Response())
        driver.drive(np.zeros(2), (0.0, 0.0))
        assert driver.reason == ""
        node.services["~/enable"](SetBool.Request(data=False), SetBool.Response())
        driver.drive(np.zeros(2), (0.0, 0.0))
        assert driver.reason == "not enabled"

    def test_a_halt_ends_at_rest_and_forgets(self, node, monkeypatch):
        driver = self.moving(node)
        monkeypatch.setattr("time.sleep", node.pass_time)
        driver.halt()
        sent = [message.twist.linear.x for message in node.sent]
        assert sent[-1] == 0.0
        assert max(-np.diff(sent)) <= 0.2 + 1e-9
        assert driver.enabled
        driver.drive(np.zeros(2), (0.0, 0.0))
        assert driver.command == (0.0, 0.0)

    def test_without_ticks_it_stops_by_itself(self, node):
        driver = self.moving(node)
        begun = None
        for k in range(100):
            node.steady_now += SECOND // 100
            for timer in node.timers:
                timer()
            if begun is None and driver.command[0] < 1.0:
                begun = 0.1 + (k + 1) / 100
        assert driver.command == (0.0, 0.0)
        assert begun <= 0.2
        assert "clock" in driver.reason
