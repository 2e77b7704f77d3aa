"""A model with sensor biases as further states."""

import numpy as np
import pytest

from ebm_mpc_ros.estimation.biases import WithBiases
from ebm_mpc_ros.estimation.ekf import Belief, Measurement, predict, update
from ebm_mpc_ros.estimation.frames import parse_transform
from ebm_mpc_ros.estimation.motion import GyroPart, bias_names
from ebm_mpc_ros.models import load_model

HUSKY = parse_transform("base_link imu_link 0 -0.3 0.52 1.5707963 0 -1.5707963")[2]
NAMES = bias_names("imu0", "gyro")
MODELS = ["diff_drive", "ackermann", "rigid_body"]


@pytest.fixture(params=MODELS)
def model(request):
    return WithBiases(load_model(request.param), NAMES)


@pytest.fixture
def x(model, somewhere):
    x = somewhere(model, np.random.default_rng(5))
    return np.clip(x, -1.0, 1.0) if "steering" in model.state_names else x


def test_names_and_sizes_are_the_bases_and_the_biases(model):
    base = model.base
    assert model.state_names == (*base.state_names, *NAMES)
    assert model.output_names == (*base.output_names, *NAMES)
    assert model.noise_names == (*base.noise_names, *NAMES)
    assert len(model.origin()) == model.state_size == base.state_size + 3
    assert model.input_names == base.input_names


def test_A_B_and_W_are_derivatives(model, x, derivative):
    n, m, q = (len(a) for a in (model.state_names, model.input_names, model.noise_names))
    u, dt = np.full(m, 0.3), 0.1
    following, (A, B, W) = model.linearize(x, u, dt)

    def moved(state, u, w):
        return model.minus(model.f(state, u, dt, w), following)

    np.testing.assert_array_equal(following, model.f(x, u, dt))
    np.testing.assert_array_equal(model.jacobians(x, u, dt).A, A)
    still = np.zeros(q)
    expected = derivative(lambda d: moved(model.plus(x, d), u, still), n)
    np.testing.assert_allclose(A, expected, atol=1e-7)
    np.testing.assert_allclose(W, derivative(lambda w: moved(x, u, w), q), atol=1e-7)
    if m:
        expected = derivative(lambda d: moved(x, u + d, still), m)
        np.testing.assert_allclose(B, expected, atol=1e-7)
    assert B.shape == (n, m)


def test_H_is_the_derivative_of_the_innovation(model, x, derivative):
    n = len(model.state_names)
    expected = derivative(lambda d: model.innovation(model.h(model.plus(x, d)), x), n)
    np.testing.assert_allclose(model.H(x), expected, atol=1e-7)
    rows = (n - 1, 2, n - 3, 0)
    np.testing.assert_array_equal(model.residual_jacobian(x, rows), model.H(x)[list(rows)])


def test_a_sum_and_its_difference_are_inverse(model, x):
    d = np.random.default_rng(1).normal(size=len(model.state_names)) * 0.3
    np.testing.assert_allclose(model.minus(model.plus(x, d), x), d, atol=1e-9)


def test_outputs_and_noise_reach_base_and_biases(model, x):
    p = len(model.output_names)
    z = model.h(x)
    np.testing.assert_array_equal(z[-3:], x[-3:])
    np.testing.assert_allclose(model.innovation(z, model.state(z)), 0.0, atol=1e-9)
    v = np.full(p, 0.01)
    np.testing.assert_allclose(model.innovation(model.h(x, v), x), v, atol=1e-7)


def test_the_reported_covariance_is_the_bases_alone(model, x, spd):
    n = len(model.base.state_names)
    P = spd(n + 3, np.random.default_rng(2))
    own = x[: model.base.state_size]
    np.testing.assert_array_equal(model.spread(x, P), model.base.spread(own, P[:n, :n]))


def test_biases_stay_but_for_their_noise(model, x):
    u = np.zeros(len(model.input_names))
    np.testing.assert_array_equal(model.f(x, u, 0.5)[-3:], x[-3:])
    w = np.zeros(len(model.noise_names))
    w[-3:] = [0.1, 0.2, 0.3]
    np.testing.assert_allclose(model.f(x, u, 0.5, w)[-3:], x[-3:] + w[-3:])


@pytest.mark.parametrize(("name", "found"), [("diff_drive", [1]), ("rigid_body", [0, 1, 2])])
def test_a_constant_gyro_bias_is_found_where_attitude_is_measured(sensor, name, found):
    rng, dt, bias = np.random.default_rng(4), 0.05, np.array([0.03, -0.02, 0.05])
    model = WithBiases(load_model(name), NAMES)
    settings = sensor("vroll", "vpitch", "vyaw", model=model, name="imu0")
    gyro = GyroPart(settings)
    names = model.output_names
    angles = [i for i, of in enumerate(names) if of in ("roll", "pitch", "yaw")]
    rates = [i for i, of in enumerate(names) if of in ("vroll", "vpitch", "vyaw")]
    n = len(model.state_names)
    noise, R, C = np.eye(n) * 1e-6, np.eye(len(angles)) * 1e-4, np.eye(3) * 1e-6
    noise[rates, rates] = 1e-3
    start = np.zeros(len(names))
    start[names.index("vyaw")] = 0.4
    start[-3:] = bias
    truth = np.asarray(model.state(start))
    belief = Belief(np.array(model.origin()), np.eye(n) * 0.01)
    u = np.zeros(len(model.input_names))
    for k in range(800):
        truth, belief = model.f(truth, u, dt), predict(model, belief, u, dt, noise)
        z = np.zeros(3)
        outputs = model.h(truth)
        z[3 - len(rates) :] = outputs[rates]
        reading = HUSKY.matrix.T @ z + bias + rng.normal(size=3) * 1e-3
        belief = update(model, belief, gyro.measurement(k, reading, C, HUSKY)).belief
        values = outputs[angles] + rng.normal(size=len(angles)) * 1e-2
        heading = Measurement(k, "compass", tuple(angles), values, R)
        belief = update(model, belief, heading).belief
    sigma = np.sqrt(belief.covariance.diagonal()[-3:])
    error = belief.state[-3:] - bias
    assert (np.abs(error[found]) < 0.006).all()
    assert (sigma[found] < 0.003).all()
    unseen = [i for i in range(3) if i not in found]
    assert (sigma[unseen] > 0.09).all()
