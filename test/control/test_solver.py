"""What OSQP says is told as it is."""

from types import SimpleNamespace

import numpy as np
import osqp
import pytest
import scipy.sparse as sp

from ebm_mpc_ros.control import SolverSettings, Status
from ebm_mpc_ros.control.solver import QuadraticSolver

COST = np.array([-2.0, -2.0])
ROWS = sp.csc_matrix(np.array([[1.0, 1.0], [1.0, 1.0]]))


def make(**changes):
    lower, upper = np.full(2, -1.0), np.full(2, 1.0)
    settings = SolverSettings(**changes)
    return QuadraticSolver(sp.eye(2, format="csc"), ROWS, COST, lower, upper, settings)


def solve(solver, lower, upper, iterations=5000):
    assert solver.bound(COST, lower, upper)
    return solver.solve(iterations)


def test_a_solution_is_found_at_a_bound():
    outcome = solve(make(eps_abs=1e-8, eps_rel=1e-8), -np.ones(2), np.ones(2))
    assert outcome.status is Status.SOLVED
    np.testing.assert_allclose(outcome.primal, 0.5, atol=1e-6)


def test_contradicting_rows_are_infeasible():
    outcome = solve(make(), np.array([-1.0, 2.0]), np.array([1.0, 3.0]))
    assert outcome.status is Status.INFEASIBLE


def test_a_cap_on_iterations_is_told():
    outcome = solve(make(), -np.ones(2), np.ones(2), iterations=1)
    assert outcome.status is Status.ITERATION_LIMIT
    assert outcome.iterations == 1


def test_bounds_that_osqp_refuses_are_told():
    assert not make().bound(COST, np.ones(2), -np.ones(2))


def test_values_of_a_wrong_length_are_told(capfd):
    assert not make().update(np.ones(3))
    assert "ERROR" in capfd.readouterr().out


def test_step_sizes_follow_the_residuals_and_return():
    solver = make(check_interval=1)
    outcome = solve(solver, -np.ones(2), np.ones(2), iterations=1)
    outcome = outcome._replace(primal_residual=1.0, dual_residual=1e-1)
    solver.balance(outcome)
    assert solver._rho == pytest.approx(np.sqrt(10.0))
    solver.balance(outcome._replace(dual_residual=0.0))
    assert solver._rho == pytest.approx(10.0 * np.sqrt(10.0))
    solver.restore()
    assert solver._rho == 1.0


@pytest.mark.parametrize("code", ["OSQP_NON_CVX", "OSQP_UNSOLVED", "OSQP_TIME_LIMIT_REACHED"])
def test_other_endings_are_failures(code):
    solver = make()
    _end_with(solver, osqp.SolverStatus[code])
    assert solver.solve(10).status is Status.FAILED


def test_an_interrupt_during_a_solve_is_passed_on():
    solver = make()
    _end_with(solver, osqp.SolverStatus.OSQP_SIGINT)
    with pytest.raises(KeyboardInterrupt):
        solver.solve(10)


def _end_with(solver, code):
    solver._solver = SimpleNamespace(update_settings=lambda _: 0, solve=lambda: 0)
    solver._info = SimpleNamespace(status_val=int(code), iter=3, prim_res=0.0, dual_res=0.0)
    solver._solution = SimpleNamespace(x=np.zeros(2), y=np.zeros(2))
