"""How many independent draws a set of chains is worth."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_FEWEST = 4


def effective_sample_size(trace: Tensor) -> float:
    """Return the effective sample size of a statistic's `trace` (S, K): S steps of K chains.

    S K over the autocorrelation time, from the chains' mean autocovariance and the variance
    between them, summed over Geyer's initial monotone sequence (Vehtari et al., Bayesian Analysis
    16, 2021). Chains that stand apart count as correlated. NaN where there are fewer than 4 steps
    or a value is not finite.
    """
    steps, chains = trace.shape
    if steps < _FEWEST or not chains or not bool(trace.isfinite().all()):
        return math.nan
    draws = steps * chains
    centered = trace.double() - trace.double().mean(0)
    spectrum = torch.fft.rfft(centered, n=2 * steps, dim=0).abs().square()
    covariance = torch.fft.irfft(spectrum, n=2 * steps, dim=0)[:steps].mean(1) / steps
    within = float(covariance[0]) * steps / (steps - 1)
    between = float(trace.double().mean(0).var()) if chains > 1 else 0.0
    total = within * (steps - 1) / steps + between
    if not total > 0:
        return math.nan
    correlation = 1.0 - (within - covariance * steps / (steps - 1)) / total
    correlation[0] = 1.0
    pairs = correlation[: steps - steps % 2].view(-1, 2).sum(1)
    pairs = pairs.cummin(0).values.clamp(min=0.0)
    time = 2.0 * float(pairs.sum()) - 1.0
    return min(draws / max(time, 1e-12), draws * math.log10(draws))
