"""What OSQP says is told as it is."""

from types import SimpleNamespace

import numpy as np
import osqp
import pytest
import scipy.sparse as sp

from ebm_mpc_ros.control import SolverSettings, Status
from ebm_mpc_ros.control.solver import QuadraticSolver

ROWS = sp.csc_matrix(np.array([[1.0, 1.0], [1.0, 1.0]]))


def make(**changes):
    lower, upper = np.full(2, -1.0), np.full(2, 1.0)
    settings = SolverSettings(**changes)
    return QuadraticSolver(np.ones(2), ROWS, np.array([-2.0, -2.0]), lower, upper, settings)


def test_a_solution_is_found_at_a_bound():
    outcome = make(eps_abs=1e-8, eps_rel=1e-8, max_iterations=1000).solve(-np.ones(2), np.ones(2))
    assert outcome.status is Status.SOLVED
    np.testing.assert_allclose(outcome.primal, 0.5, atol=1e-6)


@pytest.mark.parametrize("name", ["solve", "solve_patiently"])
def test_contradicting_rows_are_infeasible(name):
    solver = make(max_iterations=5000, cold_start_iterations=5000)
    solve = getattr(solver, name)
    outcome = solve(np.array([-1.0, 2.0]), np.array([1.0, 3.0]))
    assert outcome.status is Status.INFEASIBLE


def test_a_cap_on_iterations_is_told():
    outcome = make(max_iterations=1).solve(-np.ones(2), np.ones(2))
    assert outcome.status is Status.ITERATION_LIMIT
    assert outcome.iterations == 1


def test_bounds_that_osqp_refuses_fail_the_solve():
    assert make().solve(np.ones(2), -np.ones(2)).status is Status.FAILED


def test_patience_ends_at_its_cap():
    settings = {"cold_start_iterations": 120, "eps_abs": 1e-300, "eps_rel": 1e-300}
    assert make(**settings).solve_patiently(-np.ones(2), np.ones(2)).iterations == 120


@pytest.mark.parametrize(
    ("code", "status"), [("OSQP_NON_CVX", Status.FAILED), ("OSQP_UNSOLVED", Status.FAILED)]
)
def test_other_endings_are_failures(code, status):
    solver = make()
    _end_with(solver, osqp.SolverStatus[code])
    assert solver.solve(-np.ones(2), np.ones(2)).status is status


def test_an_interrupt_during_a_solve_is_passed_on():
    solver = make()
    _end_with(solver, osqp.SolverStatus.OSQP_SIGINT)
    with pytest.raises(KeyboardInterrupt):
        solver.solve(-np.ones(2), np.ones(2))


def _end_with(solver, code):
    solver._solver = SimpleNamespace(
        update_data_vec=lambda **_: 0,
        update_settings=lambda _: 0,
        solve=lambda: 0,
        info=SimpleNamespace(status_val=int(code), iter=3, prim_res=0.0),
        solution=SimpleNamespace(x=np.zeros(2), y=np.zeros(2)),
    )
