"""Are the predicted distributions as wide as they should be, and do they rank decisions rightly?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pyagent.reward import COMPONENTS, FloatArray
from pyagent.surrogate.types import ActionEncoder, Batch, Surrogate

LEVELS = (0.5, 0.9, 0.95)


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
) -> dict[str, dict[str, float | None]]:
    """Coverage and rank correlation per component on decisions that the surrogate has not learned from.

    Returns:
        Component -> ``coverage_50``, ``coverage_90``, ``coverage_95`` (share of outcomes inside the central
        interval; ideal: the level), ``rank_correlation`` (Spearman, predicted mean against outcome; None if
        one is constant), ``mean_absolute_error`` (physical unit).

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
    report: dict[str, dict[str, float | None]] = {}
    for c, name in enumerate(COMPONENTS):
        truth = held_out.outcomes[:, c]
        entry: dict[str, float | None] = {
            f"coverage_{round(100 * level)}": float((distance[:, c] <= level / 2).mean()) for level in LEVELS
        }
        entry["rank_correlation"] = _rank_correlation(mean[:, c], truth)
        entry["mean_absolute_error"] = float(np.abs(mean[:, c] - truth).mean())
        report[name] = entry
    return report
