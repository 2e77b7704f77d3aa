"""The infinite horizon's cost about a reference."""

import numpy as np
import pytest
from exact import tick

from ebm_mpc_ros.control import RealTimeIteration
from ebm_mpc_ros.control.riccati import riccati_cost
from ebm_mpc_ros.models.diff_drive import DiffDrive


def residual(problem, P, state):
    jacobians = problem.model.jacobians(state[None], np.zeros((1, 2)), problem.dt)
    A, B = jacobians.A[0], jacobians.B[0]
    K = np.linalg.solve(problem.R + B.T @ P @ B, B.T @ P @ A)
    return problem.Q + A.T @ P @ (A - B @ K) - P, np.linalg.eigvals(A - B @ K)


def test_the_cost_is_a_stabilising_fixed_point_of_the_recursion(make_problem):
    problem, state = make_problem(), np.array([3.0, 2.0, 0.7, 0.8, 0.5])
    error, poles = residual(problem, riccati_cost(problem, state), state)
    np.testing.assert_allclose(error, 0.0, atol=1e-6)
    assert np.max(np.abs(poles)) < 1.0


@pytest.mark.parametrize(("speed", "taken"), [(0.0, 0.2), (0.1, 0.2), (-0.1, -0.2), (-0.5, -0.5)])
def test_a_slow_robot_counts_as_one_at_the_lowest_speed(make_problem, speed, taken):
    problem = make_problem()
    slow, fast = (riccati_cost(problem, np.array([0, 0, 0, v, 0.0])) for v in (speed, taken))
    np.testing.assert_allclose(slow, fast)


def test_without_a_stabilising_solution_there_is_none(make_problem):
    class Stuck(DiffDrive):
        def jacobians(self, x, u, dt):
            jacobians = super().jacobians(x, u, dt)
            jacobians.B[:] = 0.0
            return jacobians

    assert riccati_cost(make_problem(model=Stuck()), np.zeros(5)) is None


def test_without_a_solution_the_given_terminal_cost_is_used(make_problem, monkeypatch):
    reference, state = np.zeros((21, 5)), np.array([0.2, 0.1, 0.1, 0, 0])
    given = tick(RealTimeIteration(make_problem()), reference, state).inputs
    monkeypatch.setattr("ebm_mpc_ros.control.qp.riccati_cost", lambda *_: None)
    none = tick(RealTimeIteration(make_problem(terminal="riccati")), reference, state).inputs
    np.testing.assert_allclose(none, given, atol=5e-3)


def test_the_cost_follows_the_end_of_the_reference(make_problem, figure_eight):
    problem, reference = make_problem(terminal="riccati"), figure_eight(40)
    controller = RealTimeIteration(problem)
    for k in range(3):
        assert tick(controller, reference[k : k + 21], reference[k]).usable
    P = controller._qp.P
    P = (P + P.T).toarray() - np.diag(P.diagonal())
    D = controller._qp._scaling.terminal
    np.testing.assert_allclose(
        P[95:100, 95:100] / np.outer(D, D), riccati_cost(problem, reference[22]), rtol=1e-9
    )
