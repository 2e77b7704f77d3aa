"""How a belief begins, and what it must be to be told to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf

from ebm_mpc_ros.estimation.ekf import Belief, Matrix, Measurement, Vector

if TYPE_CHECKING:
    from ebm_mpc_ros.models import Model

# A coordinate that nothing measures is known no worse than this: beside a larger variance those
# of the others would drown in rounding.
_LARGEST_VARIANCE = 1e6
# m, m/s or rad/s, m/s²: where no robot is.
_LIMITS = {"x": 1e7, "y": 1e7, "z": 1e7} | dict.fromkeys(
    ("vx", "vy", "vz", "vroll", "vpitch", "vyaw"), 1e3
)
_SMALLEST_DETERMINANT = 1e-3


def start(model: Model, outputs: Vector, covariance: Matrix, measurement: Measurement) -> Belief:
    """Return the belief after the first measurement: what it measures is taken as it is.

    Args:
        model: The robot.
        outputs: Outputs (p,) before.
        covariance: Covariance (n, n) before.
        measurement: The measurement.
    """
    rows = list(measurement.rows)
    outputs = outputs.copy()
    outputs[rows] = measurement.values
    x = np.asarray(model.state(outputs))
    R = measurement.covariance
    if measurement.terms:
        correction, T = np.zeros(len(rows)), np.zeros((len(rows), len(covariance)))
        for term in measurement.terms:
            term.add(model, x, outputs, correction, T)
        outputs[rows] += correction
        x = np.asarray(model.state(outputs))
        R = R + T @ covariance @ T.T
    names = [model.output_names[row] for row in rows]
    kept = [i for i, name in enumerate(names) if name in model.state_names]
    states = [model.state_names.index(names[i]) for i in kept]
    H = model.residual_jacobian(x, [rows[i] for i in kept])[:, states]
    R = R[np.ix_(kept, kept)]
    if abs(np.linalg.det(H)) > _SMALLEST_DETERMINANT:
        back = np.linalg.inv(H)
        R = back @ R @ back.T
    P = covariance.copy()
    P[states] = P[:, states] = 0.0
    P[np.ix_(states, states)] = R
    return Belief(x, P)


def saturated(belief: Belief) -> Belief:
    """Return the belief with no variance above the largest that is kept."""
    variance = belief.covariance.diagonal()
    if not variance.max() > _LARGEST_VARIANCE:
        return belief
    scale = np.sqrt(_LARGEST_VARIANCE / np.maximum(variance, _LARGEST_VARIANCE))
    return Belief(belief.state, belief.covariance * np.outer(scale, scale))


def trustworthy(model: Model, belief: Belief) -> str:
    """Return what is wrong with a belief, and nothing where it can be told."""
    x, P = belief
    if not (np.isfinite(x).all() and np.isfinite(P).all()):
        return "the estimate is not finite"
    jitter = 1e-9 * P.diagonal() + 1e-18
    if dpotrf(P + np.diag(jitter), lower=1)[1]:
        return "the covariance is indefinite"
    outputs = model.h(x)
    for name, value in zip(model.output_names, outputs, strict=False):
        if abs(value) > _LIMITS.get(name, np.inf):
            return f"{name} ran away"
    return ""


def covariance_problem(matrix: Matrix, size: int) -> str:
    """Return what keeps `matrix` from being a covariance (size, size), and nothing if it is one."""
    if matrix.shape != (size, size):
        return f"has shape {matrix.shape}: must be ({size}, {size})"
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        return "must be finite and symmetric"
    if np.linalg.eigvalsh(matrix).min() < -1e-12 * max(1.0, float(np.abs(matrix).max())):
        return "must be positive semidefinite"
    return ""
