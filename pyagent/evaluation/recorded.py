"""The oracle's table as a recorded dataset: policies play it in microseconds instead of minutes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyagent.policies.base import Policy
from pyagent.reward import FloatArray


@dataclass(frozen=True)
class RecordedTable:
    """Every static split's runs of the same seeds.

    K decisions over all seeds, S actions, R replicates, D features.

    Attributes:
        seeds, decisions: int64 [K], which decision a row is; rows of one seed are in order of time.
        contexts: float32 [K, S, R, D], what the policy would see had it taken action s before.
        rewards: float64 [K, S, R], without switching costs, since a static policy never switches.
    """

    seeds: NDArray[np.int64]
    decisions: NDArray[np.int64]
    contexts: NDArray[np.float32]
    rewards: FloatArray

    @property
    def replicates(self) -> int:
        """R."""
        return int(self.rewards.shape[2])

    def replay(self, policy: Policy, replicate: int, switching_cost: float) -> FloatArray:
        """Rewards [K] of a policy on one replicate.

        The context of a decision comes from the run of the action taken before, so that its history part
        (recent loss, delay, previous split) is that of the policy's last choice; older history is that of
        the static run, which is the approximation of this dataset.

        Args:
            policy: asked decision by decision; reset at the start of each seed.
            replicate: in [0, R).
            switching_cost: taken off the reward where the action changes.
        """
        rewards = np.empty(len(self.rewards))
        previous = None
        for k in range(len(self.rewards)):
            if k == 0 or self.seeds[k] != self.seeds[k - 1]:
                policy.reset(int(self.seeds[k]))
                previous = None
            action = policy.act(self.contexts[k, previous or 0, replicate])
            switched = previous is not None and action != previous
            rewards[k] = self.rewards[k, action, replicate] - switching_cost * switched
            previous = action
        return rewards


def recorded_table(
    rows: pd.DataFrame, actions: int, normalise: Callable[[FloatArray], NDArray[np.float32]]
) -> RecordedTable:
    """Arrange the rows of every static split's runs as a table.

    Args:
        rows: of decisions.parquet; columns seed, decision, action, replicate, reward and obs_*.
        actions: S.
        normalise: physical features [D] to a context float32 [D].

    Raises:
        ValueError: a cell is missing or there twice.
    """
    keys = rows[["seed", "decision"]].drop_duplicates().sort_values(["seed", "decision"])
    ordered = rows.sort_values(["seed", "decision", "action", "replicate"])
    replicates = int(rows["replicate"].nunique())
    shape = (len(keys), actions, replicates)
    if (
        len(ordered) != np.prod(shape)
        or ordered.duplicated(["seed", "decision", "action", "replicate"]).any()
    ):
        raise ValueError(
            f"the table has {len(ordered)} cells; expected {shape} (decisions, actions, replicates)"
        )
    features = [name for name in rows.columns if name.startswith("obs_")]
    raw = ordered[features].to_numpy(dtype=np.float64)
    contexts = np.stack([normalise(values) for values in raw])
    return RecordedTable(
        seeds=keys["seed"].to_numpy(dtype=np.int64),
        decisions=keys["decision"].to_numpy(dtype=np.int64),
        contexts=contexts.reshape(*shape, -1),
        rewards=ordered["reward"].to_numpy(dtype=np.float64).reshape(shape),
    )
