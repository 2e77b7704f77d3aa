"""Stands in for Gazebo and its bridge: MuJoCo's robot, with the messages that those would send.

    fake_gazebo.py [gazebo's arguments] WORLD.sdf

Course, start and topics are the world's. As with Gazebo the base holds its last command for ever,
time begins at 0, messages carry no covariances, the wheel odometry begins at 0, and the IMU has no
orientation, not even a unit quaternion.
"""

import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.executors import ExternalShutdownException
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu

from ebm_mpc_ros.ros.messages import to_point, to_quaternion, to_time, to_vector
from ebm_mpc_ros.simulation.robot import Robot, RobotSettings
from ebm_mpc_ros.simulation.sensors import InertialSensor, SensorSettings, WheelOdometry

EXACT = SensorSettings(
    left_wheel_scale_error=0.0, right_wheel_scale_error=0.0, encoder_counts=1_000_000
)
STEPS_OF_CLOCK, STEPS_OF_IMU, STEPS_OF_ODOMETRY = 1, 5, 10
MOST_BEHIND = 0.05


class World:
    """What the world's SDF says of the robot and the obstacles."""

    def __init__(self, path):
        world = ET.parse(path).getroot().find("world")  # noqa: S314  our own file
        models = {model.get("name"): model for model in world.iter("model")}
        pose = [float(word) for word in models["diff_drive"].findtext("pose").split()]
        self.start = [pose[0], pose[1], pose[5]]
        self.obstacles = [
            [
                *(float(word) for word in body.findtext("pose").split()[:2]),
                float(body.findtext("geometry/cylinder/radius")),
            ]
            for body in models["obstacles"].iter("collision")
        ]
        robot = models["diff_drive"]
        self.imu = robot.find("link/sensor").findtext("topic")
        base, truth = robot.findall("plugin")
        self.command, self.odometry = base.findtext("topic"), base.findtext("odom_topic")
        self.truth = truth.findtext("odom_topic")


class FakeGazebo:
    """Steps the robot and publishes."""

    def __init__(self, world, node):
        self.robot = Robot(RobotSettings(), world.obstacles, world.start)
        self.steps, self.command = 0, (0.0, 0.0)
        self._imu = InertialSensor(EXACT, np.random.default_rng(0))
        robot = self.robot
        self._wheels = WheelOdometry(EXACT, robot.wheel_radius, robot.wheel_separation)
        self._clock = node.create_publisher(Clock, "/clock", 10)
        self._imu_publisher = node.create_publisher(Imu, world.imu, 10)
        self._odometry = node.create_publisher(Odometry, world.odometry, 10)
        self._truth = node.create_publisher(Odometry, world.truth, 10)
        node.create_subscription(Twist, world.command, self._take, 1)

    def step(self):
        self.robot.step(self.command)
        self.steps += 1
        stamp = to_time(round(self.robot.time * 1e9))
        if self.steps % STEPS_OF_CLOCK == 0:
            self._clock.publish(Clock(clock=stamp))
        if self.steps % STEPS_OF_IMU == 0:
            sample = self._imu.measure(0.0, self.robot.twist[1], self.robot.specific_force)
            message = Imu()
            message.header.stamp, message.header.frame_id = stamp, "base_link"
            message.orientation.w = 0.0
            message.angular_velocity = to_vector(sample.angular_velocity)
            message.linear_acceleration = to_vector(sample.specific_force)
            self._imu_publisher.publish(message)
        if self.steps % STEPS_OF_ODOMETRY == 0:
            wheels = self._wheels.measure(0.0, self.robot.wheel_angles)
            x, y, yaw = wheels.pose
            turn = [0.0, 0.0, np.sin(0.5 * yaw), np.cos(0.5 * yaw)]
            speed, turn_rate = wheels.twist
            self._publish(
                self._odometry, stamp, [x, y, 0.0], turn, [speed, 0, 0], [0, 0, turn_rate]
            )
            self._publish(self._truth, stamp, *self.robot.pose, *self.robot.twist)

    def _take(self, message):
        self.command = (message.linear.x, message.angular.z)

    def _publish(self, publisher, stamp, position, orientation, linear, angular):
        message = Odometry(child_frame_id="base_link")
        message.header.stamp, message.header.frame_id = stamp, "odom"
        message.pose.pose.position = to_point(position)
        message.pose.pose.orientation = to_quaternion(orientation)
        message.twist.twist.linear = to_vector(np.array(linear, dtype=float))
        message.twist.twist.angular = to_vector(np.array(angular, dtype=float))
        publisher.publish(message)


def main():
    rclpy.init()
    node = rclpy.create_node("fake_gazebo")
    gazebo = FakeGazebo(World(Path(sys.argv[-1])), node)
    last, owed = time.monotonic(), 0.0
    try:
        while rclpy.ok():
            now = time.monotonic()
            owed, last = min(owed + now - last, MOST_BEHIND), now
            while owed >= gazebo.robot.timestep:
                owed -= gazebo.robot.timestep
                gazebo.step()
            rclpy.spin_once(node, timeout_sec=0.002)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == "__main__":
    main()
