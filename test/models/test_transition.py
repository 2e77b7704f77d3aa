"""Transition energies: what a Gaussian one gives back, and modes that are far, many or none."""

import numpy as np
import pytest

from ebm_mpc_ros.models import Jacobians, Model, load_model
from ebm_mpc_ros.models.energy_model import EnergyModel
from ebm_mpc_ros.models.transition import GaussianTransition, Nominal, laplace, mode

DT = 0.1


class Linear(Model):
    """x' = A x + B u + W w, of four states and two inputs, for one step size."""

    state_names = ("x", "y", "vx", "vy")
    input_names = ("ax", "ay")
    noise_names = state_names
    state_size = 4

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(4, 4))
        self.A = 0.95 * A / np.abs(np.linalg.eigvals(A)).max()
        self.B, self.W = rng.normal(size=(4, 2)), np.eye(4) + 0.4 * rng.normal(size=(4, 4))

    def f(self, x, u, dt, w=None):
        moved = x @ self.A.T + u @ self.B.T
        return moved if w is None else moved + w @ self.W.T

    def jacobians(self, x, u, dt):
        shape = x.shape[:-1]
        return Jacobians(
            *(np.broadcast_to(M, (*shape, *M.shape)) for M in (self.A, self.B, self.W))
        )


class Off:
    """An energy that is asked from y₀ away."""

    smoothing = 0.0

    def __init__(self, placed, y0):
        self._placed, self._y0, self.nominal = placed, y0, placed.nominal

    def value(self, y):
        return self._placed.value(y + self._y0)

    def slope_and_curvature(self, y):
        return self._placed.slope_and_curvature(y + self._y0)

    def cross(self, y):
        return self._placed.cross(y + self._y0)


class Scalar(Model):
    """x' = a x + b u + w with one state."""

    state_names = ("vx",)
    input_names = ("ax",)
    noise_names = ("vx",)
    state_size = 1

    def f(self, x, u, dt, w=None):
        return 0.9 * x + 0.5 * u + (0.0 if w is None else w)

    def jacobians(self, x, u, dt):
        shape = (*x.shape, 1)
        return Jacobians(np.full(shape, 0.9), np.full(shape, 0.5), np.ones(shape))


class Shaped:
    """E = e(y - m), m = 3 sin(x) - 2 u² and e with its two derivatives; L is 0.2."""

    L = 0.2
    smoothing = 0.0

    def __init__(self, e, slope, curvature, at_rest=False):
        self.model, self.at_rest = Scalar(), at_rest
        self.e, self.slope, self.curvature = e, slope, curvature

    def at(self, x, u, dt):
        following, jacobians = self.model.linearize(x, u, dt)
        self.nominal = Nominal(following, jacobians, np.full((*x.shape, 1), self.L))
        self.m = 0.0 * x if self.at_rest else 3.0 * np.sin(x) - 2.0 * u * u
        self.by_x, self.by_u = 3.0 * np.cos(x)[..., None], -4.0 * u[..., None]
        return self

    def value(self, y):
        return self.e(y - self.m)[..., 0]

    def slope_and_curvature(self, y):
        return self.slope(y - self.m), self.curvature(y - self.m)[..., None]

    def cross(self, y):
        curvature = self.curvature(y - self.m)[..., None]
        return -curvature * (0.9 / self.L + self.by_x), -curvature * (0.5 / self.L + self.by_u)


def steep():
    """e = exp(2 v) - 2 v: least at 0, of curvature 4 there, and a wall beyond it."""
    return Shaped(
        lambda v: np.exp(2.0 * v) - 2.0 * v,
        lambda v: 2.0 * np.exp(2.0 * v) - 2.0,
        lambda v: 4.0 * np.exp(2.0 * v),
    )


def double_well(at_rest):
    """e = (v² - 4)²/16: least at ±2, of curvature 2 there, and a hill of curvature -1 at 0."""
    return Shaped(
        lambda v: (v * v - 4.0) ** 2 / 16.0,
        lambda v: v * (v * v - 4.0) / 4.0,
        lambda v: (3.0 * v * v - 4.0) / 4.0,
        at_rest,
    )


def density(size, seed=1):
    """Return a Q_w that is no multiple of the identity."""
    root = np.random.default_rng(seed).normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def points(model, batch=(3, 4), seed=2):
    rng = np.random.default_rng(seed)
    n, m = len(model.state_names), len(model.input_names)
    origin = np.broadcast_to(np.array(model.origin()), (*batch, model.state_size)).copy()
    x = model.plus(origin, rng.normal(size=(*batch, n)))
    if "yaw" in model.state_names and model.state_size == n:
        x[..., 2] = np.pi - 0.01
    return x, rng.normal(size=(*batch, m))


MODELS = [Linear(), load_model("diff_drive"), load_model("ackermann"), load_model("rigid_body")]
NAMES = ["linear", "diff_drive", "ackermann", "rigid_body"]


@pytest.mark.parametrize("off", [0.0, 3.0])
@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_a_gaussian_energy_gives_back_A_B_and_W_Qw_Wt(model, off):
    (x, u), n = points(model), len(model.state_names)
    Q = density(n)
    A, B, W = model.jacobians(x, u, DT)
    y0 = off * np.random.default_rng(3).normal(size=(*x.shape[:-1], n))
    placed = GaussianTransition(model, Q).at(x, u, DT)
    found = laplace(Off(placed, y0) if off else placed)
    assert found.converged.all()
    wanted = -(placed.nominal.factor @ y0[..., None])[..., 0]
    np.testing.assert_allclose(found.delta, wanted, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.A, A, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.B, B, rtol=0, atol=1e-8)
    noise = W @ (Q * DT) @ W.swapaxes(-1, -2)
    np.testing.assert_allclose(found.covariance, noise, rtol=0, atol=1e-8)
    by_W = found.W @ (Q * DT) @ found.W.swapaxes(-1, -2)
    np.testing.assert_allclose(by_W, noise, rtol=0, atol=1e-8)
    assert model.additive_noise or not np.allclose(noise, Q * DT, rtol=0.01)


@pytest.mark.parametrize("model", MODELS[:3], ids=NAMES[:3])
def test_a_gaussian_energy_is_half_the_squared_distance_under_the_models_noise(model):
    (x, u), Q = points(model), density(len(model.state_names))
    following, (_, _, W) = model.linearize(x, u, DT)
    beyond = model.plus(following.copy(), 0.3 * points(model, seed=5)[0])
    delta = model.minus(beyond, following)
    precision = np.linalg.inv(W @ (Q * DT) @ W.swapaxes(-1, -2))
    expected = 0.5 * (delta[..., None, :] @ precision @ delta[..., None])[..., 0, 0]
    placed = GaussianTransition(model, Q).at(x, u, DT)
    y = np.linalg.solve(placed.nominal.factor, delta[..., None])[..., 0]
    np.testing.assert_allclose(placed.value(y), expected, rtol=1e-10)


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_the_derivatives_of_a_gaussian_energy_are_those_of_its_values(model):
    """E(x', x, u), x' about the mode, by central differences of its values alone."""
    (x, u), n, h = points(model, ()), len(model.state_names), 1e-4
    energy = GaussianTransition(model, density(n))
    placed = energy.at(x, u, DT)
    following, L = placed.nominal.following, placed.nominal.factor

    def value(y, delta, du):
        other = energy.at(model.plus(x, delta), u + du, DT)
        there = model.minus(model.plus(following, L @ y), other.nominal.following)
        return other.value(np.linalg.solve(other.nominal.factor, there))

    def second(i, j, size, place):
        total = 0.0
        for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            moves = [np.zeros(n), np.zeros(n), np.zeros(u.size)]
            moves[0][i] += a * h
            moves[place][j] += b * h
            total += a * b * value(*moves)
        return total / (4 * h * h)

    mixed, curvature = placed.cross(np.zeros(n)), placed.slope_and_curvature(np.zeros(n))[1]
    for place, analytic in enumerate((curvature, *mixed)):
        size = analytic.shape[1]
        tolerance = 1e-4 * (1.0 + np.abs(mixed[0]).max())
        numeric = [[second(i, j, size, place) for j in range(size)] for i in range(n)]
        numeric = np.reshape(numeric, (n, size))
        np.testing.assert_allclose(analytic, numeric, atol=tolerance)


def test_the_mode_of_a_lopsided_energy_is_found_from_either_side():
    x, u = np.array([[-0.3], [0.2], [1.1]]), np.array([[1.0], [0.3], [0.0]])
    placed = steep().at(x, u, DT)
    found = mode(placed)
    assert found.converged.all()
    assert placed.m.min() < -2.0 < 2.0 < placed.m.max()
    np.testing.assert_allclose(found.y, placed.m, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.stiffness, 4.0, rtol=0, atol=1e-6)


@pytest.mark.parametrize("energy", [steep(), double_well(at_rest=False)], ids=["steep", "double"])
def test_the_jacobians_of_a_mode_are_its_derivatives(energy):
    model, h = EnergyModel(energy), 1e-6
    x, u = np.array([[-0.3], [0.2], [1.1]]), np.array([[0.4], [-0.9], [0.7]])
    jacobians = model.jacobians(x, u, DT)
    by_x = (model.f(x + h, u, DT) - model.f(x - h, u, DT)) / (2 * h)
    by_u = (model.f(x, u + h, DT) - model.f(x, u - h, DT)) / (2 * h)
    np.testing.assert_allclose(jacobians.A[..., 0], by_x, atol=1e-6)
    np.testing.assert_allclose(jacobians.B[..., 0], by_u, atol=1e-6)
    assert np.abs(jacobians.A - 0.9).min() > 0.1


def test_the_covariance_is_the_inverse_curvature_in_the_units_of_the_state():
    wide = Shaped(lambda v: v * v / 8.0, lambda v: v / 4.0, lambda v: 0.25 + 0.0 * v)
    found = laplace(wide.at(np.array([0.2]), np.array([0.4]), DT))
    np.testing.assert_allclose(found.covariance, [[4.0 * 0.2**2]], rtol=1e-12)
    np.testing.assert_allclose(found.W, [[2.0]], rtol=1e-12)


@pytest.mark.parametrize(("smoothing", "left"), [(1.0, 3.0), (3.99, 3.99 / 4), (6.0, 1.5)])
def test_the_smoothing_of_the_learning_is_taken_out_of_the_covariance(smoothing, left):
    wide = Shaped(lambda v: v * v / 8.0, lambda v: v / 4.0, lambda v: 0.25 + 0.0 * v)
    wide.smoothing = smoothing
    x = np.array([0.2])
    found = laplace(wide.at(x, np.array([0.4]), DT))
    np.testing.assert_allclose(found.covariance, [[left * 0.2**2]], rtol=1e-12)
    np.testing.assert_allclose(found.W, [[np.sqrt(left)]], rtol=1e-12)
    wide.smoothing = 0.0
    sharp = laplace(wide.at(x, np.array([0.4]), DT))
    np.testing.assert_array_equal(found.A, sharp.A)
    np.testing.assert_array_equal(found.delta, sharp.delta)


def test_a_nearly_flat_mode_has_at_most_ten_times_the_nominal_deviation():
    flat = Shaped(lambda v: 5e-7 * v * v, lambda v: 1e-6 * v, lambda v: 1e-6 + 0.0 * v, True)
    found = laplace(flat.at(np.array([0.2]), np.array([0.4]), DT))
    assert found.converged
    np.testing.assert_allclose(found.covariance, [[100.0 * 0.2**2]], rtol=1e-12)


def test_from_a_hill_the_nearest_descent_ends_in_a_well():
    energy = double_well(at_rest=True)
    x = np.zeros((2, 1))
    placed = energy.at(x, x, DT)
    placed.m = np.array([[0.3], [-0.1]])
    assert (placed.slope_and_curvature(0.0 * x)[1] < 0.0).all()
    found = mode(placed)
    assert found.converged.all()
    np.testing.assert_allclose(found.y - placed.m, [[-2.0], [2.0]], rtol=0, atol=1e-7)


def nominal_of(energy, x, u):
    following, (A, B, _) = energy.model.linearize(x, u, DT)
    return following, A, B, np.full_like(A, energy.L**2)


@pytest.mark.parametrize(
    "energy",
    [
        double_well(at_rest=True),  # starts on the very top
        Shaped(lambda v: -v, lambda v: -1.0 + 0.0 * v, lambda v: 0.0 * v),
        Shaped(lambda v: np.nan * v, lambda v: np.nan * v, lambda v: np.nan * v),
        Shaped(lambda v: v * v, lambda v: 2.0 * v, lambda v: np.inf + v),
        Shaped(lambda v: -np.inf + 0.0 * v, lambda v: 0.0 * v, lambda v: 1.0 + 0.0 * v),
    ],
    ids=["saddle", "unbounded", "nan", "infinite curvature", "bottomless"],
)
def test_without_a_mode_all_is_the_nominal_models_and_the_result_says_so(energy):
    x, u = np.array([[0.2], [0.5]]), np.array([[0.4], [-1.0]])
    model = EnergyModel(energy)
    found = model.transition(x, u, DT)
    assert not found.converged.any()
    following, A, B, noise = nominal_of(energy, x, u)
    np.testing.assert_array_equal(model.f(x, u, DT), following)
    np.testing.assert_array_equal(found.A, A)
    np.testing.assert_array_equal(found.B, B)
    np.testing.assert_allclose(found.covariance, noise, rtol=1e-12)


def test_where_no_step_leads_down_none_is_tried_again():
    asked = []

    def slope(v):
        asked.append(v)
        return v + 1.0

    energy = Shaped(np.abs, slope, lambda v: 1.0 + 0.0 * v, at_rest=True)
    assert not mode(energy.at(np.zeros((2, 1)), np.zeros((2, 1)), DT)).converged.any()
    assert len(asked) == 1


def test_a_mode_that_a_few_steps_do_not_reach_is_none():
    found = mode(steep().at(np.array([[0.0], [0.0]]), np.array([[2.5], [0.5]]), DT))
    assert found.converged.tolist() == [False, True]
    assert found.y[0] == 0.0


def test_one_without_a_mode_does_not_spoil_the_others():
    energy = Shaped(
        lambda v: np.where(v > 2.0, np.nan, v * v / 2),
        lambda v: np.where(v > 2.0, np.nan, v),
        lambda v: 1.0 + 0.0 * v,
    )
    # At u = 2 the mode lies 8 units below, so that y = 0 is where E is not a number.
    x, u = np.array([[0.2], [0.5], [0.2]]), np.array([[0.4], [2.0], [-0.1]])
    found = EnergyModel(energy).transition(x, u, DT)
    assert found.converged.tolist() == [True, False, True]
    np.testing.assert_allclose(found.delta[[0, 2]], 0.2 * energy.m[[0, 2]], atol=1e-8)
    np.testing.assert_array_equal(found.delta[1], 0.0)
    assert found.A[1] == 0.9
    assert np.abs(found.A[[0, 2]] - 0.9).min() > 0.1


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_the_model_of_a_gaussian_energy_is_the_model(model):
    (x, u), n = points(model), len(model.state_names)
    energy, w = EnergyModel(GaussianTransition(model, density(n))), 0.1 * np.ones((3, 4, n))
    following, jacobians = energy.linearize(x, u, DT)
    expected, theirs = model.linearize(x, u, DT)
    np.testing.assert_allclose(following, expected, rtol=0, atol=1e-12)
    for ours, other in zip(jacobians, theirs, strict=True):
        np.testing.assert_allclose(ours, other, rtol=0, atol=1e-12)
    np.testing.assert_allclose(energy.f(x, u, DT), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(energy.f(x, u, DT, w), model.f(x, u, DT, w), rtol=0, atol=1e-12)
    z = model.h(x)
    np.testing.assert_array_equal(energy.h(x, w), model.h(x, w))
    np.testing.assert_array_equal(energy.H(x), model.H(x))
    np.testing.assert_array_equal(energy.V(x), model.V(x))
    np.testing.assert_array_equal(energy.innovation(z, x), model.innovation(z, x))
    np.testing.assert_array_equal(energy.state(z), model.state(z))
    np.testing.assert_array_equal(energy.minus(x, expected), model.minus(x, expected))
    np.testing.assert_array_equal(energy.plus(x.copy(), w), model.plus(x.copy(), w))
    rows, P = (1, 2), np.eye(n)
    values = z[..., rows] + 0.1
    np.testing.assert_array_equal(energy.residual(x, rows, values), model.residual(x, rows, values))
    np.testing.assert_array_equal(
        energy.residual_jacobian(x, rows), model.residual_jacobian(x, rows)
    )
    np.testing.assert_array_equal(energy.spread(x, P), model.spread(x, P))
    assert energy.origin() == model.origin()
    assert energy.output_names == model.output_names


def test_a_single_state_and_its_own_step_are_those_of_the_batch():
    model = load_model("diff_drive")
    energy, (x, u) = EnergyModel(GaussianTransition(model, density(5))), points(model)
    dt = np.linspace(0.01, 0.3, 12).reshape(3, 4)
    batch, one = energy.transition(x, u, dt), energy.transition(x[1, 2], u[1, 2], dt[1, 2])
    for whole, single in zip(batch, one, strict=True):
        np.testing.assert_allclose(whole[1, 2], single, rtol=0, atol=1e-12)


def test_noise_that_does_not_reach_all_coordinates_is_refused():
    model = load_model("diff_drive")
    for bad in (np.zeros((5, 5)), np.diag([1.0, 1.0, 1.0, 1.0, -1.0]), np.full((5, 5), np.nan)):
        with pytest.raises(ValueError, match="noise_density must be"):
            GaussianTransition(model, bad)
    with pytest.raises(ValueError, match=r"\(5, 5\)"):
        GaussianTransition(model, np.eye(4))

    class Pushed(Linear):
        noise_names = ("vx", "vy")

    with pytest.raises(ValueError, match="2 noises for 4"):
        GaussianTransition(Pushed(), np.eye(2))
