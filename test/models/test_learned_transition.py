"""A learned transition by the numbers: its derivatives, its limits, and whole steps of it."""

import tracemalloc

import numpy as np
import pytest

from ebm_mpc_ros.models import load_model
from ebm_mpc_ros.models.diff_drive import DiffDrive
from ebm_mpc_ros.models.learned_model import LearnedModel
from ebm_mpc_ros.models.learned_transition import LearnedTransition, Support
from ebm_mpc_ros.models.silu_network import SiluNetwork
from ebm_mpc_ros.models.transition import laplace, mode

DT, H = 0.05, 16
DEVIATION = np.array([3e-3, 2e-3, 4e-3, 0.03, 0.06])
ROBOTS = ["diff_drive", "ackermann", "omni"]


def network(d, C, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)

    def random(*shape):
        return rng.normal(size=shape) * scale / np.sqrt(shape[-1])

    weights = random(H, d), random(H, C), random(H), random(H, H), random(H)
    return SiluNetwork(*weights, outer=2.0 * scale * rng.normal(size=H) / np.sqrt(H))


def learned(name="diff_drive", scale=1.5, reach=1.5, model=None, **changes):
    model = model or load_model(name)
    n = len(model.state_names)
    C = n - 3 + len(model.input_names)
    factor = np.eye(C) + 0.2 * np.random.default_rng(1).normal(size=(C, C))
    return LearnedTransition(
        model,
        network(n, C, scale),
        Support(np.full(C, 0.1), factor, reach),
        dt=DT,
        variance=np.resize(DEVIATION, n) ** 2,
        **changes,
    )


def points(model, batch=(7,), seed=2):
    rng = np.random.default_rng(seed)
    x = 0.6 * rng.normal(size=(*batch, len(model.state_names)))
    x[..., 2] *= 5.0
    return x, rng.normal(size=(*batch, len(model.input_names)))


def differences(function, at, h=1e-5):
    """Return ∂function/∂at by central differences, (…, k, len(at))."""
    steps = h * np.eye(at.shape[-1])
    columns = [(function(at + step) - function(at - step)) / (2 * h) for step in steps]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize("confinement", [1.0, 0.6])
def test_the_derivatives_in_y_are_those_of_the_values(confinement):
    energy = learned(confinement=confinement)
    x, u = points(energy.model)
    y = np.random.default_rng(3).normal(size=x.shape)
    placed = energy.at(x, u, DT)
    slope, curvature = placed.slope_and_curvature(y)
    by_value = differences(lambda y: placed.value(y)[..., None], y)[..., 0, :]
    np.testing.assert_allclose(slope, by_value, atol=1e-8)
    by_slope = differences(lambda y: placed.slope_and_curvature(y)[0], y)
    np.testing.assert_allclose(curvature, by_slope, atol=1e-8)
    np.testing.assert_array_equal(placed.slope_and_curvature(y.copy())[1], curvature)


def test_a_network_keeps_what_it_computed_no_longer_than_the_array():
    c, y = np.zeros((500, 4)), np.zeros((500, 5))
    placed = network(5, 4).at(c)
    tracemalloc.start()
    try:
        placed.slope_and_curvature(y)
        assert tracemalloc.get_traced_memory()[0] > 8 * 2 * y.size * H
        placed.slope_and_curvature(y + 1.0)
        assert tracemalloc.get_traced_memory()[0] < 8 * y.size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("confinement", [1.0, 0.6])
@pytest.mark.parametrize("name", ROBOTS)
def test_the_cross_derivatives_hold_the_next_state(name, confinement):
    energy = learned(name, confinement=confinement)
    x, u = points(energy.model)
    placed = energy.at(x, u, DT)
    y = mode(placed).y
    assert np.abs(y).max() > 0.3
    following = placed.nominal.following + (placed.nominal.factor @ y[..., None])[..., 0]

    def slope(x, u):
        there = energy.at(x, u, DT)
        delta = following - there.nominal.following
        return there.slope_and_curvature(
            np.linalg.solve(there.nominal.factor, delta[..., None])[..., 0]
        )[0]

    by_x, by_u = placed.cross(y)
    for analytic, numeric in (
        (by_x, differences(lambda x: slope(x, u), x, 1e-6)),
        (by_u, differences(lambda u: slope(x, u), u, 1e-6)),
    ):
        np.testing.assert_allclose(analytic, numeric, rtol=0, atol=1e-6 * np.abs(analytic).max())


@pytest.mark.parametrize("time", [DT, 2 * DT, 2.4 * DT, 0.4 * DT])
@pytest.mark.parametrize("name", ROBOTS)
def test_A_and_B_are_derivatives_of_f(name, time):
    model = LearnedModel(learned(name))
    x, u = points(model)
    following, (A, B, _) = model.linearize(x, u, time)
    np.testing.assert_array_equal(following, model.f(x, u, time))
    # A slope of 1e-8 leaves a mode 1e-6 off where it is flattest.
    numeric = differences(lambda x: model.f(x, u, time), x, 1e-6)
    np.testing.assert_allclose(A, numeric, atol=3e-6)
    numeric = differences(lambda u: model.f(x, u, time), u, 1e-6)
    np.testing.assert_allclose(B, numeric, atol=3e-6)


def test_the_data_is_trusted_within_reach_and_less_and_less_beyond():
    support = learned().at(*points(load_model("diff_drive")), DT)
    assert support.trust.min() < 0.5
    assert support.trust.max() == 1.0
    given = Support(np.array([0.3]), np.array([[2.0]]), 3.0)
    c = np.array([[0.3], [1.8], [2.3], [-1.7]])
    trust, slope = given.trust(c)
    np.testing.assert_allclose(trust, np.exp([0.0, 0.0, -0.5, -0.5]))
    np.testing.assert_allclose(slope[:, 0], [0.0, 0.0, -2.0 * trust[2], 2.0 * trust[3]])


def test_far_from_the_data_it_is_the_nominal_model():
    model = LearnedModel(learned())
    x, u = points(model)
    far = x.copy()
    far[:, 3] = 9.0
    nominal, jacobians = model.energy.model.linearize(far, u, DT)
    found, learned_jacobians = model.linearize(far, u, DT)
    np.testing.assert_allclose(found, nominal, rtol=0, atol=1e-8)
    for ours, theirs in zip(learned_jacobians, jacobians, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8)
    near = model.f(x, u, DT) - model.energy.model.f(x, u, DT)
    assert np.abs(near / DEVIATION).max() > 0.5


@pytest.mark.parametrize("spans", [[DT], [DT] * 3, [DT, DT, 0.3 * DT], [0.3 * DT]])
@pytest.mark.parametrize("name", ROBOTS)
def test_without_a_network_it_is_the_nominal_model(name, spans):
    energy = learned(name, scale=0.0)
    model, nominal, n = LearnedModel(energy), energy.model, energy.variance.size
    x, u = points(model, ())
    time, Q = sum(spans), np.diag(energy.variance / DT)
    found, jacobians = model.linearize(x, u, time)
    A, B, covariance = np.eye(n), np.zeros((n, u.size)), np.zeros((n, n))
    for span in spans:
        x, (by_x, by_u, W) = nominal.linearize(x, u, span)
        A, B = by_x @ A, by_x @ B + by_u
        covariance = by_x @ covariance @ by_x.T + W @ (Q * span) @ W.T
    np.testing.assert_allclose(found, x, rtol=0, atol=1e-8)
    np.testing.assert_allclose(jacobians.A, A, rtol=0, atol=1e-8)
    np.testing.assert_allclose(jacobians.B, B, rtol=0, atol=1e-8)
    noise = jacobians.W @ (model.noise_density * time) @ jacobians.W.T
    np.testing.assert_allclose(noise, covariance, rtol=0, atol=1e-10)


def test_a_turned_and_shifted_robot_moves_as_before():
    model = LearnedModel(learned())
    x, u = points(model)
    moved = x + np.array([3.0, -2.0, 1.1, 0.0, 0.0])
    step, other = (model.f(at, u, DT) - at for at in (x, moved))
    cos, sin = np.cos(1.1), np.sin(1.1)
    np.testing.assert_allclose(other[:, 0], cos * step[:, 0] - sin * step[:, 1], atol=1e-12)
    np.testing.assert_allclose(other[:, 1], sin * step[:, 0] + cos * step[:, 1], atol=1e-12)
    np.testing.assert_allclose(other[:, 2:], step[:, 2:], atol=1e-12)


def test_several_steps_are_one_after_the_other():
    model = LearnedModel(learned())
    x, u = points(model)
    one = model.f(model.f(x, u, DT), u, DT)
    np.testing.assert_array_equal(model.f(x, u, 2 * DT), one)
    np.testing.assert_array_equal(model.f(x, u, 2 * DT - 1e-9), one)
    rest = model.f(x, u, 2.5 * DT)
    np.testing.assert_allclose(rest, model.f(one, u, 0.5 * DT), atol=1e-12)


def test_a_part_of_a_step_has_its_part_of_what_was_learned():
    model = LearnedModel(learned())
    nominal, (x, u) = model.energy.model, points(model)
    whole, (A, B, W) = model.linearize(x, u, DT)
    base, (nominal_A, nominal_B, _) = nominal.linearize(x, u, DT)
    assert np.abs((whole - base) / DEVIATION).max() > 0.5
    following, part = model.linearize(x, u, 0.3 * DT)
    begun, of_nominal = nominal.linearize(x, u, 0.3 * DT)
    np.testing.assert_allclose(following, begun + 0.3 * (whole - base), rtol=0, atol=1e-12)
    np.testing.assert_allclose(part.A, of_nominal.A + 0.3 * (A - nominal_A), rtol=0, atol=1e-12)
    np.testing.assert_allclose(part.B, of_nominal.B + 0.3 * (B - nominal_B), rtol=0, atol=1e-12)
    np.testing.assert_allclose(part.W, W, rtol=0, atol=1e-12)


@pytest.mark.parametrize("time", [DT, 2 * DT, 2.4 * DT, 0.4 * DT])
def test_the_energy_over_any_time_has_the_models_mode_and_width(time):
    model = LearnedModel(learned(smoothing=0.3))
    x, u = points(model)
    following, jacobians = model.linearize(x, u, time)
    found = laplace(model.at(x, u, time))
    np.testing.assert_allclose(found.A, jacobians.A, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.B, jacobians.B, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.W, jacobians.W, rtol=0, atol=1e-9)
    reached = model.at(x, u, time).nominal.following + found.delta
    np.testing.assert_allclose(reached, following, rtol=0, atol=1e-12)


def test_the_smoothing_leaves_the_covariance_as_far_as_the_data_is_trusted():
    plain, smooth = (learned(smoothing=s) for s in (0.0, 0.2))
    x, u = points(plain.model)
    x[0, 3] = 9.0
    with_it, without = laplace(plain.at(x, u, DT)), laplace(smooth.at(x, u, DT))
    L = plain.at(x, u, DT).nominal.factor
    taken = 0.04 * plain.at(x, u, DT).trust[:, None, None] * (L @ L.swapaxes(-1, -2))
    np.testing.assert_allclose(with_it.covariance - without.covariance, taken, atol=1e-12)
    assert taken[0].max() < 1e-12 < taken[1:].max()


def test_a_single_state_is_that_of_the_batch():
    model = LearnedModel(learned())
    x, u = points(model)
    whole, one = model.linearize(x, u, 2 * DT), model.linearize(x[3], u[3], 2 * DT)
    np.testing.assert_allclose(one[0], whole[0][3], atol=1e-12)
    for single, batch in zip(one[1], whole[1], strict=True):
        np.testing.assert_allclose(single, batch[3], atol=1e-10)


@pytest.mark.parametrize("time", [DT, 2 * DT, 2.4 * DT])
def test_what_a_controller_is_written_is_f_and_its_jacobians_tick_after_tick(time):
    model = LearnedModel(learned())
    x, u = points(model, (9,))
    following, stages = np.zeros((9, 5)), np.zeros((9, 5, 7))
    write = model.linearizer(time, following, stages)
    for _ in range(4):
        write(x, u)
        expected, (A, B, _) = model.linearize(x, u, time)
        np.testing.assert_allclose(following, expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(stages, np.concatenate([A, B], axis=-1), rtol=0, atol=1e-6)
        x, u = np.roll(x, -1, axis=0) + 0.01, np.roll(u, -1, axis=0)


def test_a_guess_counts_where_it_is_lower_and_the_mode_is_the_same():
    energy = learned()
    placed = energy.at(*points(energy.model), DT)
    found = mode(placed)
    for guess in (found.y, found.y + 0.1, np.full_like(found.y, 50.0)):
        again = mode(placed, guess)
        assert again.converged.all()
        np.testing.assert_allclose(again.y, found.y, rtol=0, atol=1e-7)


def test_noise_moves_the_state_by_W():
    model = LearnedModel(learned())
    x, u = points(model)
    w = 0.1 * np.ones_like(x)
    following, jacobians = model.linearize(x, u, DT)
    moved = following + (jacobians.W @ w[..., None])[..., 0]
    np.testing.assert_allclose(model.f(x, u, DT, w), moved, atol=1e-12)


class Odd(DiffDrive):
    """Its noise grows with the speed."""

    def jacobians(self, x, u, dt):
        found = super().jacobians(x, u, dt)
        return found._replace(W=found.W * (1.0 + x[..., 3, None, None] ** 2))


class Still(DiffDrive):
    """Its noise is given in the axes of the world."""

    def jacobians(self, x, u, dt):
        found = super().jacobians(x, u, dt)
        return found._replace(W=np.broadcast_to(np.eye(5), found.W.shape))


def test_noise_axes_may_turn_or_stay_and_do_nothing_else():
    with pytest.raises(ValueError, match="constant, or turn with yaw"):
        learned(model=Odd())
    model = LearnedModel(learned(model=Still()))
    x, u = points(model)
    numeric = differences(lambda x: model.f(x, u, DT), x, 1e-6)
    np.testing.assert_allclose(model.jacobians(x, u, DT).A, numeric, atol=1e-7)


def test_what_does_not_fit_the_model_is_refused():
    energy = learned()
    with pytest.raises(ValueError, match=r"step of 0\.05 s"):
        energy.at(*points(energy.model), 0.1)
    support = Support(np.zeros(4), np.eye(4), 1.0)
    given = {"dt": DT, "variance": DEVIATION**2}
    with pytest.raises(ValueError, match="4 variables: must be 5"):
        LearnedTransition(DiffDrive(), network(4, 4), support, **given)
    with pytest.raises(ValueError, match="3 conditions: must be 4"):
        LearnedTransition(DiffDrive(), network(5, 3), support, **given)
    with pytest.raises(ValueError, match="above 0"):
        LearnedTransition(DiffDrive(), network(5, 4), support, dt=DT, variance=np.zeros(5))
    with pytest.raises(ValueError, match="16 error coordinates: must be 15"):
        learned("rigid_body")
