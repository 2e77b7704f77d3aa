"""What policy/plan carries for each kind of robot."""

import numpy as np
import pytest

from ebm_mpc_ros.ros.plan_message import from_plan, to_plan

DT = 0.1
PLANAR = np.column_stack(
    [
        np.linspace(0, 1, 5),
        np.linspace(0, -1, 5),
        np.linspace(3, 4, 5),
        np.linspace(0.5, 0.7, 5),
        np.linspace(-0.2, 0.2, 5),
        np.linspace(0.1, 0.9, 5),
    ]
)


def plan(inputs, names):
    return to_plan(10**9, "odom", "base_link", DT, PLANAR, np.asarray(inputs), names)


def accelerations(message):
    rows = [point.accelerations[0] for point in message.points]
    return np.array([[row.linear.x, row.linear.y, row.angular.z] for row in rows])


def test_all_six_columns_survive_the_message():
    message = plan(np.zeros((4, 3)), ("ax", "ay", "alpha"))
    trajectory = from_plan(message, "odom", "base_link").trajectory
    np.testing.assert_allclose(trajectory.resample(0.0, DT, 4), PLANAR, atol=1e-12)


def test_a_plan_is_resampled_at_another_step():
    message = plan(np.zeros((4, 3)), ("ax", "ay", "alpha"))
    trajectory = from_plan(message, "odom", "base_link").trajectory
    fine = trajectory.resample(0.05, 0.05, 5)
    np.testing.assert_allclose(fine[1::2], PLANAR[1:4], atol=1e-12)
    np.testing.assert_allclose(fine[::2], (PLANAR[1:4] + PLANAR[:3]) / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("names", "columns"),
    [(("ax", "alpha"), [0, 2]), (("ax", "ay", "alpha"), [0, 1, 2]), (("ay", "ax"), [1, 0])],
)
def test_accelerations_are_the_inputs_by_name(names, columns):
    inputs = np.arange(1.0, 1.0 + 4 * len(names)).reshape(4, -1)
    rows = accelerations(plan(inputs, names))
    np.testing.assert_array_equal(rows[:4, columns], inputs)
    np.testing.assert_array_equal(rows[4], 0.0)


def test_what_is_no_input_is_the_change_of_the_twist():
    inputs = np.full((4, 2), 0.3)
    rows = accelerations(plan(inputs, ("ax", "steering_rate")))
    np.testing.assert_allclose(rows[:4], [[0.3, 1.0, 2.0]] * 4)
