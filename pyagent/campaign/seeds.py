"""Which episodes a run plays: learning, tuning and testing never share a seed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

SEEDS_PER_RUN = 1000
TUNE_OFFSET = 400
TEST_OFFSET = 700
MAX_RUN_SEED = 4_000_000


@dataclass(frozen=True)
class Seeds:
    """The episodes' seeds of one run: learning, tuning and testing never share one."""

    base: int

    def learn(self) -> itertools.count[int]:
        """Seeds of the training episodes."""
        return itertools.count(self.base * SEEDS_PER_RUN)

    def tune(self, count: int) -> list[int]:
        """Seeds that static and threshold policies are tuned on."""
        return [self.base * SEEDS_PER_RUN + TUNE_OFFSET + i for i in range(count)]

    def test(self, count: int) -> list[int]:
        """Seeds that everything is judged on."""
        return [self.base * SEEDS_PER_RUN + TEST_OFFSET + i for i in range(count)]
