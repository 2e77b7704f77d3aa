"""Planar states to a model's and back."""

import numpy as np
import pytest

from ebm_mpc_ros.control import PLANAR_NAMES, model_reference, planar_outputs
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.ackermann import Ackermann

PLANAR = np.array([[1.0, 2, 3, 0.5, 0, 0.2], [1.1, 2.1, 3.4, 0.6, 0, -0.2]])


@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni", "rigid_body"])
def test_a_models_states_give_back_the_planar_ones(name):
    model = load_model(name)
    reference = model_reference(model, PLANAR)
    assert reference.shape == (2, model.state_size)
    np.testing.assert_allclose(planar_outputs(model, reference), PLANAR, atol=1e-12)


def test_an_omni_robot_keeps_its_sideways_speed():
    planar = PLANAR + np.array([0, 0, 0, 0, 0.3, 0])
    model = load_model("omni")
    np.testing.assert_array_equal(model_reference(model, planar), planar)
    np.testing.assert_array_equal(planar_outputs(model, planar), planar)


def test_a_robot_without_sideways_speed_has_none():
    planar = PLANAR + np.array([0, 0, 0, 0, 0.3, 0])
    model = load_model("diff_drive")
    assert np.all(planar_outputs(model, model_reference(model, planar))[:, 4] == 0.0)


def test_an_ackermann_robot_steers_as_its_turn_rate_wants():
    model = Ackermann(wheelbase=0.4)
    reference = model_reference(model, PLANAR)
    np.testing.assert_allclose(np.tan(reference[:, 4]) / 0.4, PLANAR[:, 5] / PLANAR[:, 3])


def test_the_columns_go_by_name():
    class Slipping(type(load_model("diff_drive"))):
        state_names = ("yaw", "x", "y", "vy", "vyaw", "vx")
        state_size = 6

    planar = np.array([[1.0, 2, 3, 4, 6, 5]])
    np.testing.assert_array_equal(model_reference(Slipping(), planar), [[3, 1, 2, 6, 5, 4]])
    np.testing.assert_array_equal(
        planar_outputs(Slipping(), np.array([3.0, 1, 2, 6, 5, 4])), planar[0]
    )


def test_other_outputs_are_zero():
    class Warm(type(load_model("diff_drive"))):
        state_names = ("x", "y", "yaw", "vx", "vyaw", "heat")
        state_size = 6

    np.testing.assert_array_equal(model_reference(Warm(), PLANAR)[:, 5], 0.0)


@pytest.mark.parametrize("turns", [-2, 0, 5])
def test_yaw_goes_beyond_half_a_turn_both_ways(turns):
    model = load_model("diff_drive")
    planar = np.zeros((9, len(PLANAR_NAMES)))
    planar[:, 2] = 2 * np.pi * turns + np.linspace(0, 7, 9)
    np.testing.assert_array_equal(model_reference(model, planar)[:, 2], planar[:, 2])
    np.testing.assert_array_equal(planar_outputs(model, planar[:, [0, 1, 2, 3, 5]]), planar)


def test_wrapped_yaw_comes_out_continuous():
    model = load_model("diff_drive")
    states = np.zeros((5, 5))
    states[:, 2] = [3.0, 3.1, -3.1, -3.0, -2.9]
    yaw = planar_outputs(model, states)[:, 2]
    assert np.max(np.abs(np.diff(yaw))) < 0.2


def test_a_model_that_measures_no_twist_is_refused_in_words():
    class Bare(type(load_model("diff_drive"))):
        state_names = ("x", "y", "yaw")
        state_size = 3

    with pytest.raises(ValueError, match="Bare, without the outputs vx, vyaw"):
        model_reference(Bare(), PLANAR)
    with pytest.raises(ValueError, match="Bare, without the outputs vx, vyaw"):
        planar_outputs(Bare(), np.zeros((2, 3)))
