"""Residuals of transitions: standard normal under the model's own noise, turned or not."""

import numpy as np
import pytest
from driving import MODEL

from ebm_mpc_ros.learning.recording import DataError
from ebm_mpc_ros.learning.residuals import (
    Noise,
    fitted_noise,
    residuals,
    support,
    transition_condition,
    transition_units,
)
from ebm_mpc_ros.models import load_model

DT = 0.1
DENSITY = (4e-3, 1e-3, 2e-3, 0.02, 0.05)


def steps(count=20_000, seed=0):
    """Return transitions with the model's noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 5)) * [3.0, 3.0, 2.0, 0.5, 0.5]
    u = rng.normal(size=(count, 2))
    w = rng.normal(size=(count, 5)) * np.sqrt(np.array(DENSITY) * DT)
    return x, u, MODEL.f(x, u, DT, w)


def test_residuals_are_standard_normal_where_the_model_is_right():
    x, u, following = steps()
    y = residuals(MODEL, Noise(density=DENSITY, floor=0.0), DT, x, u, following)
    np.testing.assert_allclose(np.cov(y.T), np.eye(5), atol=0.04)
    np.testing.assert_allclose(y.mean(axis=0), 0.0, atol=0.03)


def test_residuals_do_not_depend_on_where_the_robot_is_and_looks():
    x, u, following = steps(50)
    turn, shift = 2.3, np.array([4.0, -7.0])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def moved(states):
        return np.column_stack(
            [states[:, :2] @ rotation.T + shift, states[:, 2] + turn, states[:, 3:]]
        )

    noise = Noise(density=DENSITY, floor=1e-8)
    here = residuals(MODEL, noise, DT, x, u, following)
    there = residuals(MODEL, noise, DT, moved(x), u, moved(following))
    np.testing.assert_allclose(here, there, atol=1e-9)
    np.testing.assert_allclose(
        transition_condition(MODEL, x, u), transition_condition(MODEL, moved(x), u)
    )


def test_the_factor_gives_back_the_covariance():
    x, u, _ = steps(5)
    W = MODEL.jacobians(x, u, DT).W
    L = Noise(density=DENSITY, floor=1e-3).factor(W, DT)
    expected = W @ np.diag(np.array(DENSITY) * DT + 1e-3) @ W.swapaxes(-1, -2)
    np.testing.assert_allclose(L @ L.swapaxes(-1, -2), expected, atol=1e-15)


def test_fitted_noise_is_that_of_the_data():
    found = fitted_noise(MODEL, 1e-9, DT, *steps())
    np.testing.assert_allclose(found.density, DENSITY, rtol=0.05)
    assert found.floor == 1e-9


def test_the_condition_is_twist_and_input_with_units():
    assert transition_units(MODEL) == {
        "vx": "m/s",
        "vyaw": "rad/s",
        "ax": "m/s²",
        "alpha": "rad/s²",
    }
    x, u, _ = steps(3)
    np.testing.assert_array_equal(transition_condition(MODEL, x, u), np.column_stack([x[:, 3:], u]))


def test_the_support_holds_99_percent_of_the_conditions():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(5000, 2)) @ np.array([[1.0, 0.9], [0.0, 0.3]])
    factor, reach = support(c)
    inside = np.linalg.norm(c @ factor, axis=1) <= reach
    assert np.mean(inside) == pytest.approx(0.99, abs=1e-3)
    assert reach == pytest.approx(np.sqrt(-2 * np.log(0.01)), rel=0.05)


def test_models_that_are_not_planar_and_noise_of_another_size_are_refused():
    with pytest.raises(DataError, match="not those of a planar robot"):
        transition_units(load_model("rigid_body"))
    with pytest.raises(DataError, match="the noise has 2 numbers"):
        residuals(MODEL, Noise(density=(1.0, 1.0), floor=0.0), DT, *steps(3))


@pytest.mark.parametrize(("density", "floor"), [((-1.0,), 1.0), ((0.0,), 0.0), ((1.0,), -1.0)])
def test_a_noise_out_of_range_is_refused(density, floor):
    with pytest.raises(ValueError, match=r"density|floor"):
        Noise(density=density, floor=floor)
