"""The optimal control problem that the controller solves and the policy samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]

FARTHEST = 1e12
"""Length from which a state or a reference is refused."""

_ROUNDING = 1e-12
_TERMINALS = ("given", "riccati")


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlProblem:
    """Tracking of a reference over a horizon, with quadratic costs and bounds.

        J = ½ Σ_{i<N} [δᵢᵀ Q δᵢ + uᵢᵀ R uᵢ + rᵢᵀ S rᵢ] + ½ δ_Nᵀ Q_N δ_N,
        δᵢ = xᵢ ⊟ x_ref,ᵢ,   rᵢ = (uᵢ - uᵢ₋₁)/dt,   u₋₁ the input sent last,
        subject to xᵢ₊₁ = f(xᵢ, uᵢ), bounds on uᵢ and rᵢ, and, for i ≥ 1, soft bounds on xᵢ and
        soft half-planes n·p ≥ b of the position p

    n counts the model's error coordinates, m its inputs. Weights are a diagonal or a symmetric
    matrix. A state bound holds for the coordinate's difference from the model's origin; exceeding
    it by s costs ½ w s² + w₁ |s|, and so does crossing a half-plane, where a stage pays for the
    deepest crossing. Where w₁ is above what a bound is worth, the bound is kept if it can be
    (an exact penalty: Nocedal, Wright, "Numerical Optimization", 17.3). Arrays are copied and
    can't be written.

    Attributes:
        model: The robot.
        dt: Step of the horizon in seconds, above 0.
        horizon: Number of steps N, at least 1.
        state_weights: Q, (n,) or (n, n), positive semidefinite.
        input_weights: R, (m,) or (m, m), positive definite.
        terminal_weights: Q_N, (n,) or (n, n), positive semidefinite.
        input_lower: Lowest inputs (m,), -inf where unbounded.
        input_upper: Highest inputs (m,), inf where unbounded.
        state_lower: Lowest states (n,), -inf where unbounded.
        state_upper: Highest states (n,), inf where unbounded.
        slack_weight: w of state bounds, above 0.
        slack_weight_l1: w₁ of state bounds, at least 0.
        terminal: "given" for Q_N as it is, "riccati" for the infinite horizon's cost about the
            end of the reference where there is one (see `riccati`).
        input_rate_weights: S, (m,) or (m, m), positive semidefinite; None for 0.
        input_rate_limits: Highest |r| (m,) in units of the input per second, above 0, inf where
            unbounded; None for no limits.
        half_planes: Number of half-planes at each stage, given anew at each tick.
        half_plane_weight: w of half-planes, above 0.
        half_plane_weight_l1: w₁ of half-planes, at least 0.
        period: Time between ticks in seconds, which must be `dt`, for a tick shifts the last plan
            by one step; None where nothing is to be checked.

    Raises:
        ValueError: A field is out of its range or of a wrong shape.
    """

    model: Model
    dt: float
    horizon: int
    state_weights: ArrayLike
    input_weights: ArrayLike
    terminal_weights: ArrayLike
    input_lower: ArrayLike
    input_upper: ArrayLike
    state_lower: ArrayLike
    state_upper: ArrayLike
    slack_weight: float = 1e3
    slack_weight_l1: float = 0.0
    terminal: Literal["given", "riccati"] = "given"
    input_rate_weights: ArrayLike | None = None
    input_rate_limits: ArrayLike | None = None
    half_planes: int = 0
    half_plane_weight: float = 1e4
    half_plane_weight_l1: float = 0.0
    period: float | None = None

    def __post_init__(self) -> None:
        n, m = len(self.model.state_names), len(self.model.input_names)
        if m == 0:
            raise ValueError(f"model is {type(self.model).__name__}: it has no input to control")
        for name in ("dt", "slack_weight", "half_plane_weight"):
            check_positive(name, getattr(self, name))
        for name in ("slack_weight_l1", "half_plane_weight_l1"):
            check_not_negative(name, getattr(self, name))
        check_count("horizon", self.horizon)
        if self.period is not None and not math.isclose(self.period, self.dt):
            raise ValueError(f"period is {self.period}: it must be dt, which is {self.dt}")
        if self.terminal not in _TERMINALS:
            raise ValueError(f"terminal is {self.terminal!r}: one of {_TERMINALS} is wanted")
        for name, size in (("state_weights", n), ("terminal_weights", n), ("input_weights", m)):
            self._freeze(name, _weights(name, getattr(self, name), size, name == "input_weights"))
        for name, size in (("input", m), ("state", n)):
            self._check_bounds(name, size)
        self._check_rates(m)
        self._check_half_planes()

    @property
    def Q(self) -> Vector:
        """State weights (n, n)."""
        return _matrix(self.state_weights)

    @property
    def R(self) -> Vector:
        """Input weights (m, m)."""
        return _matrix(self.input_weights)

    @property
    def Q_N(self) -> Vector:
        """Given terminal weights (n, n)."""
        return _matrix(self.terminal_weights)

    @property
    def S(self) -> Vector:
        """Weights of the inputs' rates (m, m), zero where there are none."""
        if self.input_rate_weights is None:
            return np.zeros_like(self.R)
        return _matrix(self.input_rate_weights)

    def _check_bounds(self, name: str, size: int) -> None:
        lower, upper = (
            _vector(f"{name}_{side}", getattr(self, f"{name}_{side}"), size)
            for side in ("lower", "upper")
        )
        if not np.all((lower < upper) & (lower < math.inf) & (upper > -math.inf)):
            raise ValueError(
                f"{name}_lower is {lower.tolist()}, {name}_upper is {upper.tolist()}: "
                "each lower bound must be below its upper bound"
            )
        self._freeze(f"{name}_lower", lower)
        self._freeze(f"{name}_upper", upper)

    def _check_rates(self, size: int) -> None:
        if self.input_rate_weights is not None:
            rates = _weights("input_rate_weights", self.input_rate_weights, size, definite=False)
            self._freeze("input_rate_weights", rates)
        if self.input_rate_limits is not None:
            limits = _vector("input_rate_limits", self.input_rate_limits, size)
            if not np.all(limits > 0.0):
                raise ValueError(f"input_rate_limits is {limits.tolist()}: each must be above 0")
            self._freeze("input_rate_limits", limits)

    def _check_half_planes(self) -> None:
        count = self.half_planes
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"half_planes is {count!r}: it must be a whole number of at least 0")
        if count and not {"x", "y"} <= set(self.model.state_names):
            raise ValueError(
                f"half_planes is {count}: the states of {type(self.model).__name__}, "
                f"{self.model.state_names}, hold no position x, y"
            )

    def _freeze(self, name: str, values: Vector) -> None:
        values.setflags(write=False)
        object.__setattr__(self, name, values)


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} is {value}: it must be finite and above 0")


def check_not_negative(name: str, value: float) -> None:
    """Raise ValueError unless `value` is finite and at least 0."""
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} is {value}: it must be finite and at least 0")


def check_count(name: str, value: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}: it must be a whole number of at least 1")


def _vector(name: str, given: Any, size: int) -> Vector:
    values = np.array(given, dtype=np.float64)
    if values.shape != (size,):
        raise ValueError(f"{name} has shape {values.shape}: {size} numbers are wanted")
    return values


def _weights(name: str, given: Any, size: int, definite: bool) -> Vector:
    """Return a diagonal or a matrix of weights that is finite, symmetric and not indefinite."""
    values = np.array(given, dtype=np.float64)
    if values.shape not in ((size,), (size, size)):
        raise ValueError(
            f"{name} has shape {values.shape}: {size} numbers or a matrix of {size} x {size} "
            "are wanted"
        )
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} is {values.tolist()}: each must be finite")
    eigenvalues: Vector = values
    if values.ndim == 2:
        if not np.allclose(values, values.T, rtol=1e-9, atol=0.0):
            raise ValueError(f"{name} is {values.tolist()}: it must be symmetric")
        eigenvalues = np.linalg.eigvalsh(values).astype(np.float64)
        # A singular matrix's lowest eigenvalue comes out as a rounding error of either sign.
        eigenvalues[np.abs(eigenvalues) <= _ROUNDING * np.max(np.abs(values))] = 0.0
    lowest = float(eigenvalues.min())
    if lowest < 0.0 or (definite and lowest == 0.0):
        allowed = "above 0" if definite else "at least 0"
        raise ValueError(
            f"{name} is {values.tolist()}: its lowest eigenvalue is {lowest:g}, "
            f"which must be {allowed}"
        )
    return values


def _matrix(weights: Any) -> Vector:
    values: Vector = np.asarray(weights)
    return np.diag(values) if values.ndim == 1 else values
