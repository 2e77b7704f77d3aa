"""relay_node: the base stops when commands end; by clocks of the test's, and as a process."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import rclpy
from feeding import node, stream
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.executors import SingleThreadedExecutor

from ebm_mpc_ros.errors import UserError
from ebm_mpc_ros.nodes.relay import RelayNode
from ebm_mpc_ros.ros.executor import NodeExecutor

pytestmark = pytest.mark.timeout(120)

PATIENCE = 40.0
COMMANDER = """
import rclpy
from geometry_msgs.msg import TwistStamped
rclpy.init(domain_id=int({domain}))
node = rclpy.create_node("commander")
publisher = node.create_publisher(TwistStamped, "cmd_vel", 10)
message = TwistStamped()
message.twist.linear.x, message.twist.angular.z = 0.8, 0.3
node.create_timer(0.05, lambda: publisher.publish(message))
rclpy.spin(node)
"""


class Timed(RelayNode):
    """The node, by clocks (s) that the test sets; it looks at them as often as ever."""

    time, steady, looks = 100.0, 0.0, 0

    @property
    def now(self):
        return round(self.time * 1e9)

    @property
    def steady_now(self):
        self.looks += 1
        return round(self.steady * 1e9)


class Rig:
    """The relay between a commander and a base, spun by hand in one thread."""

    def __init__(self, *, base=Twist, **parameters):
        given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        rclpy.init(
            args=["--ros-args", *given], domain_id=random.SystemRandom().choice(range(2, 102))
        )
        self.node = Timed()
        self.outside = rclpy.create_node("outside", use_global_arguments=False)
        self.ours, self.theirs = NodeExecutor(self.node), SingleThreadedExecutor()
        self.theirs.add_node(self.outside)
        self.heard = []
        self.outside.create_subscription(base, "base/cmd_vel", self.heard.append, 200)
        self.node.trigger_configure()
        self.commands = self.outside.create_publisher(TwistStamped, "cmd_vel", 10)
        self.wait_for(self.commands.get_subscription_count, "the relay")
        self.wait_for(lambda: self.outside.count_publishers("base/cmd_vel"), "its topic")
        self.node.trigger_activate()
        self.wait_for(lambda: self.heard, "what it starts with")

    @property
    def speeds(self):
        return [message.linear.x for message in self.heard]

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}; heard {self.heard[-3:]}"
            self.ours.spin_once(0.005)
            self.theirs.spin_once(timeout_sec=0.0)

    def drive(self, speed, turn_rate=0.0):
        """Send a command, and wait until it has gone through; what was heard before is gone."""
        self.heard.clear()
        self.commands.publish(command(speed, turn_rate))
        self.wait_for(lambda: speed in self.speeds, "the command")
        del self.heard[: self.speeds.index(speed)]

    def pass_time(self, seconds, *, steady=None):
        """Let time go by, and the relay see it."""
        self.node.time += seconds
        self.node.steady += seconds if steady is None else steady
        seen = self.node.looks + 20
        self.wait_for(lambda: self.node.looks > seen, "looks at the clock")

    def close(self):
        self.node.destroy_node()
        self.outside.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def rig(monkeypatch):
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = []

    def make(**parameters):
        made.append(Rig(**parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


def command(speed, turn_rate=0.0):
    message = TwistStamped()
    message.header.frame_id = "base_link"
    message.twist.linear.x, message.twist.angular.z = speed, turn_rate
    return message


def test_it_stops_the_base_when_commands_end_and_not_before(rig):
    relay = rig()
    relay.drive(0.8, 0.3)
    relay.pass_time(0.19)
    assert [(m.linear.x, m.angular.z) for m in relay.heard] == [(0.8, 0.3)]
    assert relay.node.condition().message == "handing on"
    relay.pass_time(0.02)
    relay.wait_for(lambda: len(relay.heard) > 5, "zeros")
    assert set(relay.speeds[1:]) == {0.0}
    assert relay.node.condition().message == "braking: no cmd_vel for 0.2 s"
    relay.drive(0.5)
    relay.pass_time(0.19)
    assert relay.speeds == [0.5]


def test_it_stops_a_base_that_still_drives_when_it_starts(rig):
    relay = rig()
    relay.wait_for(lambda: len(relay.heard) > 5, "zeros")
    assert set(relay.speeds) == {0.0}
    assert relay.node.condition().message == "braking: no cmd_vel so far"


def test_it_stops_the_base_when_it_is_told_to_end(rig):
    relay = rig()
    relay.drive(0.5)
    relay.node.close()
    relay.wait_for(lambda: len(relay.heard) > 1, "a zero")
    assert relay.speeds == [0.5, 0.0]


def test_what_is_not_finite_is_refused_and_puts_off_nothing(rig):
    relay = rig()
    relay.drive(0.5)
    relay.pass_time(0.15)
    relay.commands.publish(command(0.7, float("nan")))
    relay.wait_for(lambda: relay.node.figures()["commands refused"] == 1, "a refusal")
    assert relay.speeds == [0.5]
    relay.pass_time(0.06)
    relay.wait_for(lambda: relay.speeds[-1] == 0.0, "a zero")
    assert 0.7 not in relay.speeds


def test_in_a_slow_simulation_the_age_of_commands_is_simulated_time(rig):
    relay = rig(use_sim_time=True)
    relay.drive(0.5)
    for _ in range(9):
        relay.pass_time(0.02, steady=0.4)
    assert relay.speeds == [0.5]
    # Now the clock stands still.
    relay.pass_time(0.0, steady=0.6)
    relay.wait_for(lambda: relay.speeds[-1] == 0.0, "a zero")
    assert relay.node.condition().message == "braking: the clock stands still"


def test_a_base_may_take_stamped_commands(rig):
    relay = rig(base=TwistStamped, stamped_output=True)
    relay.commands.publish(command(0.5))
    relay.wait_for(lambda: relay.heard[-1].twist.linear.x == 0.5, "the command")
    last = relay.heard[-1].header
    assert last.stamp.sec == 100
    assert last.frame_id == "base_link"


@pytest.mark.parametrize("rule", ["cmd_vel:=base/cmd_vel", "base/cmd_vel:=/cmd_vel"])
def test_a_relay_that_would_hear_itself_does_not_start(rule):
    """It would take its own last command for a new one for ever."""
    rclpy.init(args=["--ros-args", "-r", rule])
    try:
        with pytest.raises(UserError, match=r"cmd_vel and base/cmd_vel are both /(base/)?cmd_vel"):
            RelayNode()
    finally:
        rclpy.shutdown()


class Base:
    """Keeps which speeds were sent to the base."""

    def __init__(self, observer):
        self.speeds = []
        observer.node.create_subscription(
            Twist, "base/cmd_vel", lambda m: self.speeds.append(m.linear.x), 200
        )


@pytest.fixture
def relay(start):
    def run(**parameters):
        processes, observer = start(node("relay_node", **parameters))
        return processes, observer, Base(observer)

    return run


def test_it_stops_the_base_when_the_commander_is_killed(relay):
    processes, observer, base = relay()
    commander = subprocess.Popen([sys.executable, "-c", COMMANDER.format(domain=processes.domain)])
    try:
        observer.wait_for(lambda: base.speeds.count(0.8) > 20, "commands")
        observer.wait_for_condition("relay_node", "handing on")
    finally:
        commander.kill()
        commander.wait()
    observer.wait_for_condition("relay_node", "braking: no cmd_vel for 0.2 s")
    observer.wait_for(lambda: base.speeds[-5:] == [0.0] * 5, "zeros")


def test_a_signal_makes_a_zero_its_last_word_however_commands_go_on(relay):
    processes, observer, base = relay()
    commands = observer.node.create_publisher(TwistStamped, "cmd_vel", 10)
    sent = commands, lambda: command(0.5)
    stream(sent, seconds=PATIENCE, until=lambda: 0.5 in base.speeds)
    os.kill(processes.pid("relay_node"), signal.SIGINT)
    stream(sent, seconds=PATIENCE, until=processes.dead)
    assert processes.dead() == {"relay_node": 0}
    observer.wait_for(lambda: base.speeds[-1] == 0.0, "a zero")
