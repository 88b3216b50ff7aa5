"""The share of what adapting can gain: the one scale on which policies of a test table are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llm_split.plain import fixed
from pyagent.evaluation.statistics import Interval, paired_difference
from pyagent.reward import FloatArray

NOTHING_TO_GAIN = "nothing to gain"
"""Text in place of a share where the oracle's gap is not shown to be above 0."""


@dataclass(frozen=True)
class Yardstick:
    """Mean rewards of the test table between which a policy's reward lies.

    Args:
        static: of the best static action, which was chosen on training episodes.
        oracle: of the cross-scored oracle on the same decisions.
        gap: oracle minus static with its 95 % interval; None: known without error.

    Raises:
        ValueError: a reward is not finite.
    """

    static: float
    oracle: float
    gap: Interval | None = None

    def __post_init__(self) -> None:
        if not np.isfinite([self.static, self.oracle]).all():
            raise ValueError(
                f"static and oracle rewards must be finite, got {self.static!r} and {self.oracle!r}"
            )

    @classmethod
    def of(cls, oracle: ArrayLike, static: ArrayLike, seeds: NDArray[np.int64]) -> Yardstick:
        """The yardstick of rewards per decision.

        Args:
            oracle, static: [K], row k of both is the same test decision.
            seeds: episode of each decision [K].
        """
        best, one = np.asarray(oracle, dtype=np.float64), np.asarray(static, dtype=np.float64)
        return cls(float(one.mean()), float(best.mean()), paired_difference(best, one, seeds))

    @property
    def defined(self) -> bool:
        """True if a share has a meaning: the interval of the oracle's gap lies above 0."""
        return (self.oracle - self.static if self.gap is None else self.gap.low) > 0

    def share(self, reward: float) -> float | None:
        """Share of one mean reward; None if there is nothing to gain."""
        return float(score(reward, self)) if self.defined else None


def score(rewards: ArrayLike, yardstick: Yardstick) -> FloatArray:
    """Shares ``(reward - static) / (oracle - static)`` of rewards of any shape.

    0 is the best static action, 1 the oracle. A policy below the best static action has a negative share, one
    that knows more than the oracle's half of the replicates may exceed 1. NaN if there is nothing to gain.
    """
    found = np.asarray(rewards, dtype=np.float64)
    if not yardstick.defined:
        return np.full(found.shape, np.nan)
    return np.asarray((found - yardstick.static) / (yardstick.oracle - yardstick.static))


def share_text(share: float | None, digits: int = 0) -> str:
    """A share for a table, `97 %`; `-` where there is none."""
    if share is None:
        return "-"
    return f"{fixed(100 * share, digits)} %"
