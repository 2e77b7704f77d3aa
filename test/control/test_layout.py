"""The QP holds what the problem asks for and nothing else."""

import numpy as np
import pytest
from exact import TIGHT, Linear, tick, unbounded

from ebm_mpc_ros.control import RealTimeIteration
from ebm_mpc_ros.control.layout import Layout, probe_pattern
from ebm_mpc_ros.control.qp import HorizonQP
from ebm_mpc_ros.models import load_model

N = 20


def size(problem):
    layout = Layout(problem)
    return layout.columns, layout.rows


def test_without_options_there_are_states_inputs_and_a_slack_for_each_bounded_state(make_problem):
    assert size(make_problem()) == (N * (5 + 2 + 2), N * (5 + 2 + 2))


@pytest.mark.parametrize(
    ("changes", "columns", "rows"),
    [
        ({"input_rate_weights": [1.0, 1.0]}, 0, 0),
        ({"input_rate_limits": [1.0, np.inf]}, 0, N),
        ({"slack_weight_l1": 1.0}, 0, 2 * 2 * N),
        ({"half_planes": 3}, N, 3 * N),
        ({"half_planes": 3, "half_plane_weight_l1": 1.0}, N, 4 * N),
        ({"terminal": "riccati"}, 0, 0),
    ],
)
def test_an_option_adds_what_it_needs(make_problem, changes, columns, rows):
    plain = size(make_problem())
    assert size(make_problem(**changes)) == (plain[0] + columns, plain[1] + rows)


@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni"])
def test_the_pattern_holds_every_entry_that_a_model_can_have(name):
    model, rng = load_model(name), np.random.default_rng(1)
    states = rng.uniform(-3, 3, (200, model.state_size))
    states[:100] = np.round(states[:100])
    inputs = rng.uniform(-3, 3, (200, len(model.input_names)))
    jacobians = model.jacobians(states, inputs, 0.05)
    stages = np.concatenate([jacobians.A, jacobians.B], axis=-1)
    assert not np.any(stages[:, ~probe_pattern(model, 0.05)])


def test_entries_that_are_always_zero_take_no_room(make_problem):
    dense = (N - 1) * 25 + N * 10
    kept = np.count_nonzero(probe_pattern(load_model("diff_drive"), 0.05)[:, :5]) * (N - 1)
    kept += np.count_nonzero(probe_pattern(load_model("diff_drive"), 0.05)[:, 5:]) * N
    qp = HorizonQP(make_problem(), rho=0.1, rho_active=300.0)
    # An entry each for x, bounds, and two for soft bounds.
    assert qp.A.nnz == N * 5 + kept + N * 2 + 2 * N * 2
    assert kept < 0.6 * dense


def test_an_entry_that_appears_later_is_taken_in():
    A, B = np.eye(4), np.zeros((4, 2))
    A[0, 2] = A[1, 3] = 0.1
    B[2, 0] = B[3, 1] = 0.1
    model, state, reference = Linear(A, B), np.array([1.0, -1.0, 0.5, 0.0]), np.zeros((11, 4))
    controller = RealTimeIteration(unbounded(model), TIGHT)
    before = tick(controller, reference, state)
    entries = controller._qp.A.nnz
    A[0, 1] = 0.5
    grown = tick(controller, reference, state)
    assert controller._qp.A.nnz == entries + 9
    fresh = tick(RealTimeIteration(unbounded(model), TIGHT), reference, state)
    np.testing.assert_allclose(grown.inputs, fresh.inputs, atol=1e-5)
    assert np.max(np.abs(grown.inputs - before.inputs)) > 0.1


def test_values_are_written_in_place(make_problem, figure_eight):
    controller, reference = RealTimeIteration(make_problem()), figure_eight(40)
    tick(controller, reference[:21], reference[0])
    qp, solver = controller._qp, controller._solver
    arrays = qp.A.data, qp.q, qp.lower, qp.upper
    for k in range(1, 10):
        tick(controller, reference[k : k + 21], reference[k])
    assert controller._solver is solver
    assert all(a is b for a, b in zip(arrays, (qp.A.data, qp.q, qp.lower, qp.upper), strict=True))
    assert all(a.flags.c_contiguous and a.dtype == np.float64 for a in arrays)
