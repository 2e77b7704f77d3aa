"""Descent within bounds."""

import math

import numpy as np
import torch
from scipy.optimize import minimize

from ebm_mpc_ros.energy.descent import descend
from ebm_mpc_ros.energy.quadratic import Quadratic

PRECISION = torch.tensor([[1.0, 2.0, 0.0], [2.0, 30.0, 3.0], [0.0, 3.0, 9.0]], dtype=torch.float64)
MEAN = torch.tensor([1.0, -1.0, 2.0], dtype=torch.float64)
ENERGY = Quadratic(MEAN, PRECISION)
FREE = torch.full((3,), math.inf, dtype=torch.float64)


def start(count=20):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64)


def test_no_energy_rises_and_the_minimum_is_found_with_a_poor_metric():
    metric, last = 10 * torch.eye(3, dtype=torch.float64), torch.inf
    for steps in (0, 1, 2, 5, 400):
        descent = descend(ENERGY, start(), metric=metric, lower=-FREE, upper=FREE, steps=steps)
        assert bool((descent.energy <= last).all())
        last = descent.energy
    torch.testing.assert_close(descent.x, MEAN.expand(20, 3), rtol=0, atol=1e-4)


def test_the_inverse_hessian_reaches_the_minimum_in_one_step():
    metric = torch.linalg.inv(PRECISION)
    descent = descend(ENERGY, start(), metric=metric, lower=-FREE, upper=FREE, steps=1)
    torch.testing.assert_close(descent.x, MEAN.expand(20, 3))


def test_the_minimum_within_bounds_is_the_quadratic_programs():
    lower = torch.tensor([-0.5, -0.6, -1.0], dtype=torch.float64)
    upper = torch.tensor([0.5, 3.0, 1.5], dtype=torch.float64)
    descent = descend(
        ENERGY, start(), metric=torch.linalg.inv(PRECISION), lower=lower, upper=upper, steps=200
    )
    P, mean = PRECISION.numpy(), MEAN.numpy()
    expected = minimize(
        lambda x: 0.5 * (x - mean) @ P @ (x - mean),
        np.zeros(3),
        jac=lambda x: P @ (x - mean),
        bounds=list(zip(lower.tolist(), upper.tolist(), strict=True)),
        tol=1e-12,
    ).x
    assert bool(((descent.x >= lower) & (descent.x <= upper)).all())
    np.testing.assert_allclose(descent.x, np.tile(expected, (20, 1)), atol=1e-4)


def test_it_stops_when_told_with_the_points_clipped():
    descent = descend(
        ENERGY,
        start(),
        metric=PRECISION,
        lower=-0.5 * torch.ones(3, dtype=torch.float64),
        upper=FREE,
        steps=9,
        stop=lambda: True,
    )
    assert descent.steps == 0
    assert torch.equal(descent.x, start().clamp(min=-0.5))
    assert torch.equal(descent.energy, ENERGY.energy_and_score(descent.x)[0])
