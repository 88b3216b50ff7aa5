"""The causal ceiling: a policy that was fitted to every action's outcome, but never sees the future.

No learner that sees the same observations can be expected to do much better, because it only ever learns the
outcome of the action that it took. What the oracle gains beyond the ceiling is not in the observation.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from pyagent.policies.base import Context, Mask, OfflinePolicy, masked_argmax
from pyagent.reward import FloatArray, RewardComposer
from pyagent.surrogate.types import Contexts, Indices


class Forest(NamedTuple):
    """Settings of the regression.

    Attributes:
        kind: `extra` for extremely randomised trees (Geurts, Ernst and Wehenkel 2006), `random` for a random
            forest (Breiman 2001).
        leaf: least number of decisions in a leaf of a tree; every decision is in the data once for each
            action that may have been taken before it.
        trees: number of trees.
    """

    kind: Literal["extra", "random"]
    leaf: int
    trees: int = 300


class CausalCeilingPolicy(OfflinePolicy):
    """The action of the highest expected reward, the price of a switch included.

    Args:
        model: fitted, contexts [B, D] -> rewards without switching [B, S].
        composer: gives the price of a switch and the split of the decision before.
    """

    name = "causal-ceiling"

    def __init__(self, model: Any, composer: RewardComposer) -> None:
        self._model, self._composer = model, composer

    @classmethod
    def fit(
        cls,
        contexts: FloatArray | Contexts,
        rewards: FloatArray,
        composer: RewardComposer,
        forest: Forest,
        *,
        seed: int = 0,
    ) -> CausalCeilingPolicy:
        """Fit the expected reward of all actions at once.

        Args:
            contexts: float32 [K, S, R, D], what would be seen had action s been taken before.
            rewards: float64 [K, S, R] without switching costs.
            composer: of the scenario.
            forest: settings.
            seed: of the trees.

        Raises:
            ValueError: the shapes do not fit.
        """
        K, S, R, D = contexts.shape
        if rewards.shape != (K, S, R):
            raise ValueError(f"contexts {contexts.shape} and rewards {rewards.shape} do not fit")
        seen = contexts.transpose(0, 2, 1, 3).reshape(-1, D)
        outcomes = np.repeat(rewards.transpose(0, 2, 1).reshape(-1, S), S, axis=0)
        return cls(_regressor(forest, S, seed).fit(seen, outcomes), composer)

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The best expected action for a context [D], or the best allowed one."""
        return masked_argmax(self.expected(np.asarray(context)[None])[0], mask)

    def act_batch(self, contexts: Contexts) -> Indices:
        """Actions [B] for contexts [B, D], all allowed."""
        return np.asarray(self.expected(contexts).argmax(1), dtype=np.int64)

    def expected(self, contexts: Contexts) -> FloatArray:
        """Expected rewards [B, S], the price of a switch taken off."""
        splits = np.asarray(self._composer.splits)
        rewards = self._model.predict(contexts).reshape(len(contexts), len(splits))
        before = np.rint(self._composer.previous_split(contexts))[:, None]
        switched = (before >= 0) & (splits != before)
        return np.asarray(rewards - self._composer.weights.switching * switched, dtype=np.float64)


def _regressor(forest: Forest, actions: int, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor  # takes half a second to load

    settings = {
        "n_estimators": forest.trees,
        "min_samples_leaf": forest.leaf * actions,
        "random_state": seed,
        "n_jobs": 1,
    }
    if forest.kind == "extra":
        return ExtraTreesRegressor(max_features=1.0, **settings)
    return RandomForestRegressor(max_features=1 / 3, **settings)
