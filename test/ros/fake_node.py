"""A node that is only two clocks and lists of what it was asked for."""

import math
from collections import defaultdict

import numpy as np

from ebm_mpc_ros.estimation.frames import Transform, UnknownFrameError

SECOND = 1_000_000_000


class FakeNode:
    """Stands in for ManagedNode: the test moves its clocks and hands it messages."""

    active = True

    def __init__(self):
        self.now = self.steady_now = 100 * SECOND
        self.callbacks, self.services, self.sent, self.timers = {}, {}, [], []
        self.listeners, self.always, self.matched = defaultdict(list), set(), {}

    def listen(self, kind, topic, callback, qos, *, always=False, matched=None):
        self.callbacks[topic], self.matched[topic] = callback, matched
        self.listeners[topic].append(callback)
        if always:
            self.always.add(topic)

    def listen_raw(self, kind, topic, callback, qos):
        from rclpy.serialization import serialize_message  # noqa: PLC0415  not all tests have it

        self.listen(kind, topic, lambda m: callback(serialize_message(m)), qos, always=True)

    def advertise(self, kind, topic, qos):
        return self

    def publish(self, message):
        self.sent.append(message)

    def serve(self, kind, name, callback):
        self.services[name] = callback

    def every(self, period, callback, *, steady=False):
        self.timers.append(callback)

    def report(self):
        pass

    def get_logger(self):
        return self

    def warning(self, text):
        self.warned = text

    def pass_time(self, seconds):
        self.now += round(seconds * SECOND)
        self.steady_now += round(seconds * SECOND)


class NoTransforms:
    def lookup(self, target, source):
        raise UnknownFrameError(f"no transform from {source!r} to {target!r}")


class Shifted:
    """A frame one metre to the left of odom, turned by a quarter."""

    def lookup(self, target, source):
        half = math.sqrt(0.5)
        return Transform(np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, half, half]))
