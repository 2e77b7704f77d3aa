"""A problem that can't be posed is refused by name."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.control import SolverSettings
from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dt", 0.0),
        ("dt", math.nan),
        ("horizon", 0),
        ("horizon", 2.5),
        ("slack_weight", -1.0),
        ("state_weights", [1.0] * 4),
        ("state_weights", [1, 1, 1, 1, -1]),
        ("terminal_weights", [1, 1, 1, 1, math.inf]),
        ("input_weights", [1, 0]),
        ("input_lower", [2.0, -1]),
        ("input_upper", [math.nan, 1]),
        ("state_upper", [-math.inf] * 5),
        ("state_lower", [0.0, 0.0, 0.0, 2.0, 0.0]),
        ("slack_weight_l1", -1.0),
        ("slack_weight_l1", math.inf),
        ("terminal", "lqr"),
        ("input_rate_weights", [1.0, -1.0]),
        ("input_rate_weights", [1.0]),
        ("input_rate_limits", [1.0, 0.0]),
        ("input_rate_limits", [1.0, math.nan]),
        ("half_planes", -1),
        ("half_planes", 1.5),
        ("half_plane_weight", 0.0),
        ("half_plane_weight_l1", -1.0),
        ("period", 0.06),
        ("model", load_model("rigid_body")),
    ],
)
def test_a_bad_field_is_named(make_problem, name, value):
    with pytest.raises(ValueError, match=name):
        make_problem(**{name: value})


@pytest.mark.parametrize(
    ("name", "matrix", "sentence"),
    [
        ("state_weights", np.diag([1.0, 1, 1, 1, -0.5]), "lowest eigenvalue is -0.5.*at least 0"),
        ("terminal_weights", -np.eye(5), "lowest eigenvalue is -1.*at least 0"),
        ("input_weights", [[1.0, 2.0], [2.0, 1.0]], "lowest eigenvalue is -1.*above 0"),
        ("input_weights", [[1.0, 1.0], [1.0, 1.0]], "lowest eigenvalue is 0.*above 0"),
        ("input_weights", [[1.0, 0.5], [0.0, 1.0]], "symmetric"),
        ("input_rate_weights", [[0.0, 1.0], [1.0, 0.0]], "lowest eigenvalue is -1.*at least 0"),
        ("state_weights", np.ones((4, 5)), "shape"),
        ("state_weights", np.full((5, 5), math.nan), "finite"),
    ],
)
def test_weights_that_are_indefinite_or_no_weights_are_refused(
    make_problem, name, matrix, sentence
):
    with pytest.raises(ValueError, match=f"^{name}.*{sentence}"):
        make_problem(**{name: matrix})


def test_weights_may_be_singular_matrices_where_they_need_not_be_definite(make_problem):
    direction = np.array([[1.0, 1.0]])
    problem = make_problem(input_rate_weights=direction.T @ direction)
    np.testing.assert_array_equal(problem.S, np.ones((2, 2)))


def test_diagonals_and_matrices_are_the_same_weights(make_problem):
    problem = make_problem(state_weights=np.diag([1.0, 2, 3, 4, 5]), input_weights=[6.0, 7.0])
    np.testing.assert_array_equal(problem.Q, np.diag([1.0, 2, 3, 4, 5]))
    np.testing.assert_array_equal(problem.R, np.diag([6.0, 7.0]))


def test_half_planes_need_a_position(make_problem):
    class Nowhere(DiffDrive):
        state_names = ("north", "east", "yaw", "vx", "vyaw")

    with pytest.raises(ValueError, match=r"half_planes is 1.*hold no position"):
        make_problem(model=Nowhere(), half_planes=1)


def test_the_vectors_of_a_problem_are_its_own(make_problem):
    weights = np.ones(5)
    problem = make_problem(state_weights=weights)
    weights[0] = -1
    assert problem.state_weights[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        problem.state_weights[0] = -1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("rho", 0.0), ("rho_active", math.inf), ("eps_abs", math.nan), ("jump", -1.0)],
        *[("max_iterations", 0), ("check_interval", 2.0), ("max_failures", True)],
    ],
)
def test_a_bad_solver_setting_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        SolverSettings(**{name: value})
