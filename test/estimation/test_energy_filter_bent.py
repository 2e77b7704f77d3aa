"""The energy filter where nothing is Gaussian: against quadrature, and with two modes."""

import numpy as np
import pytest
from two_beacons import DT, PROCESS_NOISE, TURN, Ranging, drive, prior

from ebm_mpc_ros.estimation import ekf
from ebm_mpc_ros.estimation.ekf import Belief, Measurement
from ebm_mpc_ros.estimation.energy_filter import (
    Ended,
    EnergyFilterSettings,
    predict,
    start,
    update,
)
from ebm_mpc_ros.estimation.particles import gaussian
from ebm_mpc_ros.models import Jacobians, Model
from ebm_mpc_ros.models.transition import GaussianTransition, Nominal


class Bent(Model):
    """x' = 0.9 x + 0.5 u + w, of which z = x + x³/3 is measured."""

    state_names = ("vx",)
    input_names = ("ax",)
    noise_names = ("vx",)
    state_size = 1

    def f(self, x, u, dt, w=None):
        return 0.9 * x + 0.5 * u

    def jacobians(self, x, u, dt):
        shape = (*x.shape, 1)
        return Jacobians(np.full(shape, 0.9), np.full(shape, 0.5), np.ones(shape))

    def h(self, x, v=None):
        return x + x**3 / 3.0

    def H(self, x):
        return (1.0 + x * x)[..., None]

    def innovation(self, z, x):
        return z - self.h(x)


class Steep:
    """E = exp(2 v) - 2 v, v = y - m(x): lopsided, its mode m = sin(x) units from the nominal."""

    def __init__(self, model, factor):
        self.model, self.factor = model, factor

    def at(self, x, u, dt):
        following, jacobians = self.model.linearize(x, u, dt)
        nominal = Nominal(following, jacobians, np.full((*x.shape, 1), self.factor))
        return PlacedSteep(nominal, np.sin(x))


class PlacedSteep:
    smoothing = 0.0

    def __init__(self, nominal, m):
        self.nominal, self.m = nominal, m

    def value(self, y):
        v = y - self.m
        return (np.exp(2.0 * v) - 2.0 * v)[..., 0]

    def slope_and_curvature(self, y):
        v = y - self.m
        return 2.0 * np.exp(2.0 * v) - 2.0, 4.0 * np.exp(2.0 * v)[..., None]

    def cross(self, y):
        raise NotImplementedError


class Wavy:
    """E = y² / 2 + 0.3 sin(1.5 y + 0.7): lopsided, its tails no wider than Laplace's Gaussian's."""

    smoothing = 0.0

    def __init__(self, factor, nominal=None):
        self.model, self.factor, self.nominal = Bent(), factor, nominal

    def at(self, x, u, dt):
        following, jacobians = self.model.linearize(x, u, dt)
        nominal = Nominal(following, jacobians, np.full((*x.shape, 1), self.factor))
        return Wavy(self.factor, nominal)

    def value(self, y):
        return (0.5 * y * y + 0.3 * np.sin(1.5 * y + 0.7))[..., 0]

    def slope_and_curvature(self, y):
        curvature = 1.0 - 0.675 * np.sin(1.5 * y + 0.7)
        return y + 0.45 * np.cos(1.5 * y + 0.7), curvature[..., None]

    def cross(self, y):
        raise NotImplementedError


def exact(energy, begun, steps, z, variance):
    """Return the posterior's points and weights after steps, by quadrature on a grid."""
    points = np.linspace(-7.0, 7.0, 1401)
    density = np.exp(-0.5 * (points - begun.state[0]) ** 2 / begun.covariance[0, 0])
    placed = energy.at(points[:, None], np.zeros((len(points), 1)), DT)
    y = (points[:, None] - placed.nominal.following[:, 0]) / energy.factor
    v = y - placed.m[:, 0]
    with np.errstate(over="ignore"):
        kernel = np.exp(2.0 * v - np.exp(2.0 * v))
    for _ in range(steps):
        density = kernel @ (density / density.sum())
    density *= np.exp(-0.5 * (z - energy.model.h(points)) ** 2 / variance)
    return points, density / density.sum()


@pytest.mark.parametrize("steps", [1, 12])
@pytest.mark.parametrize("resample_below", [0.5, 1.0])
@pytest.mark.parametrize("variance", [0.01, 1.0])
def test_lopsided_steps_and_a_bent_measurement_are_those_of_quadrature(
    variance, resample_below, steps
):
    energy = Steep(Bent(), 0.8)
    one = EnergyFilterSettings(energy=energy, particles=20_000, resample_below=resample_below)
    begun, z = Belief(np.array([1.0]), np.array([[0.25]])), 2.5
    rng = np.random.default_rng(0)
    before = start(one, begun, rng)
    for _ in range(steps):
        before = predict(one, before, np.zeros(1), DT, rng)
    measured = Measurement(0, "odom0", (0,), np.array([z]), np.array([[variance]]))
    result = update(one, before, measured, rng)
    assert result.ended is Ended.FUSED
    points, density = exact(energy, begun, steps, z, variance)
    x, w = result.particles.states[:, 0], result.particles.weights
    worth = min(result.ancestors, result.draws)
    mean = density @ points
    for power in (1, 2, 3):
        about = (points - mean) ** power if power > 1 else points
        wanted = density @ about
        error = np.sqrt(density @ (about - wanted) ** 2 / worth)
        found = w @ ((x - mean) ** power if power > 1 else x)
        assert abs(found - wanted) < 4.0 * error


def test_particles_last_through_silence_without_a_drift():
    energy = Wavy(0.2)
    one, rng = EnergyFilterSettings(energy=energy, particles=2000), np.random.default_rng(1)
    y = np.linspace(-9.0, 9.0, 1801)
    share = np.exp(-energy.value(y[:, None]))
    share /= share.sum()
    step = share @ y
    width = share @ (y - step) ** 2
    mean, variance = 1.0, 0.25
    particles = start(one, Belief(np.array([mean]), np.array([[variance]])), rng)
    for _ in range(200):
        particles = predict(one, particles, np.zeros(1), DT, rng)
        mean, variance = 0.9 * mean + 0.2 * step, 0.81 * variance + 0.04 * width
        assert particles.effective_sample_size > 0.3 * one.particles
        # What the last 1 / (1 - 0.9²) steps have lost is not forgotten yet.
        worth = 0.2 * one.particles
        found = gaussian(energy.model, particles)
        assert abs(found.state[0] - mean) < 4.0 * np.sqrt(variance / worth)
        assert abs(found.covariance[0, 0] / variance - 1.0) < 4.0 * np.sqrt(2.0 / worth)


def test_copies_of_one_ancestor_count_as_one():
    one, rng = EnergyFilterSettings(energy=Wavy(0.8), particles=500), np.random.default_rng(2)
    begun = start(one, Belief(np.array([1.0]), np.array([[0.25]])), rng)
    few = np.zeros(500)
    few[:4] = 0.25
    before = predict(one, begun._replace(weights=few), np.zeros(1), DT, rng)
    assert before.effective_sample_size > 200
    measured = Measurement(0, "odom0", (0,), np.array([1.3]), np.array([[100.0]]))
    assert update(one, before, measured, rng).ancestors == pytest.approx(4.0, rel=0.05)


def test_particles_chosen_anew_have_the_same_bits_for_the_same_seed():
    one, rng = EnergyFilterSettings(energy=Wavy(0.8), particles=50), np.random.default_rng(3)
    begun = start(one, Belief(np.array([1.0]), np.array([[0.25]])), rng)
    few = np.zeros(50)
    few[:4] = 0.25
    first, second = (
        predict(one, begun._replace(weights=few), np.zeros(1), DT, np.random.default_rng(4))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.states, second.states)
    np.testing.assert_array_equal(first.weights, second.weights)


def chi_squared(model, belief, truth):
    error = model.minus(belief.state, truth)
    return error @ np.linalg.solve(belief.covariance, error)


@pytest.mark.parametrize("seed", range(3))
def test_both_sides_of_two_beacons_are_kept_until_a_turn_decides(seed):
    model, rng = Ranging(), np.random.default_rng(seed)
    one = EnergyFilterSettings(energy=GaussianTransition(model, PROCESS_NOISE), particles=1000)
    particles = start(one, prior(0.0), rng)
    left = []
    for k, u, truth, z in drive(seed):
        if k:
            particles = predict(one, particles, u, DT, rng)
        result = update(one, particles, z, rng)
        assert result.ended is Ended.FUSED
        particles = result.particles
        left.append(particles.weights[particles.states[:, 1] > 0.0].sum())
        if k == TURN - 1:
            # Two clouds, each about a place where the robot might be.
            across = np.abs(np.abs(particles.states[:, 1]) - truth[1])
            assert across.max() < 0.5
    assert min(left[:TURN]) > 0.1
    assert max(left[:TURN]) < 0.9
    assert left[-1] > 0.999
    found = gaussian(model, particles)
    assert np.linalg.norm((found.state - truth)[:2]) < 0.15
    assert chi_squared(model, found, truth) < 25.0


def test_an_ekf_from_the_wrong_side_never_comes_back():
    model = Ranging()
    belief = prior(-2.0)
    for k, u, place, z in drive(0):
        truth = place
        if k:
            belief = ekf.predict(model, belief, u, DT, PROCESS_NOISE)
        belief = ekf.update(model, belief, z).belief
    assert np.linalg.norm((belief.state - truth)[:2]) > 4.0
    assert chi_squared(model, belief, truth) > 1e4
