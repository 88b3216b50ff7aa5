"""A quick look at a scenario: as little of a run as its statistics accept."""

from __future__ import annotations

from dataclasses import replace

from pyagent.learning.options import Learning
from pyagent.scenario.schema import Scenario

BUDGET = 40
"""Real decisions that every learning policy plays at most."""
SEEDS = 1
"""Episodes to tune on, and episodes to test on; intervals then speak about this one test episode only."""
REPLICATES = 4
"""Fewest replicates that the cross-scored oracle accepts."""


def quick_look(scenario: Scenario, learning: Learning) -> tuple[Scenario, Learning]:
    """The same experiment with at most `BUDGET`, `SEEDS` and `REPLICATES`; smaller values stay.

    Args:
        scenario: the experiment.
        learning: how its agent trains.
    """
    chosen = scenario.evaluation
    fewer = chosen.model_copy(
        update={
            "tune_seeds": min(SEEDS, chosen.tune_seeds or SEEDS),
            "test_seeds": min(SEEDS, chosen.test_seeds),
            "replicates": min(REPLICATES, chosen.replicates),
        }
    )
    small = scenario.model_copy(update={"evaluation": fewer})
    return small, replace(learning, budget=min(BUDGET, learning.budget))
