"""Are the predicted distributions as wide as they should be, and do they rank decisions rightly?"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd

from pyagent.reward import COMPONENTS, FloatArray
from pyagent.surrogate.types import ActionEncoder, Batch, Surrogate

NOMINAL = tuple(round(0.05 * i, 2) for i in range(1, 20))
"""Levels of the reliability curve, 0.05 to 0.95."""


class Calibration(TypedDict):
    """How well one component is predicted; None where it can't be said.

    ``coverage_50``, ``coverage_90``, ``coverage_95``: share of outcomes inside the central interval; ideal:
    the level. ``reliability``: (level, share inside) pairs at the levels ``NOMINAL``, empty without outcomes.
    ``rank_correlation``: Spearman, predicted mean against outcome; None if one is constant.
    ``mean_absolute_error``: physical unit.
    """

    coverage_50: float | None
    coverage_90: float | None
    coverage_95: float | None
    reliability: list[tuple[float, float]]
    rank_correlation: float | None
    mean_absolute_error: float | None


def randomised_pit(draws: FloatArray, observed: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Randomised probability integral transform; uniform on [0, 1] if the draws' distribution is right.

    ``u = F(y-) + v (F(y) - F(y-))`` with v uniform, which also holds for distributions with atoms such as a
    censored latency or a 0/1 failure (Czado, Gneiting and Held 2009, section 2.1).

    Args:
        draws: predictive draws [K, ...].
        observed: [...].
    """
    tie = np.isclose(draws, observed, rtol=1e-5, atol=1e-9)
    below = ((draws < observed) & ~tie).mean(0)
    return np.asarray(below + rng.random(observed.shape) * tie.mean(0), dtype=np.float64)


def _rank_correlation(a: FloatArray, b: FloatArray) -> float | None:
    """Spearman's rho, None where one side is constant."""
    ranks = pd.DataFrame({"a": a, "b": b}).rank()
    if ranks["a"].nunique() < 2 or ranks["b"].nunique() < 2:
        return None
    return float(np.corrcoef(ranks["a"], ranks["b"])[0, 1])


def calibration(
    surrogate: Surrogate, encoder: ActionEncoder, held_out: Batch, *, seed: int = 0, draws: int = 200
) -> dict[str, Calibration]:
    """How well each component is predicted on decisions that the surrogate has not learned from.

    A quality that was not bought (NaN) is left out.

    Raises:
        ValueError: ``held_out`` is empty.
    """
    rows = len(held_out.actions)
    if rows == 0:
        raise ValueError("calibration needs at least one held-out decision")
    rng = np.random.default_rng(seed)
    encoded = encoder.encode(held_out.actions)
    samples = np.stack(
        [
            surrogate.sample(held_out.contexts, encoded, rng.integers(0, surrogate.members, rows), rng)
            for _ in range(draws)
        ]
    )  # (K, B, C)
    distance = np.abs(randomised_pit(samples, held_out.outcomes, rng) - 0.5)
    mean = surrogate.predict(held_out.contexts, encoded).mean
    known = ~np.isnan(held_out.outcomes)
    return {
        name: _entry(distance[known[:, c], c], mean[known[:, c], c], held_out.outcomes[known[:, c], c])
        for c, name in enumerate(COMPONENTS)
    }


def _entry(distance: FloatArray, mean: FloatArray, truth: FloatArray) -> Calibration:
    """Of one component, from distances of its transform from 1/2, predicted means and outcomes, all [B]."""

    def coverage(level: float) -> float | None:
        return float((distance <= level / 2).mean()) if len(distance) else None

    curve = ((level, coverage(level)) for level in NOMINAL)
    return {
        "coverage_50": coverage(0.5),
        "coverage_90": coverage(0.9),
        "coverage_95": coverage(0.95),
        "reliability": [(level, share) for level, share in curve if share is not None],
        "rank_correlation": _rank_correlation(mean, truth),
        "mean_absolute_error": float(np.abs(mean - truth).mean()) if len(truth) else None,
    }
