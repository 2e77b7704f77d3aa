"""Fixes of an antenna on the robot."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.ekf import Belief, update
from ebm_mpc_ros.estimation.fixes import FixPart
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform
from ebm_mpc_ros.estimation.geodesy import Datum
from ebm_mpc_ros.estimation.sensors import BadMeasurementError
from ebm_mpc_ros.models import load_model

HERE, THERE = Datum(49.9, 8.9, 100.0), Datum(49.9001, 8.9002, 103.0)
AHEAD = Transform.from_rpy([0.5, 0.0, 1.2, 0.0, 0.0, 0.0])


def fix(settings, covariance=None, antenna=IDENTITY, place=THERE):
    C = np.diag([1.0, 2.0, 9.0]) if covariance is None else covariance
    return FixPart(settings).measurement(5, place, C, HERE, antenna)


def test_a_fix_measures_the_position_from_the_datum(sensor):
    found = fix(sensor("x", "y", "z", name="navsat0", pose_threshold=4.0))
    assert (found.stamp, found.source, found.threshold) == (5, "navsat0", 4.0)
    assert found.rows == (0, 1, 2)
    np.testing.assert_array_equal(found.values, HERE.enu(THERE))
    np.testing.assert_array_equal(found.covariance, np.diag([1.0, 2.0, 9.0]))
    assert found.terms == ()


def test_the_mask_selects_axes_of_the_world(sensor):
    found = fix(sensor("x", "z"), np.diag([1.0, np.nan, 3.0]))
    np.testing.assert_array_equal(found.values, HERE.enu(THERE)[[0, 2]])
    np.testing.assert_array_equal(found.covariance, np.diag([1.0, 3.0]))
    assert fix(sensor("x", "y", "z", model="diff_drive")).rows == (0, 1)
    assert fix(sensor("vx")) is None


@pytest.mark.parametrize("name", ["diff_drive", "rigid_body"])
def test_the_antenna_is_where_the_robots_heading_puts_it(sensor, name):
    model, yaw = load_model(name), 2.1
    east, north, up = HERE.enu(THERE)
    outputs = np.zeros(len(model.output_names))
    of = model.output_names.index
    outputs[of("x")], outputs[of("y")] = east - 0.5 * np.cos(yaw), north - 0.5 * np.sin(yaw)
    outputs[of("yaw")] = yaw
    if name == "rigid_body":
        outputs[of("z")] = up - 1.2
    found = fix(sensor("x", "y", "z", model=model), antenna=AHEAD)
    belief = Belief(np.asarray(model.state(outputs)), np.eye(len(model.state_names)))
    np.testing.assert_allclose(update(model, belief, found).innovation, 0.0, atol=1e-9)


def test_an_antenna_ahead_tells_the_heading_while_the_robot_stands(sensor):
    model = load_model("diff_drive")
    belief = Belief(np.array([0.0, 0.0, 0.3, 0.0, 0.0]), np.diag([1e-8, 1e-8, 0.04, 1e-8, 1e-8]))
    settings = sensor("x", "y", model=model)
    found = FixPart(settings).measurement(0, HERE, np.eye(3) * 1e-6, HERE, AHEAD)
    # The fix has the antenna at the origin, so that base_link would be half a metre behind.
    x = belief.state.copy()
    x[:2] = [-0.5 * np.cos(0.1), -0.5 * np.sin(0.1)]
    after = update(model, Belief(x, belief.covariance), found).belief
    assert after.state[2] == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(
    ("covariance", "reason"),
    [
        (np.zeros((3, 3)), "variance of x is 0 and odom0_variance not set"),
        (-np.eye(3), "covariance not positive definite"),
        (np.full((3, 3), np.nan), "covariance not finite"),
    ],
)
def test_an_impossible_covariance_is_refused_with_its_reason(sensor, covariance, reason):
    with pytest.raises(BadMeasurementError, match=reason):
        fix(sensor("x", "y"), covariance)


def test_an_unknown_covariance_is_the_sensors_own(sensor):
    found = fix(sensor("x", "y", default_variance=np.arange(15.0) + 1.0), np.zeros((3, 3)))
    np.testing.assert_array_equal(found.covariance, np.diag([1.0, 2.0]))
