"""What a base is told, for each kind of robot, and which models can't be driven."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.control import Actuation
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive

CAR = {"wheelbase": 0.8}


@pytest.mark.parametrize(
    ("name", "names", "hidden"),
    [
        ("diff_drive", ("vx", "vyaw"), []),
        ("ackermann", ("vx", "steering"), [1]),
        ("omni", ("vx", "vy", "vyaw"), []),
    ],
)
def test_each_input_commands_the_state_that_it_is_the_rate_of(name, names, hidden):
    model = load_model(name, CAR)
    actuation = Actuation(model)
    assert actuation.names == names
    assert actuation.hidden == hidden
    state = np.arange(float(model.state_size))
    assert [model.state_names[k] for k in actuation.of(state).astype(int)] == list(names)
    u = np.arange(1.0, 1.0 + len(names))
    moved = model.f(np.zeros(model.state_size), u, 0.1)
    np.testing.assert_allclose(actuation.of(moved), 0.1 * u)


def test_the_velocity_of_a_command_is_what_the_model_measures():
    assert Actuation(load_model("diff_drive")).twist((0.4, -0.3)) == (0.4, 0.0, -0.3)
    assert Actuation(load_model("omni")).twist((0.4, 0.2, -0.3)) == (0.4, 0.2, -0.3)
    car = Actuation(load_model("ackermann", CAR))
    assert car.twist((0.4, 0.3)) == pytest.approx((0.4, 0.0, 0.4 * math.tan(0.3) / 0.8))
    assert car.twist((-0.4, 0.3)) == pytest.approx((-0.4, 0.0, -0.4 * math.tan(0.3) / 0.8))


class WithoutTurning(DiffDrive):
    input_names = ("ax", "steering_rate")


class Pushed(DiffDrive):
    input_names = ("force", "alpha")


class Undriven(DiffDrive):
    input_names = ()


class Blind(DiffDrive):
    @property
    def output_names(self):
        return ("x", "y", "vx", "vyaw")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (WithoutTurning(), "WithoutTurning has the input steering_rate, but no state steering"),
        (Pushed(), "Pushed has the inputs force, alpha: one or more of ax, ay, alpha"),
        (Undriven(), "Undriven has the inputs none"),
        (Blind(), "Blind has no output yaw"),
        (load_model("rigid_body"), "RigidBody"),
    ],
)
def test_a_model_that_cannot_be_driven_is_refused_in_words(model, words):
    with pytest.raises(ValueError, match=words):
        Actuation(model)
