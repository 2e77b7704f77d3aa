"""The simulation's clockwork: rates, timeout, repeatability, contact."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.simulation.courses import Course, course_names, load_course
from ebm_mpc_ros.simulation.robot import RobotSettings
from ebm_mpc_ros.simulation.sensors import Imu, Odometry, SensorSettings
from ebm_mpc_ros.simulation.simulation import GroundTruth, Simulation, SimulationSettings


def straight(obstacles=()):
    return Course(
        name="straight",
        points=np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.0]]),
        closed=False,
        obstacles=np.array(obstacles, dtype=float).reshape(-1, 3),
        half_width=1.0,
        speed=1.0,
    )


def run(simulation, duration, speed=None, turn_rate=0.0):
    """Run on, with a command at 50 Hz where a speed is given, and return the samples."""
    samples = []
    for k in range(round(duration / simulation.robot.timestep)):
        if speed is not None and k % 10 == 0:
            simulation.command(speed, turn_rate)
        samples += simulation.step()
    return samples


def of(kind, samples):
    return [s for s in samples if isinstance(s, kind)]


@pytest.mark.parametrize(("kind", "rate"), [(Imu, 100), (Odometry, 50), (GroundTruth, 50)])
def test_each_sensor_keeps_its_rate_exactly(kind, rate):
    stamps = [s.stamp for s in of(kind, run(Simulation(straight(), 1), 2.0))]
    np.testing.assert_allclose(stamps, np.arange(1, 2 * rate + 1) / rate, rtol=0, atol=1e-12)


def test_a_rate_that_does_not_divide_the_steps_is_refused():
    settings = SimulationSettings(sensors=SensorSettings(imu_rate=300.0))
    with pytest.raises(ValueError, match="imu_rate is 300"):
        Simulation(straight(), 1, settings)


def test_equal_seeds_and_commands_give_equal_bits():
    def bits(seed):
        samples = run(Simulation(load_course("figure_eight"), seed), 1.0, 1.0, 0.8)
        imu, odometry = of(Imu, samples), of(Odometry, samples)
        return (
            b"".join(s.angular_velocity.tobytes() + s.specific_force.tobytes() for s in imu),
            b"".join(s.pose.tobytes() + s.twist.tobytes() for s in odometry),
        )

    first, again, other = bits(3), bits(3), bits(4)
    assert first == again
    assert first[0] != other[0]


def test_the_base_begins_to_brake_within_the_timeout_and_stands_in_speed_over_deceleration():
    simulation = Simulation(straight(), 1)
    run(simulation, 1.5, 1.0)
    simulation.command(1.0, 0.0)
    run(simulation, 0.198)
    assert simulation.robot.twist[0][0] > 0.99
    run(simulation, 0.004)
    assert simulation.robot.specific_force[0] < -0.3
    run(simulation, 0.5 - 0.002)
    # The servos follow their reference by a few milliseconds.
    run(simulation, 0.03)
    assert abs(simulation.robot.twist[0][0]) < 0.005
    run(simulation, 1.0)
    assert np.abs(simulation.robot.twist).max() < 1e-4


def test_a_command_within_the_timeout_keeps_the_speed():
    simulation = Simulation(straight(), 1)
    run(simulation, 1.0, 1.0)
    for _ in range(5):
        simulation.command(1.0, 0.0)
        run(simulation, 0.2)
        assert simulation.robot.twist[0][0] > 0.99


def test_commands_that_are_not_finite_are_refused_and_counted_and_do_not_put_off_the_timeout():
    simulation = Simulation(straight(), 1)
    run(simulation, 1.0, 1.0)
    for _ in range(50):
        assert not simulation.command(math.nan, 0.0)
        assert not simulation.command(1.0, math.inf)
        run(simulation, 0.02)
    assert simulation.refused_commands == 100
    assert abs(simulation.robot.twist[0][0]) < 1e-3


def test_contact_with_an_obstacle_is_in_the_truth():
    simulation = Simulation(straight([[1.0, 0.0, 0.2]]), 1)
    truth = of(GroundTruth, run(simulation, 3.0, 0.5))
    touched = [t.touching for t in truth]
    assert not any(touched[:40])
    assert all(touched[-10:])
    away = of(GroundTruth, run(simulation, 1.0, -0.5))
    assert not any(t.touching for t in away[-10:])


def test_a_contact_between_two_samples_is_not_lost():
    simulation = Simulation(straight([[1.0, 0.0, 0.2]]), 1, SimulationSettings(truth_rate=1.0))
    run(simulation, 2.0, 0.5)
    assert simulation.robot.touching
    backwards = of(GroundTruth, run(simulation, 1.0, -0.5))
    assert not simulation.robot.touching
    assert backwards[-1].touching


def test_a_robot_at_rest_reads_gravity_and_no_motion():
    samples = run(Simulation(straight(), 1), 5.0)
    force = np.mean([s.specific_force for s in of(Imu, samples)], axis=0)
    np.testing.assert_allclose(force, [0.0, 0.0, 9.81], atol=0.08)
    assert all((s.twist == 0.0).all() for s in of(Odometry, samples))


def test_the_gyro_reads_the_turn_rate():
    samples = of(Imu, run(Simulation(straight(), 1), 4.0, 0.5, 1.0))[100:]
    rates = np.array([s.angular_velocity for s in samples])
    np.testing.assert_allclose(rates.mean(axis=0), [0.0, 0.0, 1.0], atol=0.012)


def test_the_raw_odometry_drifts_by_the_scale_errors():
    samples = run(Simulation(straight(), 1), 5.0, 1.0)
    raw, true = of(Odometry, samples)[-1], of(GroundTruth, samples)[-1]
    drift = raw.pose[2] - float(rotation.heading(true.orientation))
    assert drift == pytest.approx(-0.02 * true.position[0] / 0.34, rel=0.02)


@pytest.mark.parametrize("name", course_names())
def test_robot_and_odometry_begin_on_the_start_of_the_course(name):
    course = load_course(name)
    samples = run(Simulation(course, 1), 0.02)
    truth, raw = of(GroundTruth, samples)[0], of(Odometry, samples)[0]
    np.testing.assert_allclose(truth.position[:2], course.start[:2], atol=1e-4)
    assert float(rotation.heading(truth.orientation)) == pytest.approx(course.start[2], abs=1e-4)
    np.testing.assert_allclose(raw.pose, course.start, atol=1e-9)
    assert not truth.touching


def test_the_robot_is_the_one_of_the_settings():
    heavy = SimulationSettings(robot=RobotSettings(acceleration=0.5))
    simulation = Simulation(straight(), 1, heavy)
    run(simulation, 1.0, 1.0)
    assert simulation.robot.twist[0][0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("field", ["command_timeout", "truth_rate"])
def test_settings_out_of_range_name_the_field(field):
    with pytest.raises(ValueError, match=field):
        SimulationSettings(**{field: 0.0})
