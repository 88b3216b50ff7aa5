"""Two thresholds on one feature: room for an in-between, where one threshold knows only good and bad."""

from __future__ import annotations

from pyagent.policies.steps import StepPolicy, best_steps
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts


class TwoThresholdPolicy(StepPolicy):
    """An action below the lower threshold, one between the two, one from the upper on.

    Args:
        feature: index of the context feature.
        thresholds: lower and upper, on the normalised feature.
        choices: action index below, between and above.
        actions: S.
    """

    name = "two-threshold"

    @classmethod
    def tune(cls, contexts: Contexts, rewards: FloatArray, *features: int) -> TwoThresholdPolicy:
        """The best of all features, pairs of thresholds and triples of actions on the tuning seeds, exactly.

        Args:
            contexts: float32 [K, D].
            rewards: [K, S] or [K, S, R].
            features: indices of the features to cut on; of equally good ones the first.

        Raises:
            ValueError: the lengths differ, or a feature does not exist.
        """
        best = best_steps(contexts, rewards, features, pieces=3)
        return cls(best.feature, best.thresholds, best.choices, rewards.shape[1])
