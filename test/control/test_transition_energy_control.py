"""The controller on a transition energy: where that is quadratic its plans are the model's own."""

import numpy as np
from exact import tick

from ebm_mpc_ros.control import RealTimeIteration
from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition


def test_on_a_robots_own_energy_the_plans_are_the_robots(make_problem, figure_eight):
    energy = EnergyModel(GaussianTransition(DiffDrive(), np.diag([4e-3, 1e-3, 2e-3, 0.02, 0.05])))
    reference = figure_eight(40)
    nominal, learned = (
        RealTimeIteration(make_problem(model=model)) for model in (DiffDrive(), energy)
    )
    for k in range(15):
        state = reference[k] + [0.1, -0.05, 0.1, 0.0, 0.0]
        expected, plan = (tick(one, reference[k : k + 21], state) for one in (nominal, learned))
        assert plan.usable
        np.testing.assert_allclose(plan.inputs, expected.inputs, rtol=0, atol=1e-6)
        np.testing.assert_allclose(plan.states, expected.states, rtol=0, atol=1e-6)
