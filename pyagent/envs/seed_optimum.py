"""What can be reached in `SeedSplitEnv` at best, and what simple rules reach: exact, by dynamic programming.

Given the moves, the loss drifts without chance, and the split is one of ten: only the loss is continuous. It
is put on a grid, with values linear in between; the reward is known at every point.

Symbols: m grid points of the loss, S splits, A moves, T steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyagent.envs.seed_quality import MAX_LOSS, SPLITS
from pyagent.envs.seed_split import FIRST_LOSS, FIRST_SPLITS, MOVES, STEPS, moved, seed_reward
from pyagent.reward import FloatArray

Ratios = Callable[[FloatArray], FloatArray]
"""Losses [m] -> perplexity ratio [m, S]."""
Actions = NDArray[np.int64]
POINTS = 301
"""Grid points: every 0.001."""


class Optimum(NamedTuple):
    """Best value per episode, and the best action in every step, [T, m, S]."""

    value: float
    actions: Actions


class Static(NamedTuple):
    """Go to `split` as fast as the moves allow, and stay."""

    split: int
    value: float


class Threshold(NamedTuple):
    """Go to `below` where an episode starts with less loss than `loss`, else to `above`; as `Static`."""

    loss: float
    below: int
    above: int
    value: float


class SeedProblem:
    """The decision problem on a loss grid.

    Args:
        ratios: the quality, such as `QualityTable.ratios`.
        points: m, so that the grid holds 0.01: one more than a multiple of 30.

    Attributes:
        losses: the grid over [0, 0.3], [m].
        rewards: of being at a loss and split, [m, S].
    """

    def __init__(self, ratios: Ratios, points: int = POINTS) -> None:
        if points < 31 or (points - 1) % 30:
            raise ValueError(f"points is {points}, valid: one more than a multiple of 30")
        self.losses: FloatArray = np.linspace(0.0, MAX_LOSS, points)
        self.rewards = seed_reward(ratios(self.losses), np.array(SPLITS))
        table = [[moved(split, action) for action in range(len(MOVES))] for split in SPLITS]
        self._after = np.array([[after - 1 for after, _ in row] for row in table])  # (S, A), from 0
        factors = np.array([[factor for _, factor in row] for row in table])
        place = np.minimum(self.losses[:, None, None] * factors, MAX_LOSS) / self.losses[1]  # (m, S, A)
        self._cell = np.minimum(place.astype(np.int64), points - 2)
        self._share = place - self._cell
        started = np.rint(FIRST_LOSS[0] / self.losses[1]).astype(int)
        self._weights = np.zeros(points)  # of the trapezoid rule over an episode's first loss
        self._weights[started:] = 1.0
        self._weights[[started, -1]] = 0.5
        self._weights /= self._weights.sum()

    def optimum(self) -> Optimum:
        """By backward induction."""
        value, actions = np.zeros_like(self.rewards), []
        for _ in range(STEPS):
            q = self._action_values(value)
            actions.append(q.argmax(axis=-1))
            value = q.max(axis=-1)
        return Optimum(self.per_episode(value), np.array(actions[::-1]))

    def value_of(self, actions: Actions) -> FloatArray:
        """Values [m, S] of first states under a policy.

        Args:
            actions: [m, S], the same in every step, or [T, m, S].
        """
        by_step = np.broadcast_to(actions, (STEPS, *self.rewards.shape))
        value = np.zeros_like(self.rewards)
        for chosen in by_step[::-1]:
            value = np.take_along_axis(self._action_values(value), chosen[..., None], axis=-1)[..., 0]
        return value

    def random(self) -> float:
        """Value per episode of moves drawn evenly."""
        value = np.zeros_like(self.rewards)
        for _ in range(STEPS):
            value = self._action_values(value).mean(axis=-1)
        return self.per_episode(value)

    def towards(self, target: int) -> Actions:
        """Actions [m, S] that go to a split as fast as the moves allow."""
        reach = MOVES[-1]
        wanted = [MOVES.index(int(np.clip(target - split, -reach, reach))) for split in SPLITS]
        return np.broadcast_to(wanted, self.rewards.shape)

    def statics(self) -> FloatArray:
        """Value of each target by first loss, mean over first splits, [m, S]."""
        return np.stack([self._by_loss(self.value_of(self.towards(split))) for split in SPLITS], axis=-1)

    def best_static(self) -> Static:
        """Best single target."""
        values = self._weights @ self.statics()
        best = int(values.argmax())
        return Static(SPLITS[best], float(values[best]))

    def best_threshold(self) -> Threshold:
        """Best rule of one threshold and two targets, over all of them."""
        gained = np.cumsum(np.pad(self._weights[:, None] * self.statics(), ((1, 0), (0, 0))), axis=0)
        # What the first k losses give with one target and the others with another, [m + 1, below, above].
        totals = gained[:, :, None] + (gained[-1] - gained)[:, None, :]
        k, below, above = np.unravel_index(int(totals.argmax()), totals.shape)
        limit = self.losses[k] if k < len(self.losses) else np.inf
        return Threshold(float(limit), SPLITS[below], SPLITS[above], float(totals[k, below, above]))

    def threshold_value(self, rule: Threshold) -> float:
        """Value per episode of a rule on this problem (it may stem from another)."""
        below, above = (self._by_loss(self.value_of(self.towards(s))) for s in (rule.below, rule.above))
        return float(self._weights @ np.where(self.losses < rule.loss, below, above))

    def per_episode(self, values: FloatArray) -> float:
        """Mean of values [m, S] over an episode's first state."""
        return float(self._weights @ self._by_loss(values))

    def best_splits(self) -> NDArray[np.int64]:
        """Best split to be at for each loss, [m]."""
        return np.asarray(np.array(SPLITS)[self.rewards.argmax(axis=-1)], dtype=np.int64)

    def _by_loss(self, values: FloatArray) -> FloatArray:
        """Values [m, S] -> mean over first splits, [m]."""
        return np.asarray(values[:, : len(FIRST_SPLITS)].mean(axis=-1))

    def _action_values(self, value: FloatArray) -> FloatArray:
        """Values [m, S] after a step -> of every action before it, [m, S, A]."""
        worth = self.rewards + value
        low, high = worth[self._cell, self._after], worth[self._cell + 1, self._after]
        return np.asarray(low + self._share * (high - low))
