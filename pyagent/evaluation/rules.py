"""Rules with thresholds on one feature, in physical units: as text, as JSON, and played on a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyagent.envs.observation import FEATURES, NAMES

_MOST_BLOCKS = 2**31
"""Of a split in a file."""


@dataclass(frozen=True)
class StepRule:
    """A split for each piece of one feature's range.

    Attributes:
        feature: one of `pyagent.envs.observation.NAMES`; empty for a rule of one piece.
        thresholds: in the feature's unit, increasing. A piece starts at its threshold.
        splits: blocks on the UE of each piece, one more than thresholds.

    Raises:
        ValueError: the numbers of thresholds and splits do not fit, or there is no such feature.
    """

    feature: str
    thresholds: tuple[float, ...]
    splits: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.splits) != len(self.thresholds) + 1:
            raise ValueError(f"{len(self.thresholds)} thresholds need one split more, got {self.splits}")
        if self.thresholds and self.feature not in NAMES:
            raise ValueError(f"feature = {self.feature!r}: valid: {', '.join(NAMES)}")

    @classmethod
    def always(cls, split: int) -> StepRule:
        """The rule of one piece."""
        return cls("", (), (split,))

    @classmethod
    def simplest(cls, feature: str, thresholds: Sequence[float], splits: Sequence[int]) -> StepRule:
        """The same rule without empty pieces and without thresholds between equal splits."""
        edges = [-math.inf, *thresholds, math.inf]
        bounds = zip(splits, edges[:-1], edges[1:], strict=True)
        pieces = [(split, start) for split, start, end in bounds if start < end]
        kept = [next(group) for _, group in groupby(pieces, key=lambda piece: piece[0])]
        if len(kept) == 1:
            return cls.always(kept[0][0])
        return cls(feature, tuple(start for _, start in kept[1:]), tuple(split for split, _ in kept))

    def __str__(self) -> str:
        """For example `phy_rate < 3.7 Mbit/s -> 32, else 1`; thresholds have three digits."""
        if not self.thresholds:
            return f"always {self.splits[0]}"
        feature = FEATURES[NAMES.index(self.feature)]
        unit = f" {feature.unit}" if feature.unit else ""
        below = [f"< {t:.3g}{unit} -> {s}" for t, s in zip(self.thresholds, self.splits[:-1], strict=True)]
        return f"{feature.quantity} {', '.join(below)}, else {self.splits[-1]}"

    def choose(self, values: ArrayLike) -> NDArray[np.int64]:
        """Splits for values of the feature, of their shape."""
        pieces = np.searchsorted(self.thresholds, np.asarray(values, dtype=np.float64), side="right")
        return np.asarray(self.splits, dtype=np.int64)[pieces]

    def to_json(self) -> dict[str, Any]:
        """Text, feature with unit, thresholds and splits; no feature for a rule of one piece."""
        feature = FEATURES[NAMES.index(self.feature)] if self.thresholds else None
        return {
            "text": str(self),
            "feature": feature and feature.name,
            "unit": feature and feature.unit,
            "thresholds": list(self.thresholds),
            "splits": list(self.splits),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StepRule:
        """What `to_json` gave.

        Raises:
            ValueError, TypeError, KeyError, OverflowError: the data is something else.
        """
        thresholds = tuple(float(value) for value in data["thresholds"])
        splits = tuple(int(value) for value in data["splits"])
        if not all(map(math.isfinite, thresholds)) or any(abs(split) > _MOST_BLOCKS for split in splits):
            raise ValueError(f"thresholds or splits are not finite, or beyond {_MOST_BLOCKS}")
        return cls(str(data["feature"] or ""), thresholds, splits)
