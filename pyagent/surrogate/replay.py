"""The real decisions a surrogate remembers, recent ones drawn more often."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyagent.surrogate.types import COMPONENTS, Batch, Contexts, Indices

BUFFERED = ("contexts", "actions", "outcomes", "counts", "quality")
"""Attributes that hold a row per decision."""


class ReplayBuffer:
    """Ring of decisions, each with one fixed bootstrap count per ensemble member.

    Poisson(1) counts are the online bootstrap (Oza and Russell, "Online bagging and boosting", 2001): each
    member sees its own resampling of the stream although data arrive one at a time.
    """

    def __init__(self, capacity: int, context_dim: int, members: int) -> None:
        self.capacity = capacity
        self.contexts: Contexts = np.zeros((capacity, context_dim), np.float32)
        self.actions: Indices = np.zeros(capacity, np.int64)
        self.outcomes = np.zeros((capacity, len(COMPONENTS)), np.float64)
        self.counts = np.zeros((capacity, members), np.float32)
        self.quality = np.full((capacity, members), np.nan, np.float32)
        """The dNLL that each member learns from, NaN where it is not known; see :meth:`relabel`."""
        self.total = 0
        """Decisions ever appended."""

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    def append(self, batch: Batch, rng: np.random.Generator) -> None:
        """Adds the rows of ``batch``, oldest first, over the oldest ones when full."""
        rows = len(batch.actions)
        slots = (self.total + np.arange(rows)) % self.capacity
        counts = rng.poisson(1.0, (rows, self.counts.shape[1]))
        for field, new in (
            (self.contexts, batch.contexts),
            (self.actions, batch.actions),
            (self.outcomes, batch.outcomes),
            (self.counts, counts),
            (self.quality, np.repeat(batch.outcomes[:, 1:2], self.counts.shape[1], 1)),
        ):
            field[slots] = new
        self.total += rows

    def sample(self, size: int, half_life: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Slots [size], with replacement, P(age a) proportional to ``2^(-a / half_life)`` (newest: a = 0).

        Inverse of the truncated geometric distribution function, so the cost does not grow with the buffer.
        """
        if self.total == 0:
            raise ValueError("the replay buffer is empty")
        if math.isinf(half_life):
            return rng.integers(0, len(self), size)
        rate = math.log(2.0) / half_life
        mass = -math.expm1(-rate * len(self))
        ages = np.floor(-np.log1p(-rng.random(size) * mass) / rate).astype(np.int64)
        ages = np.minimum(ages, len(self) - 1)
        return np.asarray((self.total - 1 - ages) % self.capacity, dtype=np.int64)

    def relabel(self, tickets: NDArray[np.int64], quality: NDArray[np.float32]) -> None:
        """Other dNLLs [N, members] for the decisions of these numbers [N]; those forgotten are passed over.

        The number of a decision is what `total` was before it was appended.
        """
        kept = tickets >= self.total - len(self)
        self.quality[tickets[kept] % self.capacity] = quality[kept]

    def ordered(self) -> Batch:
        """What it holds, oldest first."""
        slots = np.arange(self.total - len(self), self.total) % self.capacity
        return Batch(self.contexts[slots], self.actions[slots], self.outcomes[slots])
