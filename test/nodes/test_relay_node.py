"""relay_node as a process: the base stops when commands end."""

import os
import signal
import subprocess
import sys
import time

import pytest
from feeding import node, stream
from geometry_msgs.msg import Twist, TwistStamped
from rosgraph_msgs.msg import Clock

from ebm_mpc_ros.ros.messages import to_time

pytestmark = pytest.mark.timeout(120)

TIMEOUT = 0.2
# The period of its watch, and what a busy machine adds.
SLACK = 0.4

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


class Base:
    """Keeps when which speed was sent to the base."""

    def __init__(self, observer):
        self.heard = []
        observer.node.create_subscription(
            Twist, "base/cmd_vel", lambda m: self.heard.append((time.monotonic(), m)), 200
        )

    def speeds(self, since=0.0):
        return [message.linear.x for at, message in list(self.heard) if at >= since]


@pytest.fixture
def relay(start):
    def run(**parameters):
        processes, observer = start(node("relay_node", **parameters))
        base = Base(observer)
        publisher = observer.node.create_publisher(TwistStamped, "cmd_vel", 10)
        observer.wait_for(publisher.get_subscription_count, "the relay")
        return processes, observer, base, publisher

    return run


def command(speed, turn_rate=0.0):
    message = TwistStamped()
    message.twist.linear.x, message.twist.angular.z = speed, turn_rate
    return message


def drive(base, publisher):
    """Send commands until one has gone through."""
    stream((publisher, lambda: command(0.5)), seconds=30.0, until=lambda: 0.5 in base.speeds())
    assert 0.5 in base.speeds()


def test_it_stops_the_base_when_the_commander_is_killed(relay):
    processes, observer, base, _ = relay()
    commander = subprocess.Popen([sys.executable, "-c", COMMANDER.format(domain=processes.domain)])
    try:
        observer.wait_for(lambda: base.speeds().count(0.8) > 20, "commands")
        observer.wait_for_condition("relay_node", "handing on")
        _, last = base.heard[-1]
        assert (last.linear.x, last.angular.z) == (0.8, 0.3)
    finally:
        commander.kill()
        commander.wait()
    killed = time.monotonic()
    observer.wait_for(lambda: 0.0 in base.speeds(killed), "a zero")
    stopped = next(at for at, m in base.heard if at >= killed and m == Twist())
    assert stopped - killed < TIMEOUT + SLACK
    observer.wait_for_condition("relay_node", "braking: no cmd_vel for 0.2 s")
    time.sleep(0.2)
    assert set(base.speeds(stopped)) == {0.0}
    assert len(base.speeds(stopped)) > 3


def test_it_stops_a_base_that_still_drives_when_it_starts(relay):
    _, observer, base, _ = relay()
    observer.wait_for(base.speeds, "a command")
    assert set(base.speeds()) == {0.0}
    assert "no cmd_vel so far" in observer.conditions().get("relay_node", "no cmd_vel so far")


def test_what_is_not_finite_is_refused_and_puts_off_nothing(relay):
    _, observer, base, publisher = relay()
    drive(base, publisher)
    since = time.monotonic()
    while time.monotonic() < since + TIMEOUT + SLACK:
        publisher.publish(command(0.7, float("nan")))
        time.sleep(0.02)
    assert base.speeds()[-1] == 0.0
    assert 0.7 not in base.speeds()
    observer.wait_for(lambda: observer.values("relay_node").get("commands refused", "0") != "0", "")


def test_in_a_slow_simulation_the_age_of_commands_is_simulated_time(relay):
    _, observer, base, publisher = relay(use_sim_time=True)
    clock = observer.node.create_publisher(Clock, "/clock", 10)
    observer.wait_for(clock.get_subscription_count, "the relay on /clock")

    def tick(count, started):
        clock.publish(Clock(clock=to_time(10**9 + 10**7 * count)))
        # 0.1 s of simulated time between commands, 0.5 s of steady time.
        if count % 10 == 0:
            publisher.publish(command(0.5))
        time.sleep(max(0.0, started + 0.05 * count - time.monotonic()))

    started = time.monotonic()
    for count in range(60):
        tick(count, started)
    assert base.speeds().count(0.5) > 3
    said = [s.message for array in observer.heard["/diagnostics"] for s in array.status]
    assert not [message for message in said if "no cmd_vel for" in message]
    # Now the clock stands still.
    observer.wait_for_condition("relay_node", "the clock stands still")
    assert base.speeds()[-1] == 0.0


def test_it_stops_the_base_when_it_ends_itself(relay):
    processes, observer, base, publisher = relay(command_timeout=1.0)
    drive(base, publisher)
    os.kill(processes.pid("relay_node"), signal.SIGINT)
    observer.wait_for(lambda: base.speeds()[-1] == 0.0, "a zero")
