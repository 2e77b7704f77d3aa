"""A problem that can't be posed is refused by name."""

import math

import numpy as np
import pytest

from ebm_mpc_ros.control import SolverSettings
from ebm_mpc_ros.models import load_model


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
        ("model", load_model("rigid_body")),
    ],
)
def test_a_bad_field_is_named(make_problem, name, value):
    with pytest.raises(ValueError, match=name):
        make_problem(**{name: value})


def test_the_vectors_of_a_problem_are_its_own(make_problem):
    weights = np.ones(5)
    problem = make_problem(state_weights=weights)
    weights[0] = -1
    assert problem.state_weights[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        problem.state_weights[0] = -1


@pytest.mark.parametrize(
    ("name", "value"), [("rho", 0.0), ("max_iterations", 0), ("eps_abs", math.nan)]
)
def test_a_bad_solver_setting_is_named(name, value):
    with pytest.raises(ValueError, match=name):
        SolverSettings(**{name: value})
