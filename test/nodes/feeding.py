"""What the tests of node processes send them."""

import time

from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu
from std_srvs.srv import SetBool

from ebm_mpc_ros.ros.messages import to_path
from ebm_mpc_ros.tools.graph import NodeSpec, default_params_file


def node(name, **parameters):
    return NodeSpec(name=name, parameters=parameters, params_files=[default_params_file()])


def stamped(observer, message, frame="odom"):
    message.header.stamp = observer.node.get_clock().now().to_msg()
    message.header.frame_id = frame
    return message


def odometry(observer, x=0.0, speed=0.0, frame="odom"):
    message = stamped(observer, Odometry(child_frame_id="base_link"), frame)
    message.pose.pose.position.x = x
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x = speed
    message.twist.covariance[::7] = [1e-4] * 6
    return message


def imu(observer):
    message = stamped(observer, Imu(), "base_link")
    message.orientation_covariance[0] = -1.0
    message.angular_velocity_covariance[::4] = [1e-4] * 3
    message.linear_acceleration_covariance[::4] = [1e-2] * 3
    return message


def stream(*sources, seconds, until=lambda: False):
    """Publish what each (publisher, make) makes, at 50 Hz, until a condition or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until():
        for publisher, make in sources:
            publisher.publish(make())
        time.sleep(0.02)


def straight(observer, frame="odom"):
    now = observer.node.get_clock().now().nanoseconds
    return to_path(now, frame, [(0.1 * k, 0.0, 0.0) for k in range(100)])


def call(observer, client, value):
    return ask(observer, client, SetBool.Request(data=value))


def ask(observer, client, request):
    """Call a service; a call made while DDS still matches the ends can get lost, so ask again."""
    observer.wait_for(client.service_is_ready, "the service")
    calls = []

    def answered():
        if not calls or time.monotonic() > calls[-1][0] + 5.0:
            calls.append((time.monotonic(), client.call_async(request)))
        return next((future for _, future in calls if future.done()), None)

    return observer.wait_for(answered, "the answer").result()


def drive(observer, estimate, seconds, until):
    stream((estimate, lambda: odometry(observer, speed=0.5)), seconds=seconds, until=until)


def speed(observer):
    heard = observer.heard["cmd_vel"]
    return heard[-1].twist.linear.x if heard else 0.0


def change_state(observer, transition):
    client = observer.node.create_client(ChangeState, "mpc_node/change_state")
    request = ChangeState.Request()
    request.transition.id = transition
    assert ask(observer, client, request).success
