"""Everything on the UE: no radio, no loss, all of the energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, nearest_allowed

if TYPE_CHECKING:
    from pyagent.scenario.compile import Deployment


class AllLocalPolicy(OfflinePolicy):
    """Always ``split == num_layers``.

    Args:
        splits: blocks on the UE of each action.
        num_layers: L.

    Raises:
        ValueError: all-local is not among the splits (the UE's memory cannot hold the model); leave the
            policy out.
    """

    name = "all-local"

    def __init__(self, splits: tuple[int, ...], num_layers: int) -> None:
        if num_layers not in splits:
            raise ValueError(f"all-local needs split {num_layers} among the feasible splits {splits}")
        self._actions, self._action = len(splits), splits.index(num_layers)

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The all-local action, or the closest allowed one."""
        return nearest_allowed(self._action, self._actions, mask)

    def rule(self, deployment: Deployment) -> StepRule:
        """One split for all requests."""
        return StepRule.always(deployment.splits[self._action])
