"""What is planned in several tests: a linear system with a quadratic cost, a robot that tracks."""

import math

import numpy as np

from ebm_mpc_ros.energy.cost import PlanCost

INF = math.inf
A = np.array([[1.05, 0.2, 0.0], [-0.1, 0.9, 0.3], [0.0, 0.2, 0.8]])
B = np.array([[0.1, 0.0], [0.5, -0.2], [0.0, 0.7]])
Q, Q_N, R = np.diag([2.0, 0.3, 1.0]), np.diag([7.0, 1.5, 0.5]), np.diag([0.4, 0.9])
X0 = np.array([1.5, -0.7, 0.4])
QUADRATIC = PlanCost(
    state_weight=tuple(Q.diagonal()),
    terminal_weight=tuple(Q_N.diagonal()),
    input_weight=tuple(R.diagonal()),
    state_lower=(-INF,) * 3,
    state_upper=(INF,) * 3,
    input_lower=(-INF,) * 2,
    input_upper=(INF,) * 2,
)
TRACKING = PlanCost(
    state_weight=(20.0, 20.0, 2.0, 0.5, 0.1),
    terminal_weight=(100.0, 100.0, 10.0, 2.5, 0.5),
    input_weight=(0.5, 0.25),
    state_lower=(-INF, -INF, -INF, -0.2, -1.7),
    state_upper=(INF, INF, INF, 1.15, 1.7),
    input_lower=(-1.0, -2.0),
    input_upper=(1.0, 2.0),
)
