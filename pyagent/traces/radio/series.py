"""Arithmetic on series that the figures of a trace need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def stretches(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """int [k, 2]: first index and index after the last of every run of True."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def weighted_quantiles(values: Floats, weights: Floats, shares: Sequence[float]) -> Floats:
    """float64 [len(shares)]: the smallest values that hold these shares of the weight."""
    order = np.argsort(values, kind="stable")
    held = np.cumsum(weights[order])
    places = np.searchsorted(held, np.asarray(shares) * held[-1])
    return np.asarray(values[order][np.minimum(places, len(values) - 1)])


def autocorrelation_time_s(values: Floats, step_s: float) -> float | None:
    """Lag at which the autocorrelation of evenly spaced values first is below 1/e, by linear interpolation.

    The estimate divides by n at every lag, as is usual (biased, but never above 1). None for values that
    don't vary, and where no lag up to half of the series is below 1/e.
    """
    centred = values - values.mean()
    # A constant series leaves rounding behind, which has an autocorrelation of its own.
    if len(values) < 2 or values.std() <= 1e-9 * max(abs(float(values.mean())), 1e-300):
        return None
    spectrum = np.fft.rfft(centred, 2 * len(values))
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[: len(values) // 2 + 1]
    correlation = covariance / covariance[0]
    below = np.flatnonzero(correlation < np.exp(-1))
    if len(below) == 0:
        return None
    lag = int(below[0])
    before, after = correlation[lag - 1], correlation[lag]
    return float((lag - 1 + (before - np.exp(-1)) / (before - after)) * step_s)
