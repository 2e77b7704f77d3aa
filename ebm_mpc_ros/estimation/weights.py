"""Weights of particles: how many they are worth, and choosing by them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def normalized(log_weights: Floats) -> tuple[Floats, float]:
    """Return weights (K,) that sum to 1, and the logarithm of what they summed to.

    A logarithm that is NaN or +∞ counts as -∞. Where none is left the sum's logarithm is -∞ and
    the weights are zeros.
    """
    log_weights = np.where(log_weights < np.inf, log_weights, -np.inf)  # a NaN compares as false
    most = float(log_weights.max())
    if most == -np.inf:
        return np.zeros_like(log_weights), -np.inf
    weights = np.exp(log_weights - most)
    total = float(weights.sum())
    return weights / total, most + math.log(total)


def effective_sample_size(weights: Floats) -> float:
    """Return 1 / Σ w² of weights (K,) that sum to 1; Kong, Liu and Wong, JASA 89 (1994)."""
    return 1.0 / float(weights.dot(weights))


def systematic(weights: Floats, rng: np.random.Generator) -> Indices:
    """Return K indices, of each either ⌊K w⌋ or ⌈K w⌉; Kitagawa, JCGS 5 (1996)."""
    size = len(weights)
    upper = np.cumsum(weights)
    upper[np.flatnonzero(weights)[-1] :] = 1.0  # rounding must not choose what weighs nothing
    points = (np.arange(size) + rng.random()) / size
    return np.searchsorted(upper, points, side="right")
