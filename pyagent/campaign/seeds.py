"""Which episodes a run plays: learning, tuning and testing never share a seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

SEEDS_PER_RUN = 1000
PHASES = 3
# The last seed must fit ns-3's 32 bits.
MAX_RUN_SEED = 2**32 // (SEEDS_PER_RUN * PHASES) - 2


@dataclass(frozen=True)
class Seeds:
    """The episodes' seeds of one run.

    Each phase has its own residue modulo 3, so however many episodes a phase plays, no other plays the same.
    Two runs with different seeds share episodes only beyond 1000 of a phase.

    Attributes:
        base: the run's seed, 0 to MAX_RUN_SEED.
    """

    base: int

    def learn(self) -> Iterator[int]:
        """Seeds of the training episodes, without end."""
        return (self._seed(0, i) for i in itertools.count())

    def tune(self, count: int) -> list[int]:
        """Seeds that static and threshold policies are tuned on."""
        return [self._seed(1, i) for i in range(count)]

    def test(self, count: int) -> list[int]:
        """Seeds that everything is judged on."""
        return [self._seed(2, i) for i in range(count)]

    def _seed(self, phase: int, i: int) -> int:
        return (PHASES * (SEEDS_PER_RUN * self.base + i) + phase) % 2**32
