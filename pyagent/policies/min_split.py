"""As little as possible on the UE: the best choice over a perfect link."""

from __future__ import annotations

import numpy as np

from pyagent.policies.base import Context, Mask, OfflinePolicy, nearest_allowed


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
