"""mpc_node's parameters, and what its controller makes of them."""

import numpy as np
import pytest

from ebm_mpc_ros.ros.mpc_parameters import MPC_PARAMETERS, controller_settings
from ebm_mpc_ros.ros.parameters import ParameterError, read
from ebm_mpc_ros.ros.robot_parameters import robot_model_of

LIVE = {
    "slack_weight",
    "slack_weight_l1",
    "input_rate_weights",
    "input_rate_limits",
    "latency",
    "obstacle_clearance",
    "state_weights",
    "terminal_weights",
    "input_weights",
    "max_speed",
    "cruise_speed",
    "max_lateral_acceleration",
}


def made(**given):
    values, unknown = read(MPC_PARAMETERS, given)
    assert not unknown
    return controller_settings(values, robot_model_of(values))


@pytest.mark.parametrize("name", ["diff_drive", "ackermann", "omni"])
def test_the_defaults_fit_every_model(name):
    found = made(model=name)
    assert found.problem.horizon == 25
    assert found.latency == 0.0
    assert found.distance == pytest.approx(0.3)
    assert found.problem.input_rate_limits is None


def test_parameters_reach_the_problem():
    found = made(
        slack_weight_l1=50.0,
        terminal_cost="riccati",
        input_rate_weights=[0.1, 0.2],
        input_rate_limits=[5.0, 10.0],
        half_planes=3,
        fallback_ticks=2,
        latency=0.12,
        max_iterations=80,
    )
    assert found.problem.slack_weight_l1 == 50.0
    assert found.problem.terminal == "riccati"
    np.testing.assert_array_equal(found.problem.input_rate_weights, [0.1, 0.2])
    np.testing.assert_array_equal(found.problem.input_rate_limits, [5.0, 10.0])
    assert found.problem.half_planes == 3
    assert found.fallback.tail_ticks == 2
    assert found.latency == 0.12
    assert found.solver.max_iterations == 80


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"input_rate_limits": [1.0]}, "input_rate_limits has 1 values.*ax, alpha"),
        ({"input_rate_weights": [1.0] * 3}, "input_rate_weights has 3 values"),
        ({"input_rate_limits": [1.0, 0.0]}, "input_rate_limits.*from 0.001 to"),
        ({"terminal_cost": "lqr"}, "terminal_cost = lqr: must be given or riccati"),
        ({"latency": -0.1}, "latency = -0.1"),
        ({"half_planes": -1}, "half_planes = -1"),
        ({"state_weights": [1.0]}, "state_weights"),
        ({"input_weights": [1e200, 0.0]}, "input_weights"),
        ({"dt": 1e-10}, "dt = 1e-10: must be a number from 0.001 to 0.1"),
        ({"latency": 1.5}, "latency = 1.5: must be a number from 0 to 1"),
        ({"slack_weight": 1e300}, "slack_weight = 1e.300"),
        ({"slack_weight": 1e-300}, "slack_weight = 1e-300"),
        ({"slack_weight_l1": 1e300}, "slack_weight_l1 = 1e.300"),
        ({"input_rate_weights": [1e200, 1.0]}, "input_rate_weights"),
        ({"input_rate_limits": [1e-300, 1.0]}, "input_rate_limits"),
        ({"robot_radius": 1e300}, "robot_radius = 1e.300: must be a number from 0 to 100"),
        ({"obstacle_clearance": 1e300}, "obstacle_clearance = 1e.300"),
        ({"max_iterations": 10**9}, "max_iterations = 1000000000"),
        ({"fallback_ticks": 10**9}, "fallback_ticks = 1000000000"),
    ],
)
def test_a_bad_value_is_refused_in_words(given, said):
    with pytest.raises(ParameterError, match=said):
        made(**given)


@pytest.mark.parametrize(("dt", "ticks"), [(0.01, 19), (0.05, 3), (0.066, 2), (0.08, 1), (0.1, 1)])
def test_a_tail_ends_so_that_a_stop_begins_within_a_fifth_of_a_second(dt, ticks):
    assert made(dt=dt, fallback_ticks=100).fallback.tail_ticks == ticks


def test_what_may_change_while_it_drives():
    live = {row.name for row in MPC_PARAMETERS if row.live}
    assert live >= LIVE
    assert not live & {"dt", "horizon", "model", "half_planes", "terminal_cost", "reference_source"}
