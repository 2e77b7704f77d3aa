"""What measurements of one instant say of many states at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.estimation.belief import covariance_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ebm_mpc_ros.estimation.ekf import Measurement
    from ebm_mpc_ros.models import Model

Floats = NDArray[np.float64]


class Evidence:
    """Measurements of one instant, -log p(z | x) = ½ ‖e(x)‖² + scale, e = L_R⁻¹ (z ⊟ h(x))."""

    def __init__(self, model: Model, measurements: Sequence[Measurement]) -> None:
        """Take measurements for which `problem` finds nothing."""
        self._model = model
        roots = [np.linalg.cholesky(measurement.covariance) for measurement in measurements]
        self._parts = [(m, np.linalg.inv(L)) for m, L in zip(measurements, roots, strict=True)]
        self.size = sum(len(measurement.rows) for measurement in measurements)
        """How many numbers were measured."""
        self.scale = 0.5 * self.size * math.log(2.0 * math.pi)
        """The part of -log p(z | x) that no state changes."""
        self.scale += sum(float(np.log(L.diagonal()).sum()) for L in roots)

    def residual(self, x: Floats) -> Floats:
        """Return e (K, k) at states (K, state_size)."""
        if any(measurement.terms for measurement, _ in self._parts):
            return self.linearized(x)[0]
        parts = [
            self._model.residual(x, measurement.rows, measurement.values) @ whitening.T
            for measurement, whitening in self._parts
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def linearized(self, x: Floats) -> tuple[Floats, Floats]:
        """Return e (K, k) and -∂e/∂δ = L_R⁻¹ H (K, k, n) at states (K, state_size)."""
        parts = []
        for measurement, whitening in self._parts:
            e, H = innovations(self._model, x, measurement)
            parts.append((e @ whitening.T, whitening @ H))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([e for e, _ in parts], -1), np.concatenate([G for _, G in parts], -2)


def innovations(model: Model, x: Floats, measurement: Measurement) -> tuple[Floats, Floats]:
    """Return the innovation (K, k) and H (K, k, n) of a measurement at states (K, state_size)."""
    innovation = model.residual(x, measurement.rows, measurement.values)
    H = model.residual_jacobian(x, measurement.rows)
    if measurement.terms:
        innovation, H = np.array(innovation), np.array(H)
        outputs = model.h(x)
        for k in range(len(x)):
            for term in measurement.terms:
                term.add(model, x[k], outputs[k], innovation[k], H[k])
    return innovation, H


def problem(measurement: Measurement) -> str:
    """Return what keeps a measurement from being fused, and nothing where it can be."""
    if not np.isfinite(measurement.values).all():
        return "values not finite"
    wrong = covariance_problem(measurement.covariance, len(measurement.rows))
    if wrong:
        return f"the covariance {wrong}"
    try:
        np.linalg.cholesky(measurement.covariance)
    except np.linalg.LinAlgError:
        return "the covariance must be positive definite"
    return ""
