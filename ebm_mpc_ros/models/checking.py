"""Whether what a model's functions say agrees: shapes, batches, and Jacobians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.models.base import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_STATES = 20
_SPREAD = 0.5
_DT = 0.05
_STEP = 1e-6
_TOLERANCE = 1e-5


def check_model(model: Model) -> None:
    """Check a model at 20 states about its origin, its Jacobians by central differences.

    Raises:
        ValueError: An array has the wrong shape or is not finite, `f` treats a batch otherwise than
            a state or writes into it, or a Jacobian differs from the differences by more than 1e-5
            of their size.
    """
    n, m, q = (len(names) for names in (model.state_names, model.input_names, model.noise_names))
    if model.state_size != n and type(model).plus is Model.plus:
        raise ValueError(f"state_size is {model.state_size} for {n} states")
    rng = np.random.default_rng(0)
    origin = np.broadcast_to(np.asarray(model.origin(), dtype=float), (_STATES, model.state_size))
    x = model.plus(origin, _SPREAD * rng.normal(size=(_STATES, n)))
    u = _SPREAD * rng.normal(size=(_STATES, m))
    dt = model.step or _DT
    given = x.copy()
    following = _checked("f", model.f(x, u, dt), x.shape)
    if not np.array_equal(x, given):
        raise ValueError("f writes into the states that it is given")
    if not np.allclose(model.f(x[0], u[0], dt), following[0], rtol=1e-9, atol=1e-9):
        raise ValueError("f of a state and f of a batch that holds it differ")

    def moved(x: Any, u: Any, w: Any = None) -> Any:
        return model.minus(model.f(x, u, dt, w), following)

    jacobians = model.jacobians(x, u, dt)
    states, inputs = model.state_names, model.input_names
    noise = [f"noise of {name}" for name in model.noise_names]
    for name, value, columns, function in (
        ("A", jacobians.A, states, lambda d: moved(model.plus(x, d), u)),
        ("B", jacobians.B, inputs, lambda d: moved(x, u + d)),
        ("W", jacobians.W, noise, lambda d: moved(x, u, np.broadcast_to(d, (_STATES, q)))),
    ):
        _compare(f"jacobians: {name}", value, states, columns, function)
    outputs = model.output_names
    _checked("h", model.h(x), (_STATES, np.shape(model.h(x[0]))[-1]))
    _compare(
        "H", model.H(x), outputs, states, lambda d: model.innovation(model.h(model.plus(x, d)), x)
    )


def _compare(
    name: str,
    jacobian: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    function: Callable[[NDArray[np.float64]], Any],
) -> None:
    """Compare a Jacobian (…, rows, columns) with the slopes of a function of δ (columns,) at 0."""
    jacobian = _checked(name, jacobian, (_STATES, len(rows), len(columns)))
    for k, column in enumerate(columns):
        step = np.zeros(len(columns))
        step[k] = _STEP
        slope = (function(step) - function(-step)) / (2.0 * _STEP)
        wrong = np.abs(jacobian[..., k] - slope)
        if wrong.max() > _TOLERANCE * (1.0 + np.abs(slope).max()):
            state, row = np.unravel_index(wrong.argmax(), wrong.shape)
            raise ValueError(
                f"{name}[{row}, {k}], of {rows[row]} by {column}, is "
                f"{jacobian[state, row, k]:.6g} where differences say {slope[state, row]:.6g}"
            )


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(value, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape} for {_STATES} states: must be {shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite near the origin")
    return array
