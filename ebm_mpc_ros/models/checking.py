"""Whether what a model's functions say agrees: shapes, batches, steps, Jacobians, outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ebm_mpc_ros.models.base import Jacobians, Model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STATES = 20
_SPREAD = 0.5
_STEPS = (0.05, 0.1)
_POSE = ("x", "y", "z", "roll", "pitch", "yaw")
# Of these shares: movements that are the same in two steps; states whose outputs may not tell them.
_ALIKE, _UNTOLD = 1e-3, 0.25


class ModelError(ValueError):
    """A model can't be had, or its functions disagree."""


class _Exactness(NamedTuple):
    """δ of the central differences, how far off they may be, and rounding, by a float's bits."""

    delta: float
    tolerance: float
    rounding: float


_DOUBLE, _SINGLE = _Exactness(1e-6, 1e-5, 1e-9), _Exactness(5e-3, 1e-3, 1e-5)


def check_model(model: Model) -> None:
    """Check a model at 20 states about its origin, its Jacobians by central differences.

    What the model's own functions raise is let through.

    Raises:
        ModelError: An array has the wrong shape or is not finite, `f` treats a batch otherwise than
            a state, writes into it or doesn't heed dt, a Jacobian differs from the differences by
            more than 1e-5 of their size (1e-3 where float32 is computed with), `linearize` or
            `linearizer` from `f` and `jacobians`, or `state` is no inverse of `h`.
    """
    x, u = _samples(model)
    steps = _STEPS if model.step is None else (model.step,)
    moved = [_following(model, x, u, dt) for dt in steps]
    _check_outputs(model, x)
    if len(moved) > 1:
        _check_steps(model, x, moved)
    for dt, following in zip(steps, moved, strict=True):
        _check_derivatives(model, x, u, dt, following)


def _samples(model: Model) -> tuple[Floats, Floats]:
    """Return states (20, state_size) and inputs (20, m)."""
    n, size = len(model.state_names), model.state_size
    if size != n and type(model).plus is Model.plus:
        raise ModelError(f"state_size is {size} for {n} states")
    origin = np.asarray(model.origin(), dtype=float)
    if origin.shape != (size,):
        raise ModelError(f"origin() has {origin.size} numbers: must be {size}, state_size")
    rng = np.random.default_rng(0)
    x = model.plus(np.tile(origin, (_STATES, 1)), _SPREAD * rng.normal(size=(_STATES, n)))
    return x, _SPREAD * rng.normal(size=(_STATES, len(model.input_names)))


def _following(model: Model, x: Floats, u: Floats, dt: float) -> Floats:
    """Check `f` for one step; return the states after it."""
    given = x.copy(), u.copy()
    following = _checked("f", model.f(x, u, dt), x.shape)
    for values, before, what in zip((x, u), given, ("states", "inputs"), strict=True):
        if not np.array_equal(values, before):
            raise ModelError(f"f writes into the {what} that it is given")
    exact = _exactness(following)
    alone = _checked("f of a state", model.f(x[0], u[0], dt), x.shape[1:])
    if not np.allclose(alone, following[0], rtol=exact.rounding, atol=exact.rounding):
        raise ModelError("f of a state and f of a batch that holds it differ")
    return following


def _check_derivatives(model: Model, x: Floats, u: Floats, dt: float, following: Floats) -> None:
    """Check what is said of the derivatives of `f` for one step."""
    exact = _exactness(following)

    def moved(x: Any, u: Any, w: Any = None) -> Any:
        name = "f" if w is None else "f with noise"
        return model.minus(_checked(name, model.f(x, u, dt, w), x.shape), following)

    jacobians = model.jacobians(x, u, dt)
    states, inputs = model.state_names, model.input_names
    noise = [f"noise of {name}" for name in model.noise_names]
    wide = (_STATES, len(noise))
    for name, value, columns, function in (
        ("A", jacobians.A, states, lambda d: moved(model.plus(x, d), u)),
        ("B", jacobians.B, inputs, lambda d: moved(x, u + d)),
        ("W", jacobians.W, noise, lambda d: moved(x, u, np.broadcast_to(d, wide))),
    ):
        _compare(f"jacobians: {name}", value, states, columns, function, exact)
    _check_linearize(model, x, u, dt, following, jacobians)


def _check_linearize(
    model: Model, x: Floats, u: Floats, dt: float, following: Floats, jacobians: Jacobians
) -> None:
    """Compare what is written for speed with `f` and `jacobians`."""
    tolerance = _exactness(following).tolerance

    def agree(source: str, state: Any, parts: dict[str, Any]) -> None:
        ahead = model.minus(_checked(f"{source}: f", state, x.shape), following)
        _same(f"{source}: f is another than that of f", ahead, np.zeros_like(ahead), tolerance)
        for name, part in parts.items():
            wanted = np.asarray(getattr(jacobians, name), dtype=float)
            found = _checked(f"{source}: {name}", part, wanted.shape)
            _same(f"{source}: {name} is another than that of jacobians", found, wanted, tolerance)

    state, linear = model.linearize(x, u, dt)
    agree("linearize", state, linear._asdict())
    if type(model).linearizer is Model.linearizer:
        return
    n, m = len(model.state_names), len(model.input_names)
    ahead, stages = np.zeros_like(x), np.zeros((n, n + m, _STATES)).transpose(2, 0, 1)
    write = model.linearizer(dt, ahead, stages)
    # Twice, for what is left from one call must not show in the next.
    write(x[::-1].copy(), u[::-1].copy())
    write(x, u)
    agree("linearizer", ahead, {"A": stages[..., :n], "B": stages[..., n:]})


def _check_outputs(model: Model, x: Floats) -> None:
    """Check `h`, `H`, and that `state` is an inverse of `h` wherever outputs tell the state."""
    outputs = model.output_names
    z = _checked("h", model.h(x), (_STATES, len(outputs)))
    exact = _exactness(z)
    _compare(
        "H",
        model.H(x),
        outputs,
        model.state_names,
        lambda d: model.innovation(model.h(model.plus(x, d)), x),
        exact,
    )
    again = _checked("h of state", model.h(_checked("state", model.state(z), x.shape)), z.shape)
    far = ~(np.abs(model.innovation(again, x)) <= exact.tolerance * (1.0 + np.abs(z).max()))
    # Where a robot stands, say, a turn rate tells nothing of the steering.
    if far.any(axis=-1).sum() > _UNTOLD * _STATES:
        state, row = np.argwhere(far)[0]
        raise ModelError(
            f"state is no inverse of h: it takes {outputs[row]} = {z[state, row]:.6g} to a state "
            f"with {again[state, row]:.6g}"
        )


def _check_steps(model: Model, x: Floats, moved: Sequence[Floats]) -> None:
    """Check that the pose moves by different amounts in steps of different length."""
    short, long = (np.asarray(model.innovation(model.h(state), x)) for state in moved)
    size, other = np.abs(short).max(axis=0), np.abs(long - short).max(axis=0)
    for row, name in enumerate(model.output_names):
        if name in _POSE and size[row] > _DOUBLE.tolerance and other[row] <= _ALIKE * size[row]:
            times = " s as in ".join(f"{step:g}" for step in reversed(_STEPS))
            raise ModelError(f"f moves {name} by as much in {times} s: it has to heed dt")


def _compare(
    name: str,
    jacobian: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    function: Callable[[Floats], Any],
    exact: _Exactness,
) -> None:
    """Compare a Jacobian (…, rows, columns) with the slopes of a function of δ (columns,) at 0."""
    jacobian = _checked(name, jacobian, (_STATES, len(rows), len(columns)))
    for k, column in enumerate(columns):
        delta = np.zeros(len(columns))
        delta[k] = exact.delta
        slope = np.asarray((function(delta) - function(-delta)) / (2.0 * exact.delta), dtype=float)
        wrong = np.abs(jacobian[..., k] - slope)
        # A NaN is not greater than anything.
        if not wrong.max() <= exact.tolerance * (1.0 + np.abs(slope).max()):
            state, row = np.unravel_index(wrong.argmax(), wrong.shape)
            raise ModelError(
                f"{name}[{row}, {k}], of {rows[row]} by {column}, is "
                f"{jacobian[state, row, k]:.6g} where differences say {slope[state, row]:.6g}"
            )


def _same(complaint: str, found: Any, wanted: Any, tolerance: float) -> None:
    if not np.allclose(found, wanted, rtol=tolerance, atol=tolerance):
        raise ModelError(complaint)


def _exactness(values: Floats) -> _Exactness:
    """Return how exact values are: single precision, converted or not, where it holds them all."""
    return _SINGLE if np.array_equal(values.astype(np.float32), values) else _DOUBLE


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        batch = f" for {_STATES} states" if len(shape) > 1 else ""
        raise ModelError(f"{name} has shape {array.shape}{batch}: must be {shape}")
    if not np.isfinite(array).all():
        raise ModelError(f"{name} is not finite near the origin")
    return array
