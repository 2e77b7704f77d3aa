"""The Gaussian that a network tells: its derivatives, its mode and width as a transition."""

import numpy as np
import pytest

from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.models.gaussian_network import GaussianNetwork
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support

H, N, C, DT = 7, 5, 4, 0.1
VARIANCE = np.array([1e-4, 2e-4, 3e-4, 4e-4, 5e-4])


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(0)
    shapes = (H, C), (H,), (H, H), (H,), (2 * N, H), (2 * N, C), (2 * N,)
    return GaussianNetwork(*(0.4 * rng.normal(size=shape) for shape in shapes))


def points(count=6):
    rng = np.random.default_rng(1)
    return rng.normal(size=(count, N)), rng.normal(size=(count, C))


def differences(function, x, step=1e-6):
    columns = []
    for i in range(x.shape[-1]):
        shift = step * np.eye(x.shape[-1])[i]
        columns.append((function(x + shift) - function(x - shift)) / (2.0 * step))
    return np.stack(columns, axis=-1)


def test_derivatives_are_those_of_the_value(network):
    y, c = points()
    slope, curvature = network.at(c).slope_and_curvature(y)
    np.testing.assert_allclose(slope, differences(network.at(c).value, y), atol=1e-7)
    np.testing.assert_allclose(
        curvature, differences(lambda y: network.at(c).slope_and_curvature(y)[0], y), atol=1e-7
    )
    np.testing.assert_allclose(
        network.at(c).mixed(y),
        differences(lambda c: network.at(c).slope_and_curvature(y)[0], c),
        atol=1e-7,
    )


def test_the_mode_is_the_centre_and_the_covariance_that_of_the_width(network):
    support = Support(np.zeros(C), np.eye(C), 100.0)
    energy = LearnedTransition(DiffDrive(), network, support, dt=DT, variance=VARIANCE)
    x = np.array([[1.0, 2.0, 0.7, 0.5, 0.3], [0.0, 0.0, -2.0, 0.9, -0.4]])
    u = np.array([[0.2, -0.1], [-0.3, 0.6]])
    found = LearnedModel(energy).transition(x, u, DT)
    c = np.concatenate([x[:, 3:], u], axis=1)
    hidden = c @ network.given.T + network.offset
    hidden = hidden / (1.0 + np.exp(-hidden))
    hidden = hidden @ network.weight.T + network.bias
    hidden = hidden / (1.0 + np.exp(-hidden))
    told = hidden @ network.outer.T + c @ network.skip.T + network.middle
    L = DiffDrive().jacobians(x, u, DT).W * np.sqrt(VARIANCE)
    assert found.converged.all()
    np.testing.assert_allclose(found.delta, (L @ told[:, :N, None])[..., 0], atol=1e-9)
    spread = L * np.exp(told[:, None, N:])
    np.testing.assert_allclose(found.covariance, spread @ spread.swapaxes(1, 2), atol=1e-12)


def test_where_it_is_zero_the_energy_is_the_nominal_one(network):
    silent = network._replace(outer=0.0 * network.outer, skip=0.0 * network.skip)
    silent = silent._replace(middle=0.0 * network.middle)
    y, c = points()
    assert not silent.at(c).value(y).any()
    assert not any(part.any() for part in silent.at(c).slope_and_curvature(y))
    assert not silent.at(c).mixed(y).any()
