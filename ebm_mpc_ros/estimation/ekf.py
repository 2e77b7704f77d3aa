"""The extended Kalman filter's two steps, on error coordinates.

Equations: docs/equations.md; D. Simon, "Optimal State Estimation" (2006), section 13.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrsm, dtrsv
from scipy.linalg.lapack import dpotrf

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.terms import Term
    from ebm_mpc_ros.models import Model

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Belief(NamedTuple):
    """A Gaussian over states: mean (state_size,) and covariance (n, n) of the error δ."""

    state: Vector
    covariance: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Values of some of a model's outputs at one instant.

    Attributes:
        stamp: Time of validity, ns.
        source: The input it came from, for reports.
        rows: Indices (k,) into the model's `output_names`.
        values: Measured outputs (k,), attitude as roll, pitch, yaw; SI units.
        covariance: Covariance (k, k) of the innovation's noise, V Q_v Vᵀ.
        threshold: Mahalanobis distance beyond which it is rejected, in sigmas.
        terms: What it measures beside the outputs.
    """

    stamp: int
    source: str
    rows: tuple[int, ...]
    values: Vector
    covariance: Matrix
    threshold: float = np.inf
    terms: tuple[Term, ...] = ()


class Update(NamedTuple):
    """What a measurement did: the new belief, its innovation (k,) and S, NIS, and whether used."""

    belief: Belief
    innovation: Vector
    innovation_covariance: Matrix
    nis: float
    accepted: bool


def predict(model: Model, belief: Belief, u: Vector, dt: float, noise_density: Matrix) -> Belief:
    """Return the belief after `dt` seconds: x = f(x, u, 0), P = A P Aᵀ + W Q_w Wᵀ.

    Args:
        model: The robot.
        belief: Belief at the start.
        u: Input (m,), held over the step.
        dt: Step, s.
        noise_density: Q_w (q, q) per second.
    """
    x, (A, _, W) = model.linearize(belief.state, u, dt)
    noise = noise_density * dt
    if not model.additive_noise:
        noise = W.dot(noise).dot(W.T)
    P = A.dot(belief.covariance).dot(A.T)
    P += noise
    P += P.T
    P *= 0.5
    return Belief(x, P)


def update(model: Model, belief: Belief, measurement: Measurement) -> Update:
    """Fuse a measurement: S = H P Hᵀ + V Q_v Vᵀ, K = P Hᵀ S⁻¹, x ⊞ K ν, P = (I - K H) P.

    With S = L Lᵀ and Y = L⁻¹ H P the last is P - Yᵀ Y, which stays symmetric. A measurement
    beyond its threshold, or with an S that is not positive definite, leaves the belief as it was.
    """
    x, P = belief
    innovation = model.residual(x, measurement.rows, measurement.values)
    H = model.residual_jacobian(x, measurement.rows)
    if measurement.terms:
        H, outputs = H.copy(), model.h(x)
        for term in measurement.terms:
            term.add(model, x, outputs, innovation, H)
    HP = H.dot(P)
    S = HP.dot(H.T) + measurement.covariance
    if not measurement.rows:
        return Update(belief, innovation, S, 0.0, accepted=True)
    L, failed = dpotrf(S, lower=1)
    if failed:
        return Update(belief, innovation, S, np.inf, accepted=False)
    nu = dtrsv(L, innovation, lower=1)
    nis = float(nu.dot(nu))
    if not (nis <= measurement.threshold * measurement.threshold and nis < np.inf):
        return Update(belief, innovation, S, nis, accepted=False)
    Y = dtrsm(1.0, L, HP, lower=1)
    after = Belief(model.plus(x, nu.dot(Y)), P - Y.T.dot(Y))
    return Update(after, innovation, S, nis, accepted=True)
