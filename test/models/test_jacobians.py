"""Every analytic Jacobian against central differences, at random states, on NumPy and torch."""

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from ebm_mpc_ros.models import load_model, rotation
from ebm_mpc_ros.models.diff_drive import DiffDrive

STEP = 1e-6
MODELS = ["ackermann", "diff_drive", "omni", "rigid_body"]


def random_states(model, library, batch=(3, 4), seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(*batch, model.state_size))
    if model.state_size == 16:
        x[..., 3:7] /= np.linalg.norm(x[..., 3:7], axis=-1, keepdims=True)
    if "steering" in model.state_names:
        x[..., 4] = np.clip(0.4 * x[..., 4], -1.0, 1.0)
    u = rng.normal(size=(*batch, len(model.input_names)))
    if library == "torch":
        return torch.from_numpy(x), torch.from_numpy(u)
    return x, u


def numerical(function, size, like):
    """Return d function(δ) / dδ at 0 by central differences, (…, rows, size)."""
    xp = array_namespace(like)
    columns = []
    for i in range(size):
        delta = xp.zeros((*like.shape[:-1], size), dtype=like.dtype)
        delta[..., i] = STEP
        columns.append((function(delta) - function(-delta)) / (2 * STEP))
    if not columns:
        return xp.zeros((*like.shape[:-1], function(None).shape[-1], 0), dtype=like.dtype)
    return xp.stack(columns, axis=-1)


@pytest.fixture(params=MODELS)
def model(request):
    return load_model(request.param)


@pytest.fixture(params=["numpy", "torch"])
def library(request):
    return request.param


def close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), atol=2e-8, rtol=1e-6)


def test_A_is_the_derivative_of_f_in_the_state(model, library):
    x, u = random_states(model, library)
    nominal = model.f(x, u, 0.1)
    expected = numerical(
        lambda d: model.minus(model.f(model.plus(x, d), u, 0.1), nominal), len(model.state_names), x
    )
    close(model.jacobians(x, u, 0.1).A, expected)


def test_B_is_the_derivative_of_f_in_the_input(model, library):
    x, u = random_states(model, library)
    nominal = model.f(x, u, 0.1)

    def moved(d):
        return model.minus(model.f(x, u if d is None else u + d, 0.1), nominal)

    close(model.jacobians(x, u, 0.1).B, numerical(moved, len(model.input_names), x))


def test_W_is_the_derivative_of_f_in_the_noise(model, library):
    x, u = random_states(model, library)
    nominal = model.f(x, u, 0.1)
    expected = numerical(
        lambda w: model.minus(model.f(x, u, 0.1, w), nominal), len(model.noise_names), x
    )
    close(model.jacobians(x, u, 0.1).W, expected)


def test_H_is_the_derivative_of_the_innovation_in_the_state(model, library):
    x, _ = random_states(model, library)
    expected = numerical(
        lambda d: model.innovation(model.h(model.plus(x, d)), x), len(model.state_names), x
    )
    close(model.H(x), expected)


def test_V_is_the_derivative_of_the_measurement_in_its_noise(model, library):
    x, _ = random_states(model, library)
    expected = numerical(lambda v: model.innovation(model.h(x, v), x), len(model.output_names), x)
    close(model.V(x), expected)


def test_outputs_make_a_state_and_back(model, library):
    x, _ = random_states(model, library)
    outputs = model.h(x)
    close(model.h(model.state(outputs)), outputs)
    close(model.minus(model.state(outputs), x), 0.0 * x[..., : len(model.state_names)])


@pytest.mark.parametrize("rows", [(0,), (3, 4), (4, 2, 0)])
def test_partial_measurements_are_rows_of_the_whole(model, library, rows):
    x, _ = random_states(model, library)
    z = model.h(x)
    z[..., list(rows)] = z[..., list(rows)] + 0.2
    close(model.residual(x, rows, z[..., list(rows)]), model.innovation(z, x)[..., list(rows)])
    close(model.residual_jacobian(x, rows), model.H(x)[..., list(rows), :])
    one = model.residual(x[1, 2], rows, z[1, 2][..., list(rows)])
    close(one, model.innovation(z, x)[1, 2][..., list(rows)])
    close(model.residual_jacobian(x[1, 2], rows), model.H(x)[1, 2][..., list(rows), :])


def test_linearising_gives_f_and_its_jacobians(model, library):
    x, u = random_states(model, library)
    for a, b in ((x, u), (x[1, 2], u[1, 2])):
        following, jacobians = model.linearize(a, b, 0.1)
        close(following, model.f(a, b, 0.1))
        for ours, theirs in zip(jacobians, model.jacobians(a, b, 0.1), strict=True):
            close(ours, theirs)


def test_a_linearizer_writes_f_and_its_jacobians_again_and_again(model):
    size, n, m = model.state_size, len(model.state_names), len(model.input_names)
    following, stages = np.zeros((7, size)), np.zeros((7, n, n + m))
    write = model.linearizer(0.1, following, stages)
    for seed in range(2):
        x, u = random_states(model, "numpy", batch=(7,), seed=seed)
        write(x, u)
        expected, jacobians = model.linearize(x, u, 0.1)
        close(following, expected)
        close(stages, np.concatenate([jacobians.A, jacobians.B], axis=-1))


@pytest.mark.parametrize("name", ["f", "jacobians", "linearize"])
def test_a_subclass_that_moves_otherwise_is_not_linearised_as_before(name):
    def doubled(self, x, u, dt, *rest):
        value = getattr(super(Slow, self), name)(x, u, dt, *rest)
        if name == "jacobians":
            return value._replace(A=2.0 * value.A)
        if name == "linearize":
            return 2.0 * value[0], value[1]
        return 2.0 * value

    Slow = type("Slow", (DiffDrive,), {name: doubled})
    model = Slow()
    following, stages = np.zeros((3, 5)), np.zeros((3, 5, 7))
    x, u = random_states(model, "numpy", batch=(3,))
    model.linearizer(0.1, following, stages)(x, u)
    expected, jacobians = model.linearize(x, u, 0.1)
    close(following, expected)
    close(stages[..., :5], jacobians.A)


@pytest.mark.parametrize("batch", [(), (4,), (3, 4)])
def test_headings_are_wrapped_alike_in_any_batch(library, batch):
    model = load_model("diff_drive")
    for heading in (-np.pi, np.pi, 7.0, -13.0):
        x = np.zeros((*batch, 5))
        x[..., 2] = heading
        x = torch.from_numpy(x) if library == "torch" else x
        expected = np.zeros((*batch, 5))
        expected[..., 2] = (heading + np.pi) % (2.0 * np.pi) - np.pi
        close(model.minus(x, 0.0 * x), expected)


def test_minus_undoes_plus(model, library):
    x, _ = random_states(model, library)
    rng = np.random.default_rng(1)
    delta = 0.5 * rng.normal(size=(*x.shape[:-1], len(model.state_names)))
    delta = torch.from_numpy(delta) if library == "torch" else delta
    close(model.minus(model.plus(x, delta), x), delta)


def test_the_two_libraries_agree(model):
    x, u = random_states(model, "numpy")
    xt, ut = random_states(model, "torch")
    close(model.f(xt, ut, 0.1), model.f(x, u, 0.1))
    for ours, theirs in zip(model.jacobians(xt, ut, 0.1), model.jacobians(x, u, 0.1), strict=True):
        close(ours, theirs)


def test_a_single_state_is_a_batch_of_none(model, library):
    x, u = random_states(model, library)
    close(model.f(x[1, 2], u[1, 2], 0.1), model.f(x, u, 0.1)[1, 2])
    close(model.jacobians(x[1, 2], u[1, 2], 0.1).A, model.jacobians(x, u, 0.1).A[1, 2])


def test_each_state_of_a_batch_has_its_own_step(model, library):
    x, u = random_states(model, library)
    dt = np.linspace(0.01, 0.3, 12).reshape(3, 4)
    following, jacobians = model.linearize(x, u, torch.from_numpy(dt) if library == "torch" else dt)
    one, theirs = model.linearize(x[1, 2], u[1, 2], float(dt[1, 2]))
    close(following[1, 2], one)
    for ours, other in zip(jacobians, theirs, strict=True):
        close(ours[1, 2], other)


def test_single_precision_stays_single(model, library):
    xp = torch if library == "torch" else np
    x, u = (xp.asarray(a, dtype=xp.float32) for a in random_states(model, library))
    following, jacobians = model.linearize(x, u, 0.1)
    outputs = model.h(x)
    everything = (following, *jacobians, outputs, model.H(x), model.state(outputs))
    assert {a.dtype for a in everything} == {x.dtype}


def test_jacobians_hold_at_zero_rotation(library):
    model = load_model("rigid_body")
    x, u = random_states(model, library)
    x[..., 3:7] *= 0.0
    x[..., 6] = 1.0
    x[..., 10:13] *= 0.0
    nominal = model.f(x, u, 0.1)
    expected = numerical(lambda d: model.minus(model.f(model.plus(x, d), u, 0.1), nominal), 15, x)
    close(model.jacobians(x, u, 0.1).A, expected)


def test_rpy_round_trip():
    rng = np.random.default_rng(2)
    roll, yaw = rng.uniform(-3, 3, (2, 50))
    pitch = rng.uniform(-1.5, 1.5, 50)
    back = rotation.to_rpy(rotation.from_rpy(roll, pitch, yaw))
    np.testing.assert_allclose(back, [roll, pitch, yaw], atol=1e-12)
