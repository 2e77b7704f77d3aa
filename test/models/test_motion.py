"""What the models do, against motions known in closed form."""

import numpy as np
import pytest

from ebm_mpc_ros.models import CANONICAL_STATES, ModelNotFoundError, load_model, rotation


def test_diff_drive_drives_a_circle():
    model = load_model("diff_drive")
    x = np.array([0.0, 0.0, 0.0, 1.0, 0.5])
    for _ in range(1000):
        x = model.f(x, np.zeros(2), 1e-3)
    np.testing.assert_allclose(x[:2], [2 * np.sin(0.5), 2 * (1 - np.cos(0.5))], atol=1e-6)
    np.testing.assert_allclose(x[2:], [0.5, 1.0, 0.5], atol=1e-12)


def test_diff_drive_accelerates_by_its_input():
    model = load_model("diff_drive")
    x = model.f(np.zeros(5), np.array([2.0, 0.0]), 0.5)
    np.testing.assert_allclose(x, [0.25, 0, 0, 1.0, 0], atol=1e-15)


def test_diff_drive_slip_noise_follows_the_heading():
    model = load_model("diff_drive")
    x = np.array([0.0, 0.0, np.pi / 2, 0.0, 0.0])
    moved = model.f(x, np.zeros(2), 0.1, np.array([0.3, 0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(moved[:2], [0.0, 0.3], atol=1e-15)


def test_headings_subtract_across_the_cut():
    model = load_model("diff_drive")
    a, b = np.zeros(5), np.zeros(5)
    a[2], b[2] = np.pi - 0.1, -np.pi + 0.1
    np.testing.assert_allclose(model.minus(a, b)[2], -0.2, atol=1e-12)


def test_rigid_body_keeps_rotating_through_vertical():
    model = load_model("rigid_body")
    x = np.array(model.origin())
    x[11] = 1.0
    for _ in range(200):
        x = model.f(x, np.zeros(0), np.pi / 200)
    expected = rotation.exp(np.array([0.0, np.pi, 0.0]))
    np.testing.assert_allclose(np.abs(x[3:7]), np.abs(expected), atol=1e-9)


def test_rigid_body_moves_along_its_own_axes():
    model = load_model("rigid_body")
    x = np.array(model.origin())
    x[3:7] = rotation.from_rpy(np.array(0.0), np.array(0.0), np.array(np.pi / 2))
    x[7], x[13] = 1.0, 2.0
    moved = model.f(x, np.zeros(0), 0.5)
    np.testing.assert_allclose(moved[:3], [0.0, 0.75, 0.0], atol=1e-12)
    np.testing.assert_allclose(moved[7], 2.0)


def test_a_measured_yaw_moves_the_heading_only():
    model = load_model("rigid_body")
    x = np.array(model.origin())
    x[3:7] = rotation.from_rpy(np.array(0.3), np.array(0.2), np.array(1.0))
    z = model.h(x)
    z[5] += 0.1
    np.testing.assert_allclose(model.innovation(z, x)[3:6], [0, 0, 0.1], atol=1e-12)


def test_model_states_are_canonical():
    for name in ("diff_drive", "rigid_body"):
        assert set(load_model(name).state_names) <= set(CANONICAL_STATES)


@pytest.mark.parametrize("name", ["segway", "no.such:Model", "collections:OrderedDict", "json:X"])
def test_an_unknown_model_is_named(name):
    with pytest.raises(ModelNotFoundError, match=name):
        load_model(name)


def test_a_model_can_come_from_any_module():
    model = load_model("ebm_mpc_ros.models.diff_drive:DiffDrive")
    assert model.state_names == ("x", "y", "yaw", "vx", "vyaw")
