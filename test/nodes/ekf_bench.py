"""An ekf_node in the test's own process, over DDS."""

import time

import estimating
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from estimating import Lines, mask
from geometry_msgs.msg import PoseWithCovarianceStamped, TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Imu, NavSatFix

from ebm_mpc_ros.nodes.ekf import EkfNode
from ebm_mpc_ros.ros.executor import NodeExecutor

PATIENCE = 20.0
KINDS = {
    "odom": Odometry,
    "pose": PoseWithCovarianceStamped,
    "twist": TwistWithCovarianceStamped,
    "imu": Imu,
    "navsat": NavSatFix,
}
SENDERS = {
    "odom": estimating.odometry,
    "pose": estimating.pose,
    "twist": estimating.twist,
    "imu": lambda stamp, **values: estimating.imu(stamp, **({"frame": "base_link"} | values)),
    "navsat": lambda stamp: estimating.fix(stamp, (48.0, 11.0, 500.0)),
}
FIVE = {
    "odom0": "odom",
    "odom0_config": mask("vx"),
    "pose0": "pose",
    "pose0_config": mask("x", "y"),
    "twist0": "twist",
    "twist0_config": mask("vx", "vy", "vz", "vroll", "vpitch", "vyaw"),
    "imu0": "imu",
    "imu0_config": mask("roll", "pitch", "yaw", "vroll", "vpitch", "vyaw", "ax", "ay", "az"),
    "navsat0": "fix",
}
WHEELS = {"odom0": "odom", "odom0_config": mask("vx", "vyaw")}


def real(kind, plain):
    """Return a plain message as rclpy's."""
    message = kind()
    for name in kind.get_fields_and_field_types():
        value, given = getattr(message, name), getattr(plain, name, None)
        if given is None:
            continue
        if hasattr(value, "get_fields_and_field_types"):
            setattr(message, name, real(type(value), given))
        elif isinstance(value, int | float | str):
            setattr(message, name, type(value)(given))
        else:
            setattr(message, name, [float(number) for number in given])
    return message


class Bench:
    """An ekf_node and a node outside it, spun by hand in one thread."""

    def __init__(self):
        self.node = EkfNode()
        self.log = Lines()
        self.log.info = self.log.warning
        self.node.get_logger = lambda: self.log
        self.outside = rclpy.create_node("outside", use_global_arguments=False)
        self.ours, self.theirs = NodeExecutor(self.node), SingleThreadedExecutor()
        self.theirs.add_node(self.outside)
        self.heard = {}
        self.publishers = {}
        self.listen(Odometry, "odometry/filtered")
        self.listen(DiagnosticArray, "/diagnostics")

    def start(self):
        assert self.node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        self.node.trigger_activate()

    def listen(self, kind, topic):
        self.heard[topic] = []
        self.outside.create_subscription(kind, topic, self.heard[topic].append, 100)

    def spin(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.ours.spin_once(0.005)
            self.theirs.spin_once(timeout_sec=0.0)

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited for {what}; {self.condition}"
            self.spin(0.02)
        return found

    @property
    def now(self):
        return self.node.now

    def publisher(self, kind, topic):
        if topic not in self.publishers:
            self.publishers[topic] = self.outside.create_publisher(kind, topic, 10)
            publisher = self.publishers[topic]
            self.wait_for(publisher.get_subscription_count, f"a subscription to {topic}")
        return self.publishers[topic]

    def send(self, name, stamp=None, **values):
        """Send a message to an input such as odom0."""
        kind = name.rstrip("0123456789")
        topic = self.node.get_parameter(name).value
        plain = SENDERS[kind](self.now if stamp is None else stamp, **values)
        self.publisher(KINDS[kind], topic).publish(real(KINDS[kind], plain))

    def stream(self, seconds, *names, until=lambda: False, **values):
        """Send to the inputs at 50 Hz for that long, or until a condition holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            for name in names:
                self.send(name, **values)
            self.spin(0.02)

    def call(self, kind, name, **request):
        client = self.outside.create_client(kind, name)
        self.wait_for(client.service_is_ready, name)
        future = client.call_async(kind.Request(**request))
        self.wait_for(future.done, f"an answer of {name}")
        return future.result()

    def set(self, **values):
        parameters = [
            rclpy.Parameter(name, value=value).to_parameter_msg() for name, value in values.items()
        ]
        return self.call(SetParameters, "ekf_node/set_parameters", parameters=parameters).results

    @property
    def estimates(self):
        return self.heard["odometry/filtered"]

    @property
    def condition(self):
        heard = self.heard["/diagnostics"]
        return heard[-1].status[0].message if heard else ""

    def figures(self):
        """All that /diagnostics has said by keys."""
        return {
            value.key: value.value
            for array in self.heard["/diagnostics"]
            for value in array.status[0].values
        }

    def close(self):
        self.node.close()
        self.node.destroy_node()
        self.theirs.shutdown()
        self.outside.destroy_node()
