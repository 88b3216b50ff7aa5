"""One threshold on one feature: what an engineer would try first, and often hard to beat."""

from __future__ import annotations

from pyagent.policies.steps import StepPolicy, best_steps
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts


class ThresholdPolicy(StepPolicy):
    """``below`` where the feature is under the threshold, else ``above``.

    Args:
        feature: index of the context feature, usually the SNR.
        threshold: on the normalised feature.
        below, above: action indices.
        actions: S.
    """

    name = "threshold"

    def __init__(self, feature: int, threshold: float, below: int, above: int, actions: int) -> None:
        super().__init__(feature, (threshold,), (below, above), actions)
        self.threshold, self.below, self.above = threshold, below, above

    @classmethod
    def tune(cls, contexts: Contexts, rewards: FloatArray, *features: int) -> ThresholdPolicy:
        """The best of all features, thresholds and pairs of actions on the tuning seeds, exactly.

        Args:
            contexts: float32 [K, D].
            rewards: [K, S] or [K, S, R].
            features: indices of the features to cut on; of equally good ones the first.

        Raises:
            ValueError: the lengths differ, or a feature does not exist.
        """
        best = best_steps(contexts, rewards, features, pieces=2)
        (threshold,), (below, above) = best.thresholds, best.choices
        return cls(best.feature, threshold, below, above, rewards.shape[1])
