"""Averages and intervals for autocorrelated series measured on several seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt, tan
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.reward import FloatArray

Statistic = Callable[[FloatArray], FloatArray]
"""Reduces the last axis."""


def mean(values: FloatArray) -> FloatArray:
    """Arithmetic mean over the last axis."""
    return np.asarray(values.mean(-1))


def interquartile_mean(values: FloatArray) -> FloatArray:
    """Mean of the middle half over the last axis: floor(n / 4) values are left out at each end.

    As reliable as the mean and as robust as the median (Agarwal et al. 2021, "Deep RL at the edge of the
    statistical precipice").
    """
    cut = values.shape[-1] // 4
    ordered = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : values.shape[-1] - cut].mean(-1))


@dataclass(frozen=True)
class Interval:
    """A statistic with its bootstrap percentile interval."""

    estimate: float
    low: float
    high: float


def _groups(strata: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Row numbers of each stratum, in order of first appearance."""
    return [np.flatnonzero(strata == s) for s in dict.fromkeys(strata.tolist())]


def plug_in_block_length(values: FloatArray, strata: NDArray[Any]) -> int:
    """Block length that suits the measured correlation of neighbours.

    ``b = (3/2 n (2 r / (1 - r^2))^2)^(1/3)``: the optimum of Politis and White (2004, section 3, circular
    blocks) for an AR(1) series of lag-1 correlation r and length n; at most n / 3.

    Args:
        values: [n], in time order within each stratum.
        strata: [n].
    """
    centred = [values[rows] - values[rows].mean() for rows in _groups(strata)]
    variance = sum(float((c**2).sum()) for c in centred)
    shortest = min(len(c) for c in centred)
    if variance == 0.0:
        return 1
    r = sum(float((c[1:] * c[:-1]).sum()) for c in centred) / variance
    r = min(max(r, 0.0), 0.97)
    length = (1.5 * shortest * (2 * r / (1 - r**2)) ** 2) ** (1 / 3)
    return int(min(max(1, np.ceil(length)), max(1, shortest // 3)))


def block_indices(strata: NDArray[Any], *, block_length: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Resampled row numbers [resamples, n]: circular block bootstrap (Politis and Romano 1992) per stratum.

    Neighbouring decisions share a place and a fade, so whole blocks are drawn; circular, so that every row is
    drawn equally often; within the stratum, so that each seed keeps its weight. The seeds themselves are not
    resampled: the interval speaks about these seeds.

    Args:
        strata: seed of each row [n]; within one, rows are in time order.
        block_length: rows per block, >= 1.
    """
    if block_length < 1 or resamples < 1:
        raise ValueError(f"want block_length, resamples >= 1; got {block_length}, {resamples}")
    rng = np.random.default_rng(seed)
    columns = []
    for rows in _groups(strata):
        n = len(rows)
        starts = rng.integers(0, n, (resamples, -(-n // block_length)))
        offsets = (starts[:, :, None] + np.arange(block_length)) % n
        columns.append(rows[offsets.reshape(resamples, -1)[:, :n]])
    return np.concatenate(columns, axis=1)


def centring_correction(length: float, block_length: int = 1) -> float:
    """What a bootstrap's spread of a mean of ``length`` values in blocks is to be multiplied with.

    Block means are centred on their own mean, which hides a share b / n of the variance.
    """
    return (length / (length - block_length)) ** 0.5 if length > block_length else 1.0


def percentile_interval(
    estimate: float, resampled: FloatArray, *, correction: float = 1.0, level: float = 0.95
) -> Interval:
    """Central interval of resampled statistics [resamples], their spread widened by ``correction``."""
    spread = (resampled - estimate) * correction
    low, high = estimate + np.quantile(spread, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high))


def bootstrap_interval(
    values: ArrayLike,
    strata: ArrayLike,
    *,
    statistic: Statistic = mean,
    block_length: int | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic of an autocorrelated series on several seeds.

    Args:
        values: [n], in time order within each stratum.
        strata: seed of each value [n].
        statistic: reduces the last axis; :func:`mean` or :func:`interquartile_mean`.
        block_length: decisions per block; default :func:`plug_in_block_length`.
        level: coverage of the interval.
        seed: of the resampling.

    Raises:
        ValueError: empty, not finite, or lengths differ.
    """
    series, groups = np.asarray(values, dtype=np.float64), np.asarray(strata)
    if series.ndim != 1 or len(series) == 0 or groups.shape != series.shape:
        raise ValueError(f"want values [n >= 1] and strata [n], got {series.shape} and {groups.shape}")
    if not np.isfinite(series).all():
        raise ValueError("values must be finite; drop or censor missing ones explicitly")
    length = block_length or plug_in_block_length(series, groups)
    rows = block_indices(groups, block_length=length, resamples=resamples, seed=seed)
    stratum_length = float(np.mean([len(members) for members in _groups(groups)]))
    return percentile_interval(
        float(statistic(series)),
        statistic(series[rows]),
        correction=centring_correction(stratum_length, length),
        level=level,
    )


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    strata: ArrayLike,
    *,
    statistic: Statistic = mean,
    block_length: int | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of ``first - second`` on the same decisions; what both share (place, fade, prompt) cancels.

    Args:
        first, second: [n], row i of both is the same decision.
        strata: seed of each row [n].

    Raises:
        ValueError: as in :func:`bootstrap_interval`.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"paired series must have one shape, got {a.shape} and {b.shape}")
    return bootstrap_interval(
        a - b,
        strata,
        statistic=statistic,
        block_length=block_length,
        resamples=resamples,
        level=level,
        seed=seed,
    )


def mean_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean of independent values with Student's interval, as of one figure of several runs.

    A bootstrap of so few values would be too narrow.

    Args:
        values: [n], one of each run.

    Raises:
        ValueError: fewer than 2 values, or not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not np.isfinite(found).all():
        raise ValueError(f"want values [n >= 2], finite; got {found}")
    half = student_quantile((1 + level) / 2, len(found) - 1) * float(found.std(ddof=1)) / sqrt(len(found))
    middle = float(found.mean())
    return Interval(middle, middle - half, middle + half)


def student_quantile(p: float, degrees: int) -> float:
    """Quantile of Student's t distribution, within 1 % for p up to 0.975.

    Expansion about the normal quantile, Abramowitz and Stegun 26.7.5; exact for one degree of freedom.
    """
    if degrees == 1:
        return tan(pi * (p - 0.5))
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / degrees ** (i + 1) for i, term in enumerate(terms)))
