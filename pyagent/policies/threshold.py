"""One threshold on one feature: what an engineer would try first, and often hard to beat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyagent.policies.base import Context, Mask, OfflinePolicy, checked_table, nearest_allowed
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts


class ThresholdPolicy(OfflinePolicy):
    """``below`` where the feature is under the threshold, else ``above``.

    Args:
        feature: index of the context feature, usually the SNR.
        threshold: on the normalised feature.
        below, above: action indices.
        actions: S.
    """

    name = "threshold"

    def __init__(self, feature: int, threshold: float, below: int, above: int, actions: int) -> None:
        self.feature, self.threshold = feature, threshold
        self.below, self.above, self._actions = below, above, actions

    @classmethod
    def tune(cls, contexts: Contexts, rewards: FloatArray, *features: int) -> ThresholdPolicy:
        """The best of all features, thresholds and pairs of actions on the tuning seeds, exactly.

        With decisions sorted by a feature, the best pair at each cut follows from prefix sums: O(K (S + log
            K)) per feature.

        Args:
            contexts: float32 [K, D].
            rewards: [K, S] or [K, S, R].
            features: indices of the features to cut on; of equally good ones the first.

        Raises:
            ValueError: the lengths differ, or a feature does not exist.
        """
        table = checked_table(rewards)
        if len(contexts) != len(table) or not all(0 <= f < contexts.shape[1] for f in features):
            raise ValueError(
                f"contexts {contexts.shape}, rewards {table.shape}, features {features} do not fit"
            )
        cuts = [_best_cut(contexts[:, feature], table) for feature in features]
        best = int(np.argmax([cut.score for cut in cuts]))
        cut = cuts[best]
        return cls(features[best], cut.threshold, cut.below, cut.above, table.shape[1])

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The rule's action, or the closest allowed one."""
        action = self.below if context[self.feature] < self.threshold else self.above
        return nearest_allowed(action, self._actions, mask)


class _Cut(NamedTuple):
    """Sum of the rewards with `below` under the threshold and `above` from it on."""

    score: float
    threshold: float
    below: int
    above: int


def _best_cut(feature: NDArray[np.float32], table: FloatArray) -> _Cut:
    """The best threshold and pair of actions for a feature [K] and rewards [K, S]."""
    order = np.argsort(feature, kind="stable")
    values = feature[order].astype(np.float64)
    zeros = np.zeros((1, table.shape[1]))
    left = np.concatenate([zeros, np.cumsum(table[order], 0)])  # (K + 1, S): row k sums the k lowest
    right = left[-1] - left
    score = left.max(1) + right.max(1)
    # A cut between equal feature values cannot be made by any threshold.
    score[1:-1][values[1:] == values[:-1]] = -np.inf
    k = int(np.argmax(score))
    edges = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    return _Cut(float(score[k]), float(edges[k]), int(left[k].argmax()), int(right[k].argmax()))
