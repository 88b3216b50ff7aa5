"""Small scenarios and whole episodes for the tests that drive the real simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from pyagent.envs.record import DeliveryRecord
from pyagent.envs.simulator import Episode, State
from pyagent.scenario.schema import Scenario

MIN_SPLIT, HALF, ALL_LOCAL = 0, 1, 2
"""Action indices of the scenarios here."""

Decision = tuple[State, DeliveryRecord]


def make_scenario(*, at_m: float = 5.0, **sections: Any) -> Scenario:
    """Four short requests in an idle cell, the UE standing `at_m` from the access point along x.

    Args:
        at_m: distance on the ground in metres.
        sections: whole sections of the scenario, instead of those here.
    """
    data: dict[str, Any] = {
        "name": "test",
        "mobility": {"model": "constant", "position_m": (at_m, 0, 1.5)},
        "requests": {
            "count": 4,
            "prompt_tokens": (16, 32),
            "output_tokens": (4, 8),
            "deadline_s": 2,
            "min_gap_s": 2.5,
            "mean_extra_gap_s": 0.5,
        },
        "model": {"splits": [1, 16, 32]},
    }
    return Scenario.model_validate({**data, **sections})


def play(
    scenario: Scenario, seed: int, action: int | Callable[[int], int], replicate: int = 0
) -> list[Decision]:
    """A whole episode: for each request the state before it and its record.

    Args:
        scenario: what to simulate.
        seed: of the episode.
        action: the same for every request, or a function of the request's number.
        replicate: which draw of the MAC's random numbers.
    """
    decisions: list[Decision] = []
    with Episode(scenario, seed, replicate) as episode:
        state, over = episode.begin(), False
        while not over:
            chosen = action(len(decisions)) if callable(action) else action
            record, following, over = episode.decide(chosen)
            decisions.append((state, record))
            state = following
    return decisions


def same_record(one: DeliveryRecord, other: DeliveryRecord) -> bool:
    """Whether two records are the same to the last bit."""
    return all(_same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(one.tobytes() == other.tobytes())
    return bool(one == other)
