"""A planar robot: wheels, a gyro and commands in a ROS 2 bag."""

import math

import numpy as np
import pytest
import yaml
from replaying import SECOND, final, mask, replay, rows

from ebm_mpc_ros.learning.bags import BagWriter


class Planar:
    """A robot that accelerates to 1 m/s in two seconds, then turns at 0.5 rad/s."""

    PERIOD = SECOND // 100
    STEPS = 800

    def __init__(self):
        self.pose = np.zeros(3)
        self.speed = self.rate = 0.0

    def step(self, k):
        dt = 0.01
        self.pose = self.pose + dt * np.array(
            [
                self.speed * math.cos(self.pose[2] + 0.5 * dt * self.rate),
                self.speed * math.sin(self.pose[2] + 0.5 * dt * self.rate),
                self.rate,
            ]
        )
        self.speed = min(1.0, 0.005 * (k + 1))
        self.rate = 0.5 if k >= 300 else 0.0


@pytest.fixture(scope="module")
def planar(tmp_path_factory):
    """Return a bag and the pose at which the robot truly ends."""
    path = tmp_path_factory.mktemp("planar") / "bag"
    robot, start = Planar(), 1000 * SECOND
    with BagWriter(path) as writer:
        types = writer.types.types

        def vector(x=0.0, y=0.0, z=0.0, kind="Vector3"):
            return types[f"geometry_msgs/msg/{kind}"](x, y, z)

        def header(now, frame):
            time = types["builtin_interfaces/msg/Time"](now // SECOND, now % SECOND)
            return types["std_msgs/msg/Header"](time, frame)

        twist = types["geometry_msgs/msg/Twist"]
        upright = types["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0)
        small6, small3 = np.eye(6).ravel() * 1e-4, np.eye(3).ravel() * 1e-6
        for k in range(Planar.STEPS + 1):
            now = start + k * Planar.PERIOD
            if k % 10 == 0:
                speed, rate = min(1.0, 0.05 * (k // 10 + 1)), 0.5 if k >= 300 else 0.0
                command = types["geometry_msgs/msg/TwistStamped"](
                    header(now, "base_link"), twist(vector(speed), vector(z=rate))
                )
                writer.write("/cmd_vel", "geometry_msgs/msg/TwistStamped", now, command)
            if k % 5 == 0:
                odometry = types["nav_msgs/msg/Odometry"](
                    header(now, "odom"),
                    "base_link",
                    types["geometry_msgs/msg/PoseWithCovariance"](
                        types["geometry_msgs/msg/Pose"](vector(kind="Point"), upright), small6
                    ),
                    types["geometry_msgs/msg/TwistWithCovariance"](
                        twist(vector(robot.speed), vector()), small6
                    ),
                )
                writer.write("/wheel", "nav_msgs/msg/Odometry", now, odometry)
            imu = types["sensor_msgs/msg/Imu"](
                header(now, "imu_link"),
                upright,
                np.array([-1.0] + [0.0] * 8),
                vector(z=-robot.rate),
                small3,
                vector(z=9.8),
                small3,
            )
            writer.write("/imu", "sensor_msgs/msg/Imu", now + SECOND // 200, imu)
            if k < Planar.STEPS:
                robot.step(k)
        transform = types["geometry_msgs/msg/TransformStamped"](
            header(start, "/base_link"),
            "imu_link",
            types["geometry_msgs/msg/Transform"](
                vector(0.1), types["geometry_msgs/msg/Quaternion"](1.0, 0.0, 0.0, 0.0)
            ),
        )
        message = types["tf2_msgs/msg/TFMessage"]([transform])
        writer.write("/tf_static", "tf2_msgs/msg/TFMessage", start, message)
    return path, robot.pose


@pytest.fixture
def planar_parameters(tmp_path):
    def planar_parameters(**changes):
        given = {
            "model": "diff_drive",
            "frequency": 50.0,
            "odom0": "wheel",
            "odom0_config": mask("vx"),
            "imu0": "/imu",
            "imu0_config": mask("vyaw"),
        } | changes
        path = tmp_path / "planar.yaml"
        path.write_text(yaml.safe_dump({"ekf_node": {"ros__parameters": given}}))
        return path

    return planar_parameters


def test_a_planar_robot_is_followed_with_wheels_gyro_and_recorded_mounting(
    here, planar, planar_parameters, tmp_path
):
    bag, truth = planar
    done = replay(bag, tmp_path / "out", params=planar_parameters(), run=here)
    end = final(done)
    np.testing.assert_allclose(end[:2], truth[:2], atol=0.02)
    assert end[2] == 0.0
    last = rows(tmp_path / "out")[-1]
    assert 2.0 * math.atan2(last[6], last[7]) == pytest.approx(truth[2], abs=0.01)
    assert last[8] == pytest.approx(1.0, abs=1e-3)
    assert last[13] == pytest.approx(0.5, abs=1e-3)
    assert "dropped" not in done.stderr


def test_commands_carry_the_estimate_between_measurements(
    here, planar, planar_parameters, tmp_path
):
    bag, _ = planar
    quiet = {
        "process_noise_covariance": [1e-9] * 15,
        "initial_estimate_covariance": [1e-9] * 15,
        "odom0_config": mask("vyaw"),
        "use_control": True,
    }
    final(replay(bag, tmp_path / "with", params=planar_parameters(**quiet), run=here))
    final(
        replay(
            bag,
            tmp_path / "without",
            params=planar_parameters(**(quiet | {"use_control": False})),
            run=here,
        )
    )
    assert rows(tmp_path / "with")[-1, 8] == pytest.approx(0.95, abs=1e-3)
    assert rows(tmp_path / "without")[-1, 8] == pytest.approx(0.0, abs=1e-3)
