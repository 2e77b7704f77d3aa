"""Every kind of input out of a bag."""

import numpy as np
import pytest
import yaml
from estimating import MS, command, fix, imu, odometry, pose, twist
from replaying import SECOND, final, mask, replay, rows
from typed import for_input, static_transform

from ebm_mpc_ros.estimation.frames import Transform
from ebm_mpc_ros.learning.bags import BagWriter

START = 100 * SECOND
SPEED = 2.0
TOPICS = {
    "odom0": ("/odom", lambda s, t: odometry(s, linear=(SPEED, 0, 0))),
    "pose0": ("/pose", lambda s, t: pose(s, position=(SPEED * t, 0, 0))),
    "twist0": ("/twist", lambda s, t: twist(s, linear=(SPEED, 0, 0), frame="front")),
    "imu0": ("/imu", lambda s, t: imu(s, frame="front")),
    "navsat0": ("/fix", lambda s, t: fix(s, (0.0, np.degrees(SPEED * t / 6378137.0), 0.0))),
    "cmd_vel": ("/cmd_vel", lambda s, t: command(SPEED, 0.0, s)),
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Five seconds straight ahead at 2 m/s, at the equator towards the east."""
    path = tmp_path_factory.mktemp("inputs") / "bag"
    with BagWriter(path) as writer:
        front = static_transform("base_link", "front", Transform.from_rpy([1, 0, 0, 0, 0, 0]))
        writer.write("/tf_static", "tf2_msgs/msg/TFMessage", START, front)
        for k in range(251):
            now = START + k * 20 * MS
            for name, (topic, made) in TOPICS.items():
                message = for_input(name, made(now, 0.02 * k))
                writer.write(topic, message.__msgtype__, now, message)
    return path


@pytest.fixture
def parameters(tmp_path):
    """Write a parameter file of some inputs."""

    def written(*names, **more):
        masks = {
            "odom0": mask("vx"),
            "pose0": mask("x", "y", "z"),
            "twist0": mask("vx", "vy", "vz"),
            "imu0": mask("vroll", "vpitch", "vyaw"),
            "navsat0": mask("x", "y", "z"),
        }
        given = {name: TOPICS[name][0] for name in names}
        given |= {f"{name}_config": masks[name] for name in names} | more
        path = tmp_path / "parameters.yaml"
        path.write_text(yaml.safe_dump({"ekf_node": {"ros__parameters": given}}))
        return path

    return written


@pytest.mark.parametrize("name", ["odom0", "pose0", "twist0", "navsat0"])
def test_an_input_alone_leads_to_the_end(here, bag, tmp_path, parameters, name):
    done = replay(bag, tmp_path / "out", params=parameters(name), run=here)
    np.testing.assert_allclose(final(done), [10, 0, 0], atol=0.2)
    assert rows(tmp_path / "out")[-1, 8] == pytest.approx(SPEED, abs=0.5)
    assert f"{name}: " in done.stderr
    assert "dropped" not in done.stderr


def test_all_of_them_together(here, bag, tmp_path, parameters):
    names = ["odom0", "pose0", "twist0", "imu0", "navsat0"]
    control = {
        "use_control": True,
        "control_config": [True] + [False] * 5,
        "stamped_control": True,
        "world_frame": "map",
        "static_transforms": ["map odom 0 0 0 0 0 0"],
    }
    done = replay(bag, tmp_path / "out", params=parameters(*names, **control), run=here)
    np.testing.assert_allclose(final(done), [10, 0, 0], atol=0.1)
    for name in names:
        assert f"\n{name}: " in f"\n{done.stderr}"
    assert "its antenna is taken to be at base_link" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("odom0", "nav_msgs/msg/Odometry"),
        ("pose0", "geometry_msgs/msg/PoseWithCovarianceStamped"),
        ("twist0", "geometry_msgs/msg/TwistWithCovarianceStamped"),
        ("imu0", "sensor_msgs/msg/Imu"),
        ("navsat0", "sensor_msgs/msg/NavSatFix"),
    ],
)
def test_a_topic_of_another_type_is_named(mistaken, bag, tmp_path, parameters, name, wanted):
    params = parameters(name, **{name: "/tf_static"})
    line = mistaken(bag, tmp_path / "out", params=params)
    assert f"/tf_static is tf2_msgs/msg/TFMessage in the bag: must be {wanted}" in line


def test_commands_of_another_type_are_named(mistaken, tmp_path, parameters):
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        message = for_input("odom0", odometry(START))
        for topic in ("/odom", "/cmd_vel"):
            writer.write(topic, message.__msgtype__, START, message)
    params = parameters("odom0", use_control=True, model="diff_drive")
    line = mistaken(path, tmp_path / "out", params=params)
    assert "/cmd_vel is nav_msgs/msg/Odometry in the bag: must be geometry_msgs/msg/Twist" in line


def test_parameters_are_needed(here, bag, tmp_path):
    done = here("replay", bag, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--params FILE is needed: the parameters of ekf_node" in done.stderr
    assert not (tmp_path / "out").exists()


def test_late_odometry_is_put_in_its_place(here, tmp_path, parameters):
    def end(name, late, **more):
        path = tmp_path / name
        with BagWriter(path) as writer:
            for k in range(200):
                now = START + k * 20 * MS
                speed = for_input("odom0", odometry(now, linear=(SPEED * (k % 50 < 25), 0, 0)))
                gyro = for_input("imu0", imu(now, angular=(0, 0, 0.5), frame="base_link"))
                writer.write("/odom", speed.__msgtype__, now + late, speed)
                writer.write("/imu", gyro.__msgtype__, now, gyro)
        params = parameters("odom0", "imu0", **more)
        final(replay(path, tmp_path / f"{name}_out", params=params, run=here))
        return rows(tmp_path / f"{name}_out")[-1]

    again = {"permit_corrected_publication": True}
    smooth = {"smooth_lagged_data": True, "history_length": 1.0} | again
    prompt = end("prompt", 0, **smooth)
    np.testing.assert_allclose(end("late", 300 * MS, **smooth), prompt, atol=1e-8)
    assert not np.allclose(end("rough", 300 * MS, **again)[1:], prompt[1:], atol=1e-3)
