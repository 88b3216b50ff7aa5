"""Uniformly random split: the floor of every comparison and the unbiased way to collect training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyagent.policies.base import Context, Mask, OfflinePolicy, allowed_actions

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment


class RandomPolicy(OfflinePolicy):
    """Every allowed action with equal probability.

    Args:
        splits: blocks on the UE of each action.
        seed: until the first :meth:`reset`.
    """

    name = "random"

    def __init__(self, splits: tuple[int, ...], *, seed: int = 0) -> None:
        self._actions = len(splits)
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Restarts the random numbers."""
        self._rng = np.random.default_rng(seed)

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """A uniform draw; the context is ignored."""
        return int(self._rng.choice(allowed_actions(self._actions, mask)))

    def describe(self, deployment: Deployment) -> str:
        """See the class."""
        return f"one of {', '.join(map(str, deployment.splits))}, each as likely"
