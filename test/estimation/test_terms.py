"""What a measurement holds beside the outputs, against central differences and closed forms."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.biases import WithBiases
from ebm_mpc_ros.estimation.motion import bias_names
from ebm_mpc_ros.estimation.terms import (
    Centripetal,
    Gravity,
    Linear,
    Offset,
    attitude_matrix,
    lever_arm,
)
from ebm_mpc_ros.models import CANONICAL_STATES, load_model, rotation

RANDOM = np.random.default_rng(3)
M = RANDOM.normal(size=(2, 3))
ARM = RANDOM.normal(size=3)
NAMES = ["rigid_body", "diff_drive", "omni", "ackermann"]


def linear(model):
    return lever_arm(model, M)


def bias(model):
    rows = tuple(model.output_names.index(name) for name in bias_names("imu0", "gyro"))
    return Linear(rows, M)


def gravity(model):
    return Gravity(M, 9.80665)


def centripetal(model):
    return Centripetal(M, ARM)


def offset(model):
    return Offset((0, 2), ARM)


TERMS = [linear, bias, gravity, centripetal, offset]


def added(term, model, x):
    """Return what a term adds to a measurement (2,) at x, and its derivative (2, n)."""
    innovation, H = np.zeros(2), np.zeros((2, len(model.state_names)))
    term.add(model, x, model.h(x), innovation, H)
    return -innovation, H


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", TERMS)
@pytest.mark.parametrize("seed", range(4))
def test_H_is_the_derivative_of_what_is_added(somewhere, derivative, name, make, seed):
    model = WithBiases(load_model(name), bias_names("imu0", "gyro"))
    term = make(model)
    x = somewhere(model, np.random.default_rng(seed))
    if name == "ackermann":
        x[4] *= 0.3
    expected = derivative(lambda d: added(term, model, model.plus(x, d))[0], len(model.state_names))
    np.testing.assert_allclose(added(term, model, x)[1], expected, atol=1e-7)


@pytest.mark.parametrize("make", TERMS)
def test_terms_add_up(somewhere, make):
    model = WithBiases(load_model("rigid_body"), bias_names("imu0", "gyro"))
    x = somewhere(model, np.random.default_rng(0))
    value, slope = added(make(model), model, x)
    innovation, H = np.ones(2), np.ones((2, len(model.state_names)))
    make(model).add(model, x, model.h(x), innovation, H)
    np.testing.assert_allclose(innovation, 1.0 - value, atol=1e-12)
    np.testing.assert_allclose(H, 1.0 + slope, atol=1e-12)


def rigid(**outputs):
    model = load_model("rigid_body")
    values = np.array([float(outputs.get(name, 0.0)) for name in CANONICAL_STATES])
    return model, np.asarray(model.state(values))


@pytest.mark.parametrize("tilt", [0.0, 0.3, -1.2, np.pi / 2])
def test_an_accelerometer_at_rest_feels_gravity_along_its_tilt(tilt):
    term = Gravity(np.eye(3), 9.81)
    for outputs, force in (
        ({"pitch": tilt, "yaw": 2.0}, [-np.sin(tilt), 0.0, np.cos(tilt)]),
        ({"roll": tilt, "yaw": -1.0}, [0.0, np.sin(tilt), np.cos(tilt)]),
    ):
        model, x = rigid(**outputs)
        value = np.zeros(3)
        term.add(model, x, model.h(x), value, np.zeros((3, 15)))
        np.testing.assert_allclose(-value, 9.81 * np.array(force), atol=1e-12)


def test_a_turn_pulls_towards_its_axis():
    model, x = rigid(vyaw=2.0)
    value = np.zeros(3)
    Centripetal(np.eye(3), np.array([0.5, 0.0, 9.0])).add(
        model, x, model.h(x), value, np.zeros((3, 15))
    )
    np.testing.assert_allclose(-value, [-2.0, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("yaw", [0.0, np.pi / 2, -2.0])
def test_an_antenna_ahead_is_ahead_along_the_heading(yaw):
    for name in ("rigid_body", "diff_drive"):
        model = load_model(name)
        outputs = np.zeros(len(model.output_names))
        outputs[model.output_names.index("yaw")] = yaw
        x, value = np.asarray(model.state(outputs)), np.zeros(2)
        Offset((0, 1), np.array([0.4, 0.0, 1.0])).add(
            model, x, outputs, value, np.zeros((2, len(model.state_names)))
        )
        np.testing.assert_allclose(-value, [0.4 * np.cos(yaw), 0.4 * np.sin(yaw)], atol=1e-12)


def test_a_planar_robot_feels_gravity_straight_down_and_no_tilt():
    model = load_model("omni")
    value, H = np.zeros(3), np.zeros((3, 6))
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    Gravity(np.eye(3), 9.81).add(model, x, model.h(x), value, H)
    np.testing.assert_allclose(-value, [0.0, 0.0, 9.81], atol=1e-12)
    assert not H.any()


def test_an_arm_that_no_turn_moves_is_no_term():
    upwards = -rotation.skew(np.array([0.0, 0.0, 0.5]))
    assert lever_arm(load_model("diff_drive"), upwards[:2]) is None
    assert lever_arm(load_model("rigid_body"), np.zeros((2, 3))) is None
    assert lever_arm(load_model("rigid_body"), upwards[:2]) is not None


@pytest.mark.parametrize("rpy", [(0.1, 0.2, 0.3), (3.0, -1.5, -3.0), (0.4, np.pi / 2, 0.0)])
def test_the_attitude_is_that_of_the_outputs(rpy):
    model, x = rigid(**dict(zip(("roll", "pitch", "yaw"), rpy, strict=True)))
    expected = rotation.matrix(rotation.from_rpy(*np.array(rpy)))
    np.testing.assert_allclose(attitude_matrix(model, model.h(x)), expected, atol=1e-7)
