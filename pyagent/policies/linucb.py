"""LinUCB: optimism in the face of a linear model's uncertainty."""

from __future__ import annotations

import numpy as np

from pyagent.policies.linear import LinearBandit, RidgePosterior
from pyagent.reward import FloatArray, RewardComposer
from pyagent.surrogate.types import ActionEncoder


class LinUcbPolicy(LinearBandit):
    """Mean plus ``alpha`` standard deviations (Li, Chu, Langford, Schapire, WWW 2010; hybrid model).

    Args:
        encoder, composer, ridge, noise_std, seed: as `LinearBandit`.
        alpha: standard deviations of optimism, >= 0.
    """

    name = "linucb"

    def __init__(
        self,
        encoder: ActionEncoder,
        composer: RewardComposer,
        *,
        alpha: float = 1.0,
        ridge: float = 1.0,
        noise_std: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, composer, ridge=ridge, noise_std=noise_std, seed=seed)
        if alpha < 0:
            raise ValueError(f"alpha={alpha!r} must be >= 0")
        self._alpha = alpha

    def values(self, posterior: RidgePosterior, features: FloatArray) -> FloatArray:
        """Upper confidence bounds [S] at features [S, F]."""
        return np.asarray(features @ posterior.mean + self._alpha * posterior.spread(features))
