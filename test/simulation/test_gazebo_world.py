"""Gazebo's robot and world: the same as MuJoCo's, valid SDF, plugins that exist."""

import ctypes.util
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import mujoco
import numpy as np
import pytest
import yaml

from ebm_mpc_ros.resources import share_directory
from ebm_mpc_ros.simulation.courses import course_names, load_course
from ebm_mpc_ros.simulation.gazebo import compose_world
from ebm_mpc_ros.simulation.robot import RobotSettings
from ebm_mpc_ros.simulation.sensors import SensorSettings

WORLDS = share_directory() / "worlds"
CONFIG = share_directory() / "config"
# gz-sim 8: CMakeLists.txt and GZ_ADD_PLUGIN_ALIAS of src/systems, and what stands in a world and
# what in a model.
SYSTEMS = {
    "gz-sim-physics-system": ("gz::sim::systems::Physics", "world"),
    "gz-sim-user-commands-system": ("gz::sim::systems::UserCommands", "world"),
    "gz-sim-scene-broadcaster-system": ("gz::sim::systems::SceneBroadcaster", "world"),
    "gz-sim-imu-system": ("gz::sim::systems::Imu", "world"),
    "gz-sim-diff-drive-system": ("gz::sim::systems::DiffDrive", "model"),
    "gz-sim-odometry-publisher-system": ("gz::sim::systems::OdometryPublisher", "model"),
}
# The tags that these plugins read.
TAGS = {
    "gz-sim-diff-drive-system": {
        *("left_joint", "right_joint", "wheel_separation", "wheel_radius"),
        *(
            f"{end}_{kind}_{what}"
            for end in ("min", "max")
            for kind in ("linear", "angular")
            for what in ("velocity", "acceleration", "jerk")
        ),
        *("odom_publish_frequency", "topic", "odom_topic", "tf_topic", "frame_id"),
        "child_frame_id",
    },
    "gz-sim-odometry-publisher-system": {
        *("odom_publish_frequency", "odom_topic", "odom_covariance_topic", "tf_topic"),
        *("odom_frame", "robot_base_frame", "dimensions", "xyz_offset", "rpy_offset"),
        "gaussian_noise",
    },
}
# ros_gz_bridge on Jazzy: what Gazebo publishes or reads on the topic named in a tag.
CARRIED = {
    ("gz-sim-diff-drive-system", "topic"): ("gz.msgs.Twist", "ROS_TO_GZ"),
    ("gz-sim-diff-drive-system", "odom_topic"): ("gz.msgs.Odometry", "GZ_TO_ROS"),
    ("gz-sim-odometry-publisher-system", "odom_topic"): ("gz.msgs.Odometry", "GZ_TO_ROS"),
}
MAPPED = {
    "gz.msgs.Clock": {"rosgraph_msgs/msg/Clock"},
    "gz.msgs.IMU": {"sensor_msgs/msg/Imu"},
    "gz.msgs.Odometry": {"nav_msgs/msg/Odometry"},
    "gz.msgs.Twist": {"geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"},
}

SENSORS, LIMITS = SensorSettings(), RobotSettings()


def parsed(text):
    return ET.fromstring(text)  # noqa: S314  our own files


@pytest.fixture(scope="module")
def model():
    return parsed((WORLDS / "diff_drive.sdf").read_text()).find("model")


@pytest.fixture(scope="module")
def plant():
    return mujoco.MjModel.from_xml_path(str(WORLDS / "diff_drive.xml"))


def numbers(element, path):
    return [float(word) for word in element.findtext(path).split()]


def named(element, tag, name):
    return next(one for one in element.iter(tag) if one.get("name") == name)


def plugin(element, filename):
    return next(one for one in element.iter("plugin") if one.get("filename") == filename)


def size(geometry):
    """Half sizes, or the radius, as MuJoCo has them."""
    if geometry.find("box") is not None:
        return [0.5 * v for v in numbers(geometry, "box/size")]
    if geometry.find("sphere") is not None:
        return [*numbers(geometry, "sphere/radius"), 0.0, 0.0]
    radius, length = numbers(geometry, "cylinder/radius"), numbers(geometry, "cylinder/length")
    return [radius[0], radius[0], 0.5 * length[0]]


@pytest.mark.parametrize("name", ["chassis", "bumper", "caster", "left_wheel", "right_wheel"])
def test_shapes_have_the_size_and_the_place_of_mujocos(model, plant, name):
    shape = plant.geom(name)
    place = plant.body(shape.bodyid[0]).pos if name.endswith("wheel") else shape.pos
    link = named(model, "link", name if name.endswith("wheel") else "base_link")
    for kind in ("collision", "visual"):
        body = named(link, kind, f"{name}_{kind}")
        np.testing.assert_allclose(size(body.find("geometry")), shape.size)
        pose = numbers(link if name.endswith("wheel") else body, "pose")
        np.testing.assert_allclose(pose[:3], place, atol=1e-12)
        turned = [np.pi / 2 if name.endswith("wheel") else 0.0, 0.0, 0.0]
        np.testing.assert_allclose(numbers(body, "pose")[3:], turned)


@pytest.mark.parametrize("name", ["base_link", "left_wheel", "right_wheel"])
def test_masses_and_inertias_are_mujocos(model, plant, name):
    body, inertial = plant.body(name), named(model, "link", name).find("inertial")
    assert numbers(inertial, "mass") == body.mass
    pose = numbers(inertial, "pose") if inertial.find("pose") is not None else np.zeros(6)
    np.testing.assert_allclose(pose[:3], body.ipos)
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, body.iquat)
    turn = turn.reshape(3, 3)
    ours = np.zeros((3, 3))
    for i, a in enumerate("xyz"):
        for j, b in enumerate("xyz"):
            ours[i, j] = numbers(inertial, f"inertia/i{min(a, b)}{max(a, b)}")[0]
    np.testing.assert_allclose(ours, turn @ np.diag(body.inertia) @ turn.T, atol=1e-12)


def test_frictions_and_torques_are_mujocos(model, plant):
    for side in ("left", "right"):
        ode = named(model, "link", f"{side}_wheel").find("collision/surface/friction/ode")
        assert numbers(ode, "mu") == numbers(ode, "mu2") == [LIMITS.wheel_friction]
        assert plant.geom(f"{side}_wheel").friction[0] == LIMITS.wheel_friction
        joint = named(model, "joint", f"{side}_wheel_joint")
        assert numbers(joint, "axis/limit/effort") == [plant.actuator(0).forcerange[1]]
        np.testing.assert_array_equal(numbers(joint, "axis/xyz"), plant.jnt_axis[1])
        assert joint.findtext("child") == f"{side}_wheel"
    caster = named(model, "collision", "caster_collision").find("surface/friction/ode")
    assert numbers(caster, "mu") == numbers(caster, "mu2") == [0.0]
    assert plant.geom("caster").condim == 1


def test_the_base_has_the_geometry_and_the_limits_of_the_simulations(model, plant):
    base = plugin(model, "gz-sim-diff-drive-system")
    apart = plant.body("left_wheel").pos[1] - plant.body("right_wheel").pos[1]
    assert numbers(base, "wheel_separation") == [apart]
    assert numbers(base, "wheel_radius") == [plant.geom("left_wheel").size[0]]
    for tag, bound in (
        ("linear_velocity", LIMITS.max_speed),
        ("angular_velocity", LIMITS.max_turn_rate),
        ("linear_acceleration", LIMITS.acceleration),
        ("angular_acceleration", LIMITS.angular_acceleration),
    ):
        assert numbers(base, f"min_{tag}") == [-bound]
        assert numbers(base, f"max_{tag}") == [bound]
    assert [base.findtext(f"{side}_joint") for side in ("left", "right")] == [
        "left_wheel_joint",
        "right_wheel_joint",
    ]
    assert numbers(base, "odom_publish_frequency") == [SENSORS.odometry_rate]


def test_the_controllers_ask_for_no_more_than_the_base_can_do():
    for node, section in yaml.safe_load((CONFIG / "diff_drive.yaml").read_text()).items():
        given = section["ros__parameters"]
        if "max_speed" in given:
            assert given["max_speed"] <= LIMITS.max_speed, node
            assert given["max_yaw_rate"] <= LIMITS.max_turn_rate, node
            assert given["max_deceleration"] <= LIMITS.acceleration, node


def test_the_imu_has_the_rate_and_the_errors_of_the_simulations(model):
    imu = named(model, "sensor", "imu")
    assert numbers(imu, "update_rate") == [SENSORS.imu_rate]
    assert imu.findtext("imu/enable_orientation") == "false"
    for tag, sigma, bias in (
        ("angular_velocity", SENSORS.gyro_sigma, SENSORS.gyro_bias),
        ("linear_acceleration", SENSORS.accelerometer_sigma, SENSORS.accelerometer_bias),
    ):
        for axis in "xyz":
            noise = imu.find(f"imu/{tag}/{axis}/noise")
            assert noise.get("type") == "gaussian"
            assert numbers(noise, "stddev") == [sigma]
            assert numbers(noise, "bias_mean") == [bias]


def test_the_step_is_mujocos_and_the_periods_of_all_sensors_are_whole_steps(model, plant):
    root = parsed((WORLDS / "gazebo.sdf").read_text())
    step = numbers(root, "world/physics/max_step_size")[0]
    assert step == plant.opt.timestep
    np.testing.assert_array_equal(numbers(root, "world/gravity"), plant.opt.gravity)
    rates = [float(one.text) for one in model.iter("odom_publish_frequency")]
    rates += [float(one.text) for one in model.iter("update_rate")]
    for rate in rates:
        steps = 1.0 / (rate * step)
        assert steps == pytest.approx(round(steps))


def test_the_variances_for_the_estimator_are_those_of_the_sensors():
    given = yaml.safe_load((CONFIG / "gazebo.yaml").read_text())
    ekf = given["/**/ekf_node"]["ros__parameters"]
    assert ekf["imu0_variance"][11] == pytest.approx(SENSORS.gyro_sigma**2 + SENSORS.gyro_bias**2)
    robot = yaml.safe_load((CONFIG / "diff_drive.yaml").read_text())["/**/ekf_node"]
    for name in ("odom0", "imu0"):
        mask = robot["ros__parameters"][f"{name}_config"]
        assert [variance > 0.0 for variance in ekf[f"{name}_variance"]] == mask
    # Nothing else: the robot is the same.
    assert set(ekf) == {"odom0_variance", "imu0_variance"}
    assert len(given) == 1


def test_plugins_and_their_tags_are_gazebos():
    world = parsed(compose_world(load_course("slalom"))).find("world")
    robot = named(world, "model", "diff_drive")
    found = {}
    for parent, where in ((world, "world"), (robot, "model")):
        for one in parent.findall("plugin"):
            found[one.get("filename")] = (one.get("name"), where)
            assert {tag.tag for tag in one} <= TAGS.get(one.get("filename"), set())
    assert found == SYSTEMS


@pytest.mark.parametrize("namespace", ["", "robot1", "/robot1/"])
def test_the_bridge_carries_every_topic_of_the_robot_in_its_type_and_direction(namespace):
    world = parsed(compose_world(load_course("slalom"), namespace)).find("world")
    expected = {"/clock": ("gz.msgs.Clock", "GZ_TO_ROS")}
    for (filename, tag), carried in CARRIED.items():
        expected[plugin(world, filename).findtext(tag)] = carried
    expected[next(world.iter("sensor")).findtext("topic")] = ("gz.msgs.IMU", "GZ_TO_ROS")
    bridged = {}
    for entry in yaml.safe_load((CONFIG / "gazebo_bridge.yaml").read_text()):
        name = entry["gz_topic_name"]
        # As the bridge expands names in its namespace.
        prefix = f"/{namespace.strip('/')}" if namespace else ""
        absolute = name if name.startswith("/") else f"{prefix}/{name}"
        bridged[absolute] = (entry["gz_type_name"], entry["direction"])
        assert entry["ros_topic_name"] == name
        assert entry["ros_type_name"] in MAPPED[entry["gz_type_name"]]
        assert len(entry) == 5
    assert bridged == expected


@pytest.mark.parametrize("name", course_names())
def test_the_robot_and_the_obstacles_stand_where_the_course_has_them(name):
    course = load_course(name)
    world = parsed(compose_world(course)).find("world")
    x, y, yaw = course.start
    assert numbers(named(world, "model", "diff_drive"), "pose") == [x, y, 0.0, 0.0, 0.0, yaw]
    obstacles = named(world, "model", "obstacles")
    assert obstacles.findtext("static") == "true"
    for kind in ("collision", "visual"):
        cylinders = [
            (*numbers(body, "pose")[:2], *numbers(body, "geometry/cylinder/radius"))
            for body in obstacles.iter(kind)
        ]
        np.testing.assert_array_equal(cylinders, course.obstacles)
    for body in obstacles.iter("collision"):
        assert numbers(body, "pose")[2] == 0.5 * numbers(body, "geometry/cylinder/length")[0]


def checker():
    """Return the command that checks an SDF file, None where none is here."""
    if tool := shutil.which("gz"):
        return [tool, "sdf", "-k"]
    for version in (16, 15, 14, 13, 12):
        if library := ctypes.util.find_library(f"sdformat{version}"):
            call = f"ctypes.CDLL({library!r}).cmdCheck(sys.argv[1].encode())"
            return [sys.executable, "-c", f"import ctypes, sys; sys.exit({call} != 0)"]
    return None


def check(path):
    return subprocess.run([*checker(), str(path)], capture_output=True, text=True, check=False)


@pytest.mark.skipif(checker() is None, reason="no sdformat here")
@pytest.mark.parametrize("name", course_names())
def test_sdformat_finds_the_world_valid(name, tmp_path):
    path = tmp_path / "world.sdf"
    path.write_text(compose_world(load_course(name), "robot1"))
    done = check(path)
    assert done.returncode == 0, done.stderr
    assert "Valid." in done.stdout
    assert "Error" not in done.stderr
    # The frame of a sensor is Gazebo's tag, not the format's.
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert all("gz_frame_id" in line for line in warnings), done.stderr


@pytest.mark.skipif(checker() is None, reason="no sdformat here")
def test_sdformat_would_find_a_mistake(tmp_path):
    path = tmp_path / "world.sdf"
    path.write_text(compose_world(load_course("slalom")).replace("<ixx>0.05<", "<ixx>-0.05<"))
    done = check(path)
    assert done.returncode != 0 or "Error" in done.stderr
