"""How the robot moves, against its commands and the geometry of its wheels."""

import mujoco
import numpy as np
import pytest

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.simulation.robot import ROBOT_RADIUS, Robot, RobotSettings


def drive(robot, speed, turn_rate, duration):
    for _ in range(round(duration / robot.timestep)):
        robot.step((speed, turn_rate))


def yaw_of(robot):
    return float(rotation.heading(robot.pose[1]))


def slip(robot):
    """Return how much faster the wheels roll than their centres move (2,), in m/s."""
    (vx, _, _), (_, _, vyaw) = robot.twist
    hubs = vx + np.array([-0.5, 0.5]) * robot.wheel_separation * vyaw
    return robot.wheel_rates * robot.wheel_radius - hubs


def test_a_robot_at_rest_stays_where_it_was_put():
    robot = Robot(RobotSettings(), start=(1.0, -2.0, 0.7))
    drive(robot, 0.0, 0.0, 3.0)
    np.testing.assert_allclose(robot.pose[0], [1.0, -2.0, 0.0], atol=1e-4)
    assert yaw_of(robot) == pytest.approx(0.7, abs=1e-6)
    np.testing.assert_allclose(robot.twist, 0.0, atol=1e-6)
    np.testing.assert_allclose(robot.specific_force, [0.0, 0.0, 9.81], atol=0.01)
    assert not robot.touching


def test_it_drives_straight_at_the_speed_commanded():
    robot = Robot(RobotSettings())
    drive(robot, 1.0, 0.0, 1.0)
    before = robot.pose[0]
    drive(robot, 1.0, 0.0, 4.0)
    moved = robot.pose[0] - before
    assert moved[0] == pytest.approx(4.0, rel=0.01)
    assert abs(moved[1]) < 1e-3


@pytest.mark.parametrize("turn_rate", [-1.5, 0.5, 1.5])
def test_it_drives_circles_of_radius_speed_over_turn_rate(turn_rate):
    robot = Robot(RobotSettings())
    drive(robot, 1.0, turn_rate, 2.0)
    at = []
    for _ in range(200):
        drive(robot, 1.0, turn_rate, 0.02)
        at.append(robot.pose[0][:2])
    points = np.array(at)
    # (x - a)² + (y - b)² = R² is linear in a, b and R² - a² - b².
    design = np.column_stack([2.0 * points, np.ones(len(points))])
    a, b, c = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0]
    assert np.sqrt(c + a * a + b * b) == pytest.approx(1.0 / abs(turn_rate), rel=0.02)
    assert robot.twist[1][2] == pytest.approx(turn_rate, rel=0.02)


def test_it_turns_on_the_spot():
    robot = Robot(RobotSettings())
    drive(robot, 0.0, 1.5, 4.0)
    assert np.hypot(*robot.pose[0][:2]) < 0.01
    assert robot.twist[1][2] == pytest.approx(1.5, rel=0.01)


def test_it_accelerates_and_brakes_at_its_limit_and_not_faster():
    robot = Robot(RobotSettings(acceleration=1.0))
    drive(robot, 1.0, 0.0, 0.5)
    assert robot.twist[0][0] == pytest.approx(0.5, abs=0.02)
    assert robot.specific_force[0] == pytest.approx(1.0, abs=0.05)
    drive(robot, 1.0, 0.0, 1.0)
    drive(robot, 0.0, 0.0, 0.5)
    assert robot.twist[0][0] == pytest.approx(0.5, abs=0.02)
    assert robot.specific_force[0] == pytest.approx(-1.0, abs=0.05)


def test_its_speeds_are_limited():
    robot = Robot(RobotSettings(max_speed=0.5, max_turn_rate=0.5))
    drive(robot, 1e9, -1e9, 2.0)
    linear, angular = robot.twist
    assert linear[0] == pytest.approx(0.5, rel=0.01)
    assert angular[2] == pytest.approx(-0.5, rel=0.02)


def test_wheels_do_not_slip_at_one_metre_per_second_squared():
    robot = Robot(RobotSettings(acceleration=1.0))
    worst = 0.0
    for _ in range(50):
        drive(robot, 1.0, 0.0, 0.02)
        worst = max(worst, np.abs(slip(robot)).max())
    assert worst < 0.01


def test_wheels_slip_where_friction_is_too_low_for_the_acceleration():
    robot = Robot(RobotSettings(wheel_friction=0.1, acceleration=2.0))
    drive(robot, 1.5, 0.0, 0.5)
    assert slip(robot).min() > 0.1


def test_a_payload_weighs_on_the_motors():
    lags = []
    for payload in (0.0, 5.0):
        robot = Robot(RobotSettings(payload_mass=payload))
        drive(robot, 1.0, 0.0, 0.4)
        lags.append(0.8 - robot.twist[0][0])
    assert lags[1] > 1.2 * lags[0]


@pytest.mark.parametrize("payload", [0.0, 5.0])
def test_it_stays_level_when_braking_hard(payload):
    robot = Robot(RobotSettings(payload_mass=payload))
    drive(robot, 1.5, 0.0, 1.5)
    for _ in range(40):
        drive(robot, 0.0, 0.0, 0.02)
        _, pitch, _ = rotation.to_rpy(robot.pose[1])
        assert abs(pitch) < 0.01


def test_driving_on_does_not_chatter():
    robot = Robot(RobotSettings())
    drive(robot, 1.0, 1.0, 2.0)
    forces = []
    for _ in range(500):
        robot.step((1.0, 1.0))
        forces.append(robot.specific_force)
    assert np.std(forces, axis=0).max() < 0.005
    np.testing.assert_allclose(np.mean(forces, axis=0), [0.0, 1.0, 9.81], atol=0.03)


def test_it_touches_an_obstacle_in_its_way_and_is_stopped_by_it():
    robot = Robot(RobotSettings(), [[1.0, 0.0, 0.2]])
    drive(robot, 0.5, 0.0, 0.8)
    assert not robot.touching
    drive(robot, 0.5, 0.0, 3.0)
    assert robot.touching
    assert robot.pose[0][0] == pytest.approx(1.0 - 0.2 - ROBOT_RADIUS, abs=0.02)


def test_the_radius_holds_the_whole_robot():
    obstacle_radius, reach = 0.05, []
    for bearing in np.linspace(0.0, 2.0 * np.pi, 36, endpoint=False):
        distance = ROBOT_RADIUS + obstacle_radius + 0.001
        at = distance * np.array([np.cos(bearing), np.sin(bearing)])
        robot = Robot(RobotSettings(payload_mass=1.0), [[*at, obstacle_radius]])
        robot.step((0.0, 0.0))
        reach.append(robot.touching)
    assert not any(reach)


def test_wheel_angles_are_the_path_rolled():
    robot = Robot(RobotSettings())
    drive(robot, 1.0, 0.0, 2.0)
    np.testing.assert_allclose(
        robot.wheel_angles * robot.wheel_radius, robot.pose[0][0], rtol=0.005
    )


def test_time_counts_whole_steps():
    robot = Robot(RobotSettings())
    drive(robot, 0.0, 0.0, 1.0)
    assert robot.time == 500 * robot.timestep


@pytest.mark.parametrize("command", [(np.nan, 0.0), (0.0, np.inf)])
def test_a_command_that_is_not_finite_is_refused(command):
    robot = Robot(RobotSettings())
    with pytest.raises(ValueError, match="finite"):
        robot.step(command)
    assert robot.time == 0.0


@pytest.mark.parametrize(
    ("field", "value"),
    [("wheel_friction", 0.0), ("payload_mass", -1.0), ("acceleration", np.nan)],
)
def test_settings_out_of_range_name_the_field(field, value):
    with pytest.raises(ValueError, match=field):
        RobotSettings(**{field: value})


@pytest.mark.parametrize("obstacle", [[1.0, 0.0, 0.0], [np.nan, 0.0, 0.1]])
def test_an_impossible_obstacle_is_refused(obstacle):
    with pytest.raises(ValueError, match="obstacles"):
        Robot(RobotSettings(), [obstacle])


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="start"):
        Robot(RobotSettings(), start=(0.0, np.nan, 0.0))


def test_the_robot_weighs_ten_kilograms_and_its_payload():
    masses = []
    for payload in (0.0, 3.0):
        robot = Robot(RobotSettings(payload_mass=payload))
        masses.append(mujoco.mj_getTotalmass(robot._model))
    np.testing.assert_allclose(masses, [10.0, 13.0])
