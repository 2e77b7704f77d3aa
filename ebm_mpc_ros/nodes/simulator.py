"""simulator_node: the MuJoCo robot on a course, over topics, at real time or slower."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry as OdometryMessage
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu as ImuMessage

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.course_parameter import COURSE, read_course
from ebm_mpc_ros.ros.diagnosis import Condition, Level
from ebm_mpc_ros.ros.messages import to_point, to_quaternion, to_time, to_vector
from ebm_mpc_ros.ros.node import ManagedNode
from ebm_mpc_ros.ros.parameters import Parameter, ParameterError
from ebm_mpc_ros.ros.process import spin
from ebm_mpc_ros.simulation.sensors import Imu, Odometry
from ebm_mpc_ros.simulation.simulation import GroundTruth, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLOCK_PERIOD = 0.005
_START = 1_000_000_000
_MOST_BEHIND = 0.05
_UNKNOWN = -1.0

SIMULATOR_PARAMETERS = (
    COURSE,
    Parameter(
        name="seed",
        kind="int",
        default=0,
        minimum=0,
        description="Seed of the sensors' noise.",
    ),
    Parameter(
        name="rate",
        kind="float",
        default=1.0,
        above=0.0,
        maximum=1.0,
        description="Simulated seconds in a second.",
    ),
    Parameter(
        name="publish_clock",
        kind="bool",
        default=True,
        description="Be the clock of the graph; false where the system or another is.",
    ),
    Parameter(
        name="enable_stamped_cmd_vel",
        kind="bool",
        default=True,
        description="cmd_vel is a TwistStamped; false for Twist.",
    ),
)


class SimulatorNode(ManagedNode):
    """Steps the simulation; sensors, truth and /clock out, cmd_vel in.

    It steps by the steady clock, and its own time starts at 1 s, for a stamp of 0 means none. A
    simulation that falls behind real time slows down rather than catch up. Without
    `publish_clock` it steps by the node's clock and stamps with it, and has to skip what it
    couldn't keep up with.
    """

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__("simulator_node")

    def table(self, given: Iterable[str]) -> Iterable[Parameter]:  # noqa: ARG002
        """Return the node's parameters."""
        return SIMULATOR_PARAMETERS

    def configure(self, values: dict[str, Any]) -> None:
        """Build the simulation and its topics."""
        self._is_clock = values["publish_clock"]
        if not self._is_clock and values["rate"] != 1.0:
            raise ParameterError(f"rate is {values['rate']:g}, must be 1 without publish_clock")
        self._simulation = Simulation(read_course(values["course"]), values["seed"])
        self._rate = values["rate"]
        self._touches = 0
        self._behind = 0.0
        self._has_rival = False
        if self._is_clock:
            self._clock_publisher = self.advertise(Clock, "/clock", 10)
            self.every(1.0, self._count_clocks, steady=True)
        self._imu = self.advertise(ImuMessage, "imu/data", qos.sensor(20))
        self._odometry = self.advertise(OdometryMessage, "wheel/odometry", qos.sensor(10))
        self._truth = self.advertise(OdometryMessage, "ground_truth/odom", qos.OUTPUT)
        if values["enable_stamped_cmd_vel"]:
            self.listen(TwistStamped, "cmd_vel", lambda m: self._command(m.twist), qos.NEWEST)
        else:
            self.listen(Twist, "cmd_vel", self._command, qos.NEWEST)
        self.every(_CLOCK_PERIOD, self._advance, steady=True)

    def activate(self) -> None:
        """Let time run."""
        self._last = self._driving_clock
        self._zero = _START
        self._owed = 0.0
        self._next_clock = self._simulation.time

    def condition(self) -> Condition:
        """Say whether the robot touched something or brakes, or commands had to be refused."""
        if self._has_rival:
            return Condition(
                Level.ERROR,
                "/clock has another publisher: one of them needs publish_clock false",
            )
        if self._touches:
            return Condition(Level.WARN, "the robot has touched an obstacle")
        if self._simulation.command_expired:
            return Condition(Level.WARN, "braking: no cmd_vel for 0.2 s")
        if self._simulation.refused_commands:
            return Condition(Level.WARN, "commands refused: not finite")
        return Condition(Level.OK, "simulating")

    def figures(self) -> dict[str, object]:
        """Say how far behind real time the simulation is, and whether the robot touched."""
        return {
            "simulated s": f"{self._simulation.time:.2f}",
            "time lost s": f"{self._behind:.2f}",
            "touches": self._touches,
            "commands refused": self._simulation.refused_commands,
        }

    @property
    def _driving_clock(self) -> int:
        return self.steady_now if self._is_clock else self.now

    def _count_clocks(self) -> None:
        self._has_rival = self.count_publishers("/clock") > 1

    def _advance(self) -> None:
        now = self._driving_clock
        # A clock other than the steady one may jump back.
        self._owed += max(0, now - self._last) * 1e-9 * self._rate
        self._last = now
        if self._owed > _MOST_BEHIND:
            self._behind += self._owed - _MOST_BEHIND
            self._owed = _MOST_BEHIND
        if not self._is_clock:
            self._zero = now - round((self._simulation.time + self._owed) * 1e9)
        timestep = self._simulation.robot.timestep
        while self._owed >= timestep:
            self._owed -= timestep
            for sample in self._simulation.step():
                self._publish(sample)
            if self._is_clock and self._simulation.time >= self._next_clock - 1e-9:
                self._next_clock += _CLOCK_PERIOD
                stamp = to_time(self._zero + round(self._simulation.time * 1e9))
                self._clock_publisher.publish(Clock(clock=stamp))

    def _command(self, twist: Any) -> None:
        self._simulation.command(twist.linear.x, twist.angular.z)

    def _publish(self, sample: Any) -> None:
        stamp = to_time(self._zero + round(sample.stamp * 1e9))
        if isinstance(sample, Imu):
            self._imu.publish(self._imu_message(sample, stamp))
        elif isinstance(sample, Odometry):
            self._odometry.publish(_odometry_message(sample, stamp))
        elif isinstance(sample, GroundTruth):
            self._touches += sample.touching
            self.report()
            self._truth.publish(_truth_message(sample, stamp))

    def _imu_message(self, sample: Imu, stamp: Any) -> ImuMessage:
        message = ImuMessage()
        message.header.stamp = stamp
        message.header.frame_id = "base_link"
        message.orientation_covariance[0] = _UNKNOWN
        message.angular_velocity = to_vector(sample.angular_velocity)
        message.linear_acceleration = to_vector(sample.specific_force)
        imu = self._simulation.imu
        message.angular_velocity_covariance[::4] = [imu.angular_velocity_variance] * 3
        message.linear_acceleration_covariance[::4] = [imu.specific_force_variance] * 3
        return message


def _odometry_message(sample: Odometry, stamp: Any) -> OdometryMessage:
    x, y, yaw = sample.pose
    message = _message(stamp, (x, y, 0.0), rotation.from_rpy(np.array(0.0), np.array(0.0), yaw))
    message.twist.twist.linear.x = float(sample.twist[0])
    message.twist.twist.angular.z = float(sample.twist[1])
    pose, twist = np.zeros((6, 6)), np.zeros((6, 6))
    pose[np.ix_([0, 1, 5], [0, 1, 5])] = sample.pose_covariance
    twist[np.ix_([0, 5], [0, 5])] = sample.twist_covariance
    message.pose.covariance = pose.ravel()
    message.twist.covariance = twist.ravel()
    return message


def _truth_message(sample: GroundTruth, stamp: Any) -> OdometryMessage:
    message = _message(stamp, sample.position, sample.orientation)
    message.twist.twist.linear = to_vector(sample.linear_velocity)
    message.twist.twist.angular = to_vector(sample.angular_velocity)
    return message


def _message(stamp: Any, position: Any, orientation: Any) -> OdometryMessage:
    message = OdometryMessage(child_frame_id="base_link")
    message.header.stamp = stamp
    message.header.frame_id = "odom"
    message.pose.pose.position = to_point(position)
    message.pose.pose.orientation = to_quaternion(orientation)
    return message


def main() -> None:
    """Run the node."""
    sys.exit(spin(SimulatorNode))


if __name__ == "__main__":
    main()
