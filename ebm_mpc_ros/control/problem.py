"""The optimal control problem that the controller solves and the policy samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlProblem:
    """Tracking of a reference over a horizon, with quadratic costs and bounds.

        J = ½ Σ_{i<N} [δᵢᵀ Q δᵢ + uᵢᵀ R uᵢ] + ½ δ_Nᵀ Q_N δ_N,   δᵢ = xᵢ ⊟ x_ref,ᵢ
        subject to xᵢ₊₁ = f(xᵢ, uᵢ), bounds on uᵢ, and soft bounds on xᵢ, i ≥ 1

    Q, R and Q_N are diagonal. n counts the model's error coordinates, m its inputs. A state bound
    holds for the coordinate's difference from the model's origin; exceeding it by s costs
    ½ `slack_weight` s². Vectors are copied and can't be written.

    Attributes:
        model: The robot.
        dt: Step of the horizon in seconds, above 0.
        horizon: Number of steps N, at least 1.
        state_weights: Diagonal of Q (n,), at least 0.
        input_weights: Diagonal of R (m,), above 0.
        terminal_weights: Diagonal of Q_N (n,), at least 0.
        input_lower: Lowest inputs (m,), -inf where unbounded.
        input_upper: Highest inputs (m,), inf where unbounded.
        state_lower: Lowest states (n,), -inf where unbounded.
        state_upper: Highest states (n,), inf where unbounded.
        slack_weight: Weight of the violation of a state bound, above 0.

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

    def __post_init__(self) -> None:
        n, m = len(self.model.state_names), len(self.model.input_names)
        if m == 0:
            raise ValueError(f"model is {type(self.model).__name__}: it has no input to control")
        for name in ("dt", "slack_weight"):
            check_positive(name, getattr(self, name))
        check_count("horizon", self.horizon)
        for name, size, lowest in (
            ("state_weights", n, "at least 0"),
            ("input_weights", m, "above 0"),
            ("terminal_weights", n, "at least 0"),
        ):
            weights = self._freeze(name, size)
            bad = weights < 0.0 if lowest == "at least 0" else weights <= 0.0
            if np.any(bad) or not np.all(np.isfinite(weights)):
                raise ValueError(f"{name} is {weights.tolist()}: each must be finite and {lowest}")
        for name, size in (("input", m), ("state", n)):
            lower = self._freeze(f"{name}_lower", size)
            upper = self._freeze(f"{name}_upper", size)
            if not np.all((lower < upper) & (lower < math.inf) & (upper > -math.inf)):
                raise ValueError(
                    f"{name}_lower is {lower.tolist()}, {name}_upper is {upper.tolist()}: "
                    "each lower bound must be below its upper bound"
                )

    def _freeze(self, name: str, size: int) -> Vector:
        values = np.array(getattr(self, name), dtype=np.float64)
        if values.shape != (size,):
            raise ValueError(f"{name} has shape {values.shape}: {size} numbers are wanted")
        values.setflags(write=False)
        object.__setattr__(self, name, values)
        return values


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is finite and above 0."""
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{name} is {value}: it must be finite and above 0")


def check_count(name: str, value: int) -> None:
    """Raise ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}: it must be a whole number of at least 1")
