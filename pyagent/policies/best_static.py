"""One split for all requests, the best one in hindsight of the tuning seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, checked_table, nearest_allowed
from pyagent.reward import FloatArray

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment


class BestStaticPolicy(OfflinePolicy):
    """Always ``action``; :meth:`tune` finds it.

    Args:
        action: action index.
        actions: S, how many there are.
    """

    name = "best-static"

    def __init__(self, action: int, actions: int) -> None:
        if not 0 <= action < actions:
            raise ValueError(f"action {action} must be in [0, {actions})")
        self.action, self._actions = action, actions

    @classmethod
    def tune(cls, rewards: FloatArray) -> BestStaticPolicy:
        """The action of the highest mean reward.

        Args:
            rewards: [K, S] or [K, S, R], from tuning seeds only (never the test seeds).
        """
        table = checked_table(rewards)
        return cls(int(np.argmax(table.mean(0))), table.shape[1])

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The tuned action, or the closest allowed one."""
        return nearest_allowed(self.action, self._actions, mask)

    def rule(self, deployment: Deployment) -> StepRule:
        """One split for all requests."""
        return StepRule.always(deployment.splits[self.action])
