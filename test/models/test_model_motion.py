"""What the models do, against motions known in closed form."""

import numpy as np
import pytest

from ebm_mpc_ros.models import CANONICAL_STATES, ModelNotFoundError, load_model, rotation

PLANAR = ["ackermann", "diff_drive", "omni"]


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


def test_omni_moves_sideways():
    model = load_model("omni")
    x = np.array([0.0, 0.0, np.pi / 2, 0.0, 1.0, 0.0])
    moved = model.f(x, np.array([0.0, 2.0, 0.0]), 0.5)
    np.testing.assert_allclose(moved, [-0.75, 0.0, np.pi / 2, 0.0, 2.0, 0.0], atol=1e-15)


def test_omni_turns_as_it_moves_askew():
    model = load_model("omni")
    x = np.array([0.0, 0.0, 0.0, 1.0, -0.6, 0.5])
    for _ in range(1000):
        x = model.f(x, np.zeros(3), 1e-3)
    ahead, aside = 2 * np.sin(0.5), 2 * (1 - np.cos(0.5))
    place = [1.0 * ahead + 0.6 * aside, 1.0 * aside - 0.6 * ahead]
    np.testing.assert_allclose(x[:2], place, atol=1e-6)
    np.testing.assert_allclose(x[2:], [0.5, 1.0, -0.6, 0.5], atol=1e-12)


def test_omni_keeps_its_course_when_inputs_undo_its_turn():
    model, rate, dt = load_model("omni"), 2.0, 1e-3
    x = np.array([0.0, 0.0, 0.0, 1.0, 0.0, rate])
    for _ in range(1000):
        middle = x[2] + 0.5 * rate * dt
        x = model.f(x, np.array([-rate * np.sin(middle), -rate * np.cos(middle), 0.0]), dt)
    np.testing.assert_allclose(x[:3], [1.0, 0.0, 2.0], atol=1e-5)


@pytest.mark.parametrize(("speed", "steering"), [(1.0, 0.4), (1.0, -0.4), (-0.7, 0.4)])
def test_ackermann_drives_a_circle_about_its_rear_axle(speed, steering):
    model = load_model("ackermann", {"wheelbase": 0.8})
    x = np.array([0.0, 0.0, 0.0, speed, steering])
    for _ in range(1000):
        x = model.f(x, np.zeros(2), 1e-3)
    radius = 0.8 / np.tan(steering)
    turn = speed / radius
    np.testing.assert_allclose(
        x[:2], [radius * np.sin(turn), radius * (1 - np.cos(turn))], atol=1e-6
    )
    np.testing.assert_allclose(x[2:], [turn, speed, steering], atol=1e-12)


def test_ackermann_turns_by_the_integral_of_its_steering():
    model, rate = load_model("ackermann"), 0.9
    x = np.array([0.0, 0.0, 0.0, 1.2, 0.0])
    for _ in range(1000):
        x = model.f(x, np.array([0.0, rate]), 1e-3)
    np.testing.assert_allclose(x[4], 0.9, atol=1e-12)
    np.testing.assert_allclose(x[2], -1.2 / (0.5 * rate) * np.log(np.cos(0.9)), atol=1e-6)


def test_ackermann_accelerates_along_its_arc():
    model = load_model("ackermann")
    x = model.f(np.array([0.0, 0.0, 0.0, 1.0, 0.3]), np.array([2.0, 0.0]), 0.1)
    np.testing.assert_allclose(x[2], (0.1 + 0.01) * np.tan(0.3) / 0.5, atol=1e-15)
    np.testing.assert_allclose(np.hypot(*x[:2]), 0.11, atol=1e-15)
    np.testing.assert_allclose(np.arctan2(x[1], x[0]), 0.5 * x[2], atol=1e-15)


def test_ackermann_stays_finite_at_any_steering_it_can_have():
    model = load_model("ackermann")
    steering, rate = np.meshgrid(np.linspace(-1.4, 1.4, 101), np.linspace(-2.0, 2.0, 41))
    x, u = np.zeros((*steering.shape, 5)), np.zeros((*steering.shape, 2))
    x[..., 3], x[..., 4], u[..., 1] = 1.0, steering, rate
    following, jacobians = model.linearize(x, u, 0.1)
    assert all(np.isfinite(a).all() for a in (following, *jacobians))
    assert np.abs(following[..., :2]).max() <= 0.1


def test_ackermann_outputs_its_turn_rate():
    model = load_model("ackermann", {"wheelbase": 0.8})
    z = model.h(np.array([1.0, 2.0, 0.5, -1.5, 0.3]))
    np.testing.assert_allclose(z, [1.0, 2.0, 0.5, -1.5, -1.5 * np.tan(0.3) / 0.8], atol=1e-15)


def test_ackermann_takes_the_wheels_of_a_standing_robot_for_straight():
    outputs = np.array([[1.0, 2.0, 0.3, 0.0, 0.2], [1.0, 2.0, 0.3, -1e-9, 0.2]])
    states = load_model("ackermann").state(outputs)
    np.testing.assert_array_equal(states, [[1.0, 2.0, 0.3, 0.0, 0.0], [1.0, 2.0, 0.3, -1e-9, 0.0]])


@pytest.mark.parametrize("name", PLANAR)
def test_slip_noise_follows_the_heading(name):
    model = load_model(name)
    x, slip = np.zeros(model.state_size), np.zeros(model.state_size)
    x[2], slip[:2] = np.pi / 2, (0.3, 0.1)
    moved = model.f(x, np.zeros(len(model.input_names)), 0.1, slip)
    np.testing.assert_allclose(moved[:2], [-0.1, 0.3], atol=1e-15)


@pytest.mark.parametrize("name", PLANAR)
def test_headings_subtract_across_the_cut(name):
    model = load_model(name)
    a, b = np.zeros(model.state_size), np.zeros(model.state_size)
    a[2], b[2] = np.pi - 0.1, -np.pi + 0.1
    np.testing.assert_allclose(model.minus(a, b)[2], -0.2, atol=1e-12)
    np.testing.assert_allclose(model.innovation(model.h(a), b)[2], -0.2, atol=1e-12)


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


@pytest.mark.parametrize("name", [*PLANAR, "rigid_body"])
def test_model_outputs_are_canonical(name):
    assert set(load_model(name).output_names) <= set(CANONICAL_STATES)


@pytest.mark.parametrize("name", ["segway", "no.such:Model", "collections:OrderedDict", "json:X"])
def test_an_unknown_model_is_named(name):
    with pytest.raises(ModelNotFoundError, match=name):
        load_model(name)


def test_a_model_can_come_from_any_module():
    model = load_model("ebm_mpc_ros.models.diff_drive:DiffDrive")
    assert model.state_names == ("x", "y", "yaw", "vx", "vyaw")


@pytest.mark.parametrize("name", ["ackermann", "ebm_mpc_ros.models.ackermann:Ackermann"])
def test_a_model_takes_its_options(name):
    assert load_model(name, {"wheelbase": 0.8, "track": 0.4}).wheelbase == 0.8
    assert load_model(name, {}).wheelbase == load_model(name).wheelbase == 0.5


def test_a_model_leaves_the_options_of_others():
    assert not hasattr(load_model("diff_drive", {"wheelbase": 0.8}), "wheelbase")


@pytest.mark.parametrize("wheelbase", [0.0, -0.5, np.inf, np.nan])
def test_a_bad_option_is_named(wheelbase):
    with pytest.raises(ValueError, match="wheelbase"):
        load_model("ackermann", {"wheelbase": wheelbase})
