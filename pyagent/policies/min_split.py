"""As little as possible on the UE: the best choice over a perfect link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, nearest_allowed

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment


class MinSplitPolicy(OfflinePolicy):
    """Always the smallest allowed split (``all-edge`` in the literature, up to the privacy line).

    Args:
        splits: blocks on the UE of each action.
    """

    name = "min-split"

    def __init__(self, splits: tuple[int, ...]) -> None:
        self._actions, self._action = len(splits), int(np.argmin(splits))

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The smallest allowed split."""
        return nearest_allowed(self._action, self._actions, mask)

    def rule(self, deployment: Deployment) -> StepRule:
        """One split for all requests."""
        return StepRule.always(deployment.splits[self._action])
