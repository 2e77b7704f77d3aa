"""policy_node with its clock, messages and timers in a test's hands."""

import time
from collections import defaultdict

import numpy as np
import rclpy
from nav_msgs.msg import Odometry
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.serialization import serialize_message

from ebm_mpc_ros.control import planar_outputs
from ebm_mpc_ros.nodes.policy import PolicyNode
from ebm_mpc_ros.ros.messages import to_path, to_time, yaw_quaternion

PATIENCE = 20.0
PERIOD = 0.05


class Outlet(list):
    """A publisher that keeps what it is given."""

    publish = list.append


class Bench(PolicyNode):
    """The node; commands move the robot."""

    time = 100_000_000_000
    now = steady_now = property(lambda self: self.time)

    def __init__(self, **parameters):
        self.callbacks, self.served, self.timers_of = {}, {}, {}
        self.outputs = defaultdict(Outlet)
        super().__init__()
        given = {"device": "cpu", "send_commands": True, "enabled": True, "time_limit": 10.0}
        given |= {"chains": 16, "steps": 2, "samples_shown": 0}
        self.give(**(given | parameters))

    def give(self, **parameters):
        return self.set_parameters_atomically(
            [rclpy.Parameter(name, value=value) for name, value in parameters.items()]
        )

    def listen(self, kind, topic, callback, qos, *, always=False, matched=None):
        self.callbacks[topic] = callback

    def listen_raw(self, kind, topic, callback, qos):
        self.callbacks[topic] = lambda message: callback(serialize_message(message))

    def advertise(self, kind, topic, qos):
        return self.outputs[topic]

    def every(self, period, callback, *, steady=False):
        assert callback.__name__ not in self.timers_of
        self.timers_of[callback.__name__] = callback

    def serve(self, kind, name, callback):
        self.served[name] = callback

    def run(self):
        assert self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert self.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.state = np.zeros(self._model.state_size)
        path = to_path(0, "odom", [(0.1 * k, 0.0, 0.0) for k in range(100)])
        self.estimated()
        self.callbacks["plan"](path)

    def estimated(self):
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id = "odom"
        message.header.stamp = to_time(self.time)
        pose, twist = message.pose.pose, message.twist.twist
        planar = planar_outputs(self._model, self.state).tolist()
        pose.position.x, pose.position.y = planar[:2]
        pose.orientation = yaw_quaternion(planar[2])
        twist.linear.x, twist.linear.y, twist.angular.z = planar[3:]
        self.callbacks["odometry/filtered"](message)

    def step(self):
        """Plan, command, and move as commanded."""
        plans = len(self.outputs["policy/plan"])
        self.estimated()
        deadline = time.monotonic() + PATIENCE
        while len(self.outputs["policy/plan"]) == plans:
            self.timers_of["_supervise"]()
            assert time.monotonic() < deadline, self.condition()
            time.sleep(1e-3)
        self.timers_of["_drive"]()
        u = np.zeros(len(self._model.input_names))
        self.state[self._actuation.indices] = self._driver.command
        self.state = np.asarray(self._model.f(self.state, u, PERIOD))
        self.time += round(PERIOD * 1e9)
