"""Linear Thompson sampling: plays what is best in a world drawn from the posterior."""

from __future__ import annotations

import numpy as np

from pyagent.policies.linear import LinearBandit, RidgePosterior
from pyagent.reward import FloatArray


class LinearThompsonPolicy(LinearBandit):
    """Best action under weights drawn anew for each decision (Agrawal and Goyal, ICML 2013).

    Args:
        encoder, composer, ridge, noise_std, seed: as `LinearBandit`.
    """

    name = "linear-thompson"

    def values(self, posterior: RidgePosterior, features: FloatArray) -> FloatArray:
        """Values [S] of features [S, F] in the drawn world."""
        return np.asarray(features @ posterior.sample(self._rng))
