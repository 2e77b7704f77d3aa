"""`python -m ebm_mpc_ros replay`, run as a person runs it."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Ros1Writer

from ebm_mpc_ros.__main__ import main
from ebm_mpc_ros.learning.bags import BagWriter, open_bag
from ebm_mpc_ros.models import CANONICAL_STATES

ROOT = Path(__file__).parents[2]
HUSKY = ROOT / "test" / "data" / "husky.bag"
CONFIG = ROOT / "config" / "husky.yaml"
TARGET = (-40.0454, -76.9988, -2.6974)
COLUMNS = "stamp,x,y,z,qx,qy,qz,qw,vx,vy,vz,wx,wy,wz"
SECOND = 1_000_000_000
STATES = [
    "x",
    "y",
    "z",
    "roll",
    "pitch",
    "yaw",
    "vx",
    "vy",
    "vz",
    "vroll",
    "vpitch",
    "vyaw",
    "ax",
    "ay",
    "az",
]


def mask(*names):
    return [state in names for state in CANONICAL_STATES]


def tool(*arguments):
    """Run `python -m ebm_mpc_ros` with these arguments."""
    command = [sys.executable, "-m", "ebm_mpc_ros", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def replay(bag, out, *arguments, params=CONFIG, run=tool):
    return run("replay", bag, "--params", params, "--out", out, *arguments)


def final(done):
    """Return the last pose of a replay that went well."""
    assert done.returncode == 0, done.stderr
    word, *numbers = done.stdout.split()
    assert word == "final:"
    assert done.stdout == f"final: {' '.join(numbers)}\n"
    return np.array(numbers, dtype=float)


def refused(done):
    """Return the one line said by a replay that went wrong."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    return line


def rows(out):
    with (out / "estimate.csv").open(newline="") as file:
        header, *found = csv.reader(file)
    assert ",".join(header) == COLUMNS
    return np.array(found, dtype=float)


@pytest.fixture
def here(capfd):
    """Like `tool`, but in this process, which is faster."""

    def here(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return here


@pytest.fixture
def mistaken(here):
    """Replay, and return what is said of the mistake."""

    def mistaken(*arguments, **changes):
        return refused(replay(*arguments, run=here, **changes))

    return mistaken


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The first five seconds of the Husky's bag."""
    path = tmp_path_factory.mktemp("bags") / "short.bag"
    with AnyReader([HUSKY]) as reader, Ros1Writer(path) as writer:
        connections = {
            c.id: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore)
            for c in reader.connections
        }
        stop = reader.start_time + 5 * SECOND
        for connection, time, raw in reader.messages(stop=stop):
            writer.write(connections[connection.id], time, raw)
    return path


@pytest.fixture
def configured(tmp_path):
    """Write husky.yaml with changes and return its path; None takes a parameter out."""

    def configured(node="/**/ekf_node", **changes):
        given = yaml.safe_load(CONFIG.read_text())["/**/ekf_node"]["ros__parameters"] | changes
        given = {name: value for name, value in given.items() if value is not None}
        path = tmp_path / "changed.yaml"
        path.write_text(yaml.safe_dump({node: {"ros__parameters": given}}))
        return path

    return configured


# The real robot


def test_the_husky_ends_where_robot_localization_has_it(tmp_path):
    end = final(replay(HUSKY, tmp_path))
    assert np.linalg.norm(end - TARGET) < 1.05
    table = rows(tmp_path)
    np.testing.assert_allclose(table[-1, 1:4], end, atol=1e-4)
    assert np.isfinite(table).all()
    assert (np.diff(table[:, 0]) > 0.0).all()
    np.testing.assert_allclose(np.linalg.norm(table[:, 4:8], axis=1), 1.0, atol=1e-6)


# What is written


def test_two_runs_give_the_same_bytes_and_the_second_replaces_the_first(short, tmp_path):
    out = tmp_path / "deep" / "out"
    ends, files = [], []
    for _ in range(2):
        ends.append(final(replay(short, out)))
        files.append((out / "estimate.csv").read_bytes())
    np.testing.assert_array_equal(*ends)
    assert files[0] == files[1]
    assert sorted(path.name for path in out.iterdir()) == [
        "estimate",
        "estimate.csv",
        "estimate.png",
    ]
    assert (out / "estimate.png").read_bytes().startswith(b"\x89PNG")


def test_the_bag_written_holds_what_the_table_holds(here, short, tmp_path):
    final(replay(short, tmp_path, run=here))
    table = rows(tmp_path)
    assert len(table) > 120
    assert list((tmp_path / "estimate").glob("*.mcap"))
    with open_bag(tmp_path / "estimate") as bag:
        assert list(bag.topics) == ["/odometry/filtered"]
        found = [message for _, _, message in bag.messages(["/odometry/filtered"])]
    assert len(found) == len(table)
    for row, message in zip(table, found, strict=True):
        stamp = message.header.stamp
        pose, twist = message.pose.pose, message.twist.twist
        numbers = [stamp.sec + stamp.nanosec * 1e-9]
        numbers += [getattr(pose.position, axis) for axis in "xyz"]
        numbers += [getattr(pose.orientation, axis) for axis in "xyzw"]
        numbers += [getattr(twist.linear, axis) for axis in "xyz"]
        numbers += [getattr(twist.angular, axis) for axis in "xyz"]
        np.testing.assert_allclose(numbers, row, atol=1e-8, rtol=1e-12)
    assert (message.header.frame_id, message.child_frame_id) == ("odom", "base_link")
    for covariance in (message.pose.covariance, message.twist.covariance):
        square = covariance.reshape(6, 6)
        np.testing.assert_allclose(square, square.T)
        assert np.linalg.eigvalsh(square).min() > 0.0


def test_nothing_but_the_result_goes_to_stdout(here, short, tmp_path):
    done = replay(short, tmp_path, run=here)
    final(done)
    assert "imu0: " in done.stderr
    assert "estimate.csv" in done.stderr


# Parameters and transforms


def test_a_static_transform_overrides_the_files(here, short, tmp_path):
    straight = final(replay(short, tmp_path / "a", run=here))
    same = "base_link imu_link 0 -0.3 0.52 1.5707963267948966 0 -1.5707963267948966"
    turned = "base_link imu_link 0 0 0 0 0 0"
    again = final(replay(short, tmp_path / "b", "--static-transform", same, run=here))
    np.testing.assert_array_equal(again, straight)
    first, second = (rows(tmp_path / name)[-1] for name in "ab")
    np.testing.assert_array_equal(first, second)
    final(replay(short, tmp_path / "c", "--static-transform", turned, run=here))
    assert not np.allclose(rows(tmp_path / "c")[-1, 4:8], first[4:8], atol=0.1)


def test_without_a_transform_the_imu_is_dropped_and_that_is_said(here, short, tmp_path, configured):
    done = replay(short, tmp_path / "out", params=configured(static_transforms=None), run=here)
    final(done)
    assert "of imu0 (/imu/data): no transform from 'imu_link' to 'base_link'" in done.stderr


def test_robot_localizations_own_file_of_another_node_is_read(here, short, tmp_path, configured):
    params = configured(
        node="ekf_localization_node",
        static_transforms=None,
        model=None,
        smooth_lagged_data=False,
        process_noise_covariance=[float(v) for v in np.diag(np.full(15, 0.05)).ravel()],
    )
    mounting = "base_link imu_link 0 -0.3 0.52 1.5707963267948966 0 -1.5707963267948966"
    done = replay(
        short,
        tmp_path / "out",
        *("--node", "ekf_localization_node", "--static-transform", mounting),
        params=params,
        run=here,
    )
    final(done)
    assert "unknown parameter smooth_lagged_data" in done.stderr
    assert "dropped" not in done.stderr


def test_two_inputs_may_share_a_topic(here, short, tmp_path, configured):
    twice = configured(odom1="/husky_velocity_controller/odom", odom1_config=mask("vyaw"))
    done = replay(short, tmp_path / "out", params=twice, run=here)
    final(done)
    assert "odom0: " in done.stderr
    assert "odom1: " in done.stderr


# Mistakes


def test_a_missing_bag(tmp_path):
    line = refused(replay(tmp_path / "none.bag", tmp_path / "out"))
    assert line.endswith("none.bag: no such bag")


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_truncated_bag(mistaken, short, tmp_path, share):
    cut = tmp_path / "cut.bag"
    cut.write_bytes(short.read_bytes()[: int(share * short.stat().st_size)])
    assert "cut.bag: can't be read as a bag" in mistaken(cut, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_topic(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(odom0="/wheels"))
    assert "short.bag: no topic /wheels; it has /fix" in line


def test_a_topic_of_another_type(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(odom0="/imu/data"))
    assert "/imu/data is sensor_msgs/msg/Imu in the bag: must be nav_msgs/msg/Odometry" in line


def test_a_wrong_parameter_value(mistaken, short, tmp_path, configured):
    line = mistaken(short, tmp_path / "out", params=configured(frequency=-30.0))
    assert "parameter frequency = -30.0: must be a number above 0" in line


def test_a_wrong_static_transform_in_the_file(mistaken, short, tmp_path, configured):
    params = configured(static_transforms=["base_link imu_link 0 0"])
    assert "'base_link imu_link 0 0'" in mistaken(short, tmp_path / "out", params=params)


def test_a_missing_parameter_file(mistaken, short, tmp_path):
    line = mistaken(short, tmp_path / "out", params=tmp_path / "none.yaml")
    assert line.endswith("none.yaml: No such file or directory")


def test_a_node_that_is_not_in_the_file(mistaken, short, tmp_path):
    line = mistaken(short, tmp_path / "out", "--node", "ukf_node")
    assert "no parameters for node 'ukf_node'; it has /**/ekf_node" in line


@pytest.mark.parametrize("text", ["base_link imu_link 1 2 3", "a b 0 0 0 0 0 x", ""])
def test_a_bad_static_transform(mistaken, short, tmp_path, text):
    line = mistaken(short, tmp_path / "out", "--static-transform", text)
    assert f"--static-transform: static transform {text!r}: must be 'PARENT CHILD X Y Z" in line


def test_a_folder_that_can_not_be_written_to(mistaken, short, tmp_path):
    (tmp_path / "file").write_text("")
    assert "--out" in mistaken(short, tmp_path / "file")
    assert "--out" in mistaken(short, tmp_path / "file" / "out")


def test_a_bag_of_which_nothing_can_be_used(here, short, tmp_path, configured):
    params = configured(
        odom0=None, odom0_config=None, odom0_queue_size=None, static_transforms=None
    )
    for name in ("differential", "relative"):
        text = params.read_text().replace(f"    odom0_{name}: false\n", "")
        params.write_text(text)
    done = replay(short, tmp_path / "out", params=params, run=here)
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert "no transform from 'imu_link' to 'base_link'" in first
    assert last.endswith("short.bag: no message could be used, so there is no estimate")


def test_no_arguments_and_help():
    nothing = tool()
    assert nothing.returncode == 2
    assert "NAME" in nothing.stderr
    overview, own = tool("--help"), tool("replay", "--help")
    assert overview.returncode == own.returncode == 0
    assert "replay" in overview.stdout
    assert "--static-transform" in own.stdout
    assert tool("nonsense").returncode == 2
    assert tool("replay").returncode == 2


# A planar robot: wheels, a gyro and commands in a ROS 2 bag


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
    }
    final(replay(bag, tmp_path / "with", params=planar_parameters(**quiet), run=here))
    final(
        replay(
            bag,
            tmp_path / "without",
            params=planar_parameters(use_control=False, **quiet),
            run=here,
        )
    )
    assert rows(tmp_path / "with")[-1, 8] == pytest.approx(0.95, abs=1e-3)
    assert rows(tmp_path / "without")[-1, 8] == pytest.approx(0.0, abs=1e-3)


def test_brackets_in_names_are_shown_as_they_are(here, short, tmp_path, configured):
    params = configured(**{"[/red]:joy:": 1})
    done = replay(short, tmp_path / "out", params=params, run=here)
    final(done)
    assert "unknown parameter [/red]:joy:" in done.stderr
