"""Rules that are constant between thresholds on one feature, and the best of them on a tuning table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyagent.envs.observation import NAMES, physical_value
from pyagent.evaluation.rules import StepRule
from pyagent.policies.base import Context, Mask, OfflinePolicy, checked_table, nearest_allowed
from pyagent.reward import FloatArray
from pyagent.surrogate.types import Contexts, Indices

if TYPE_CHECKING:
    from typing import Self

    from pyagent.scenario.compile import Deployment


class Steps(NamedTuple):
    """A piecewise constant rule.

    Args:
        score: sum of the rewards it reached where it was tuned.
        feature: index of the context feature.
        thresholds: on the normalised feature, not decreasing.
        choices: action of each piece, one more than thresholds; a piece starts at its threshold.
    """

    score: float
    feature: int
    thresholds: tuple[float, ...]
    choices: tuple[int, ...]


class StepPolicy(OfflinePolicy):
    """Plays a rule; a subclass says of how many pieces.

    Args:
        feature, thresholds, choices: as in `Steps`.
        actions: S.
    """

    name: str
    pieces: ClassVar[int]

    def __init__(
        self, feature: int, thresholds: tuple[float, ...], choices: tuple[int, ...], actions: int
    ) -> None:
        self.feature, self.thresholds, self.choices = feature, thresholds, choices
        self._actions = actions

    @classmethod
    def tune(cls, contexts: Contexts, rewards: FloatArray, *features: int) -> Self:
        """The best of all features, thresholds and actions on the tuning seeds, exactly; see `best_steps`."""
        best = best_steps(contexts, rewards, features, cls.pieces)
        return cls.of(best, rewards.shape[1])

    @classmethod
    def of(cls, rule: Steps, actions: int) -> Self:
        """The policy that plays a rule over S actions."""
        return cls(rule.feature, rule.thresholds, rule.choices, actions)

    def act(self, context: Context, mask: Mask | None = None) -> int:
        """The rule's action, or the closest allowed one."""
        # A float: against a float32, NumPy would round the threshold, perhaps onto a feature's value.
        value = float(context[self.feature])
        piece = sum(value >= threshold for threshold in self.thresholds)
        return nearest_allowed(self.choices[piece], self._actions, mask)

    def act_batch(self, contexts: Contexts) -> Indices:
        """Actions [B] for contexts [B, D], all allowed."""
        values = contexts[:, self.feature].astype(np.float64)
        return np.asarray(self.choices)[np.searchsorted(self.thresholds, values, side="right")]

    def rule(self, deployment: Deployment) -> StepRule:
        """The rule in the feature's unit and in blocks on the UE."""
        name = NAMES[self.feature]
        thresholds = [
            physical_value(name, t, deployment.num_layers) if math.isfinite(t) else t for t in self.thresholds
        ]
        return StepRule.simplest(name, thresholds, [deployment.splits[choice] for choice in self.choices])


def best_steps(contexts: Contexts, rewards: FloatArray, features: tuple[int, ...], pieces: int) -> Steps:
    """The best of all features, thresholds and actions on the tuning seeds, exactly.

    With decisions sorted by a feature, prefix sums tell what an action is worth between two cuts, and a
    running maximum over the cut before adds piece after piece: O(K (S pieces + log K)) per feature.

    Args:
        contexts: float32 [K, D].
        rewards: [K, S] or [K, S, R].
        features: indices of the features to cut on; of equally good ones the first.
        pieces: of the rule, >= 1.

    Raises:
        ValueError: the lengths differ, or a feature does not exist.
    """
    table = checked_table(rewards)
    if not features or len(contexts) != len(table) or not all(0 <= f < contexts.shape[1] for f in features):
        raise ValueError(f"contexts {contexts.shape}, rewards {table.shape}, features {features} do not fit")
    candidates = [_best_on(contexts[:, f], table, f, pieces) for f in features]
    return max(candidates, key=lambda steps: steps.score)


def _best_on(values: NDArray[np.float32], table: FloatArray, feature: int, pieces: int) -> Steps:
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(np.float64)
    zeros = np.zeros((1, table.shape[1]))
    sums = np.concatenate([zeros, np.cumsum(table[order], 0)])  # (K + 1, S): row k sums the k lowest
    # A cut between equal feature values cannot be made by any threshold.
    impossible = np.concatenate([[False], ordered[1:] == ordered[:-1], [False]])
    scores = [np.where(impossible, -np.inf, sums.max(1))]  # of the k lowest, with ever more pieces
    for _ in range(pieces - 1):
        before = np.maximum.accumulate(scores[-1][:, None] - sums, axis=0)
        scores.append(np.where(impossible, -np.inf, (sums + before).max(1)))
    edges = np.concatenate([[-np.inf], (ordered[1:] + ordered[:-1]) / 2, [np.inf]])
    end, thresholds, choices = len(ordered), [], []
    for score in reversed(scores[:-1]):
        cut = int(np.argmax(score[: end + 1] + (sums[end] - sums[: end + 1]).max(1)))
        choices.append(int((sums[end] - sums[cut]).argmax()))
        thresholds.append(float(edges[cut]))
        end = cut
    choices.append(int(sums[end].argmax()))
    return Steps(float(scores[-1][-1]), feature, tuple(thresholds[::-1]), tuple(choices[::-1]))
