"""What ns-3 lost is what the language model has to live with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.envs.scoring import Scorer
from pyagent.envs.simulator import Episode
from pyagent.scenario.schema import Scenario
from tests.conftest import small_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model]

# Retries off and fixed sizes: losses stay losses, and two records fit each other's request.
LOSSY = {
    "mobility": {"model": "constant", "position_m": [50, 0, 1.5]},
    "requests": {"count": 12, "prompt_tokens": [24, 24], "output_tokens": [6, 6]},
    "transport": {"retry_timeout_ms": 4000, "reassembly_timeout_ms": 30},
}


def play(scenario: Scenario, seed: int, action: int) -> Iterator[DeliveryRecord]:
    """The records of an episode that always takes one action."""
    with Episode(scenario, seed) as episode:
        episode.begin()
        over = False
        while not over:
            record, _, over = episode.decide(action)
            yield record


@pytest.fixture(scope="module")
def records() -> list[DeliveryRecord]:
    """Records of a weak link in which something is missing."""
    found = [
        record
        for seed in (1, 2, 3)
        for record in play(small_scenario(**LOSSY), seed, 0)
        if 0.02 < record.loss < 0.9 and record.generated_tokens >= 4
    ]
    assert len(found) >= 2, "the weak link lost nothing: the scenario of this test has changed"
    return found


def delta_nll(scorer: Scorer, record: DeliveryRecord, request: int) -> float:
    """dNLL of a record, applied to the prompt of a given request."""
    return scorer.score(
        replace(record, request=request), seed=1, replicate=0, previous_split=-1, part="train"
    ).quality.delta_nll


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(small_scenario(**LOSSY))


def test_loss_costs_quality(records: list[DeliveryRecord], scorer: Scorer) -> None:
    worst = max(records, key=lambda record: record.loss)
    clean = replace(worst, outcome=np.zeros_like(worst.outcome), generated_tokens=worst.output_tokens)
    weights = scorer.clean_delta_nll("train")[0]
    assert delta_nll(scorer, clean, 0) == pytest.approx(weights, abs=1e-12)
    assert delta_nll(scorer, worst, 0) > weights + 0.05


def test_swapping_two_records_changes_both_results(records: list[DeliveryRecord], scorer: Scorer) -> None:
    first, second = records[:2]
    own = (delta_nll(scorer, first, 0), delta_nll(scorer, second, 1))
    swapped = (delta_nll(scorer, second, 0), delta_nll(scorer, first, 1))
    assert own[0] != swapped[0]
    assert own[1] != swapped[1]


def test_which_fragments_are_missing_matters_not_only_how_many(
    records: list[DeliveryRecord], scorer: Scorer
) -> None:
    record = records[0]
    order = np.random.default_rng(0).permutation(record.outcome.size)
    shuffled = record.outcome.ravel()[order].reshape(record.outcome.shape)
    assert (shuffled == Outcome.DELIVERED).sum() == (record.outcome == Outcome.DELIVERED).sum()
    assert delta_nll(scorer, record, 0) != delta_nll(scorer, replace(record, outcome=shuffled), 0)


def test_ns3_and_the_agent_count_loss_alike() -> None:
    """The next state's recent_loss is the record's loss, what was never sent in a begun step included."""
    seen = []
    with Episode(small_scenario(**LOSSY), 2) as episode:
        episode.begin()
        over = False
        while not over:
            record, state, over = episode.decide(0)
            assert state.raw["recent_loss"] == pytest.approx(record.loss, abs=1e-12)
            seen.append(record.loss)
    assert max(seen) > 0


def test_requests_may_follow_each_other_without_a_pause() -> None:
    """Arrivals exactly one deadline apart: the record is complete before the next decision."""
    requests = {"deadline_s": 4.0, "min_gap_s": 4.0, "mean_extra_gap_s": 0.0}
    far = {"model": "constant", "position_m": [150, 0, 1.5]}
    records = list(play(small_scenario(requests=requests, mobility=far), 1, 0))
    assert [record.request for record in records] == [0, 1, 2, 3]


def test_beyond_coverage_requests_fail_and_cost_the_clip(scorer: Scorer) -> None:
    far = small_scenario(mobility={"model": "constant", "position_m": [150, 0, 1.5]})
    records = list(play(far, 1, 0))
    assert np.mean([record.failed for record in records]) >= 0.9
    clip = scorer.scenario.reward.delta_nll_clip
    for record in records:
        if record.generated_tokens == 0:
            assert delta_nll(scorer, record, 0) == pytest.approx(clip)
