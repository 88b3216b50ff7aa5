"""The clairvoyant oracle: the best path through an episode whose future it knows, switching costs included.

The oracle of `pyagent.evaluation.oracle` picks each decision by itself and pays nothing for flapping; this
one maximises the sum over an episode of reward minus switching cost by dynamic programming (Viterbi 1967).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyagent.evaluation.oracle import balanced_halves, checked_replicates
from pyagent.reward import FloatArray


@dataclass(frozen=True)
class Clairvoyant:
    """The best paths of a reward table.

    Args:
        value: cross-scored reward [K], switching costs taken off; unbiased for an oracle that knows R/2
            replicates.
        action: path [K] chosen on all replicates, for plots; its own mean reward is biased upwards.
    """

    value: FloatArray
    action: NDArray[np.int64]


def clairvoyant(rewards: FloatArray, seeds: NDArray[np.int64], switching_cost: float) -> Clairvoyant:
    """Cross-scored best paths, as `pyagent.evaluation.oracle.oracle` scores single decisions.

    Args:
        rewards: float64 [K decisions, S actions, R replicates] without switching costs, R even and >= 4.
        seeds: [K], which episode a decision is of; those of one episode are neighbours, in order of time.
        switching_cost: >= 0, paid where the action is not the one before in the episode.

    Raises:
        ValueError: a shape, R or the cost does not fit, or a cell is not finite.
    """
    checked_replicates(rewards)
    if seeds.shape != rewards.shape[:1]:
        raise ValueError(f"want seeds [{len(rewards)}], got {seeds.shape}")
    starts = np.flatnonzero(np.r_[True, seeds[1:] != seeds[:-1]])
    if len(starts) != len(np.unique(seeds)):
        raise ValueError("the decisions of a seed must be neighbours in the table")
    rows = np.arange(len(rewards))
    value, count = np.zeros(len(rewards)), 0
    for choose, score in balanced_halves(rewards.shape[2]):
        path = _paths(rewards[:, :, choose].mean(2), starts, switching_cost)
        value += rewards[:, :, score].mean(2)[rows, path] - switching_costs(path, starts, switching_cost)
        count += 1
    return Clairvoyant(value / count, _paths(rewards.mean(2), starts, switching_cost))


def best_path(rewards: FloatArray, switching_cost: float) -> NDArray[np.int64]:
    """Actions [K] that maximise the sum of rewards [K, S] minus the cost of each change of action.

    Staying wins ties against switching, then the lowest index. O(K S).

    Raises:
        ValueError: the cost is negative or not finite.
    """
    if not (np.isfinite(switching_cost) and switching_cost >= 0):
        raise ValueError(f"switching_cost={switching_cost!r} must be finite and >= 0")
    decisions, actions = rewards.shape
    came_from = np.empty((decisions, actions), np.int64)
    total = np.zeros(actions)
    stay = np.arange(actions)
    for k in range(decisions):
        # The best way to switch into any action comes from the action that is worth most so far.
        best = int(np.argmax(total))
        moves = (total[best] - switching_cost > total) if k else np.zeros(actions, bool)
        came_from[k] = np.where(moves, best, stay)
        total = np.where(moves, total[best] - switching_cost, total) + rewards[k]
    path = np.empty(decisions, np.int64)
    action = int(np.argmax(total))
    for k in reversed(range(decisions)):
        path[k] = action
        action = int(came_from[k, action])
    return path


def switching_costs(path: NDArray[np.int64], starts: NDArray[np.int64], switching_cost: float) -> FloatArray:
    """What each decision [K] of a path pays for switching; the decisions at `starts` pay nothing."""
    switched = np.r_[False, path[1:] != path[:-1]]
    switched[starts] = False
    return np.asarray(switching_cost * switched, dtype=np.float64)


def _paths(rewards: FloatArray, starts: NDArray[np.int64], switching_cost: float) -> NDArray[np.int64]:
    episodes = np.split(rewards, starts[1:])
    return np.concatenate([best_path(episode, switching_cost) for episode in episodes])
