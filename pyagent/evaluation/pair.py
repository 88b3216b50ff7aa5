"""The best pair: the two actions between which a perfect choice gains most.

Its share of the oracle's gain tells how much of a decision among S actions is a switch between two of them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.reward import FloatArray

Pair = tuple[int, int]


def best_pair(rewards: FloatArray) -> Pair:
    """The pair of actions with the highest mean of its better action per decision.

    With an even number R >= 4 of replicates every pair is cross-scored as the oracle is; with fewer, the
    better action is that of the mean over the replicates. Of equally good pairs the first one is taken.

    Args:
        rewards: float64 [K, S, R], from training episodes only.

    Returns:
        Two action indices, the smaller one first; of a table with one action that action twice.

    Raises:
        ValueError: the shape does not fit, or a cell is not finite.
    """
    if rewards.ndim != 3 or 0 in rewards.shape or not np.isfinite(rewards).all():
        raise ValueError(f"want a finite reward table [K, S, R], got {rewards.shape}")
    pairs = list(combinations(range(rewards.shape[1]), 2)) or [(0, 0)]
    return max(pairs, key=lambda pair: _worth(rewards[:, list(pair)]))


def _worth(rewards: FloatArray) -> float:
    replicates = rewards.shape[2]
    if replicates >= 4 and replicates % 2 == 0:
        return float(oracle(rewards).value.mean())
    return float(rewards.mean(2).max(1).mean())


def pair_oracle(rewards: FloatArray, pair: Pair) -> Oracle:
    """The cross-scored oracle that may only use the two actions.

    Args:
        rewards: of the test part, float64 [K, S, R], R even and >= 4.
        pair: action indices.

    Returns:
        As :func:`pyagent.evaluation.oracle.oracle`, with the actions numbered as in the whole table.
    """
    found, places = oracle(rewards[:, list(pair)]), np.asarray(pair)
    return Oracle(
        found.value,
        places[found.action],
        found.naive_value,
        found.static_value,
        int(places[found.static_action]),
    )
