"""What a request is charged that lost nothing, with a quantised phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llm_split.clean import FOLDER
from llm_split.quality import QualityResult
from pyagent.envs.record import DeliveryRecord, Outcome
from pyagent.envs.scoring import Scorer
from tests.conftest import small_scenario
from tests.pyagent.envs.test_observation_and_record import record_json

pytestmark = pytest.mark.model

P, N, F = 12, 5, 6


def record(split: int, *, generated: int = N, lost: int = 0, request: int = 0) -> DeliveryRecord:
    """A request of which the first `lost` fragments of the prompt are missing."""
    fragments = 0 if split == 32 else F
    data = record_json()
    plain = {**data, "split": split, "prompt_tokens": P, "output_tokens": N, "generated_tokens": generated}
    outcome = np.zeros((P + N - 1, fragments), dtype=np.uint8)
    outcome[:lost] = Outcome.LOST_RADIO
    arrays = {
        "outcome": outcome,
        "delay_s": np.zeros_like(outcome, dtype=np.float32),
        "retries": np.zeros(N, dtype=np.uint8),
        "token_time_s": np.linspace(0.1, 0.5, N, dtype=np.float32),
        "downlink_outcome": np.zeros(N, dtype=np.uint8),
    }
    known = {name: plain[name] for name in DeliveryRecord.__annotations__ if name in plain}
    sizes = {"request": request, "fragments_per_token": fragments, "uplink_bytes": 100 * fragments}
    return DeliveryRecord(**known | sizes | arrays)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for measurements, in which models and texts are those of the user's."""
    monkeypatch.setattr("llm_split.clean.cache_folder", lambda _given: tmp_path)
    return tmp_path / FOLDER


def quality(scorer: Scorer, record: DeliveryRecord) -> QualityResult:
    return scorer.evaluate(record, seed=1, replicate=0, part="train")


def test_a_request_that_lost_nothing_costs_the_mean_of_its_split(small_scorer: Scorer, cache: Path) -> None:
    scorer = Scorer(small_scenario(), small_scorer.model)
    clean = scorer.clean_delta_nll("train")
    assert clean.shape == (3,)
    assert clean[2] > 0.05  # all 30 blocks have 4 bits
    assert scorer.evaluations == 0
    for action, split in enumerate(scorer.deployment.splits):
        whole = quality(scorer, record(split))
        assert not scorer.must_ask(record(split))
        assert whole.delta_nll == pytest.approx(clean[action], abs=1e-12)
        assert whole.ppl == pytest.approx(whole.reference_ppl * np.exp(clean[action]))
        assert whole.tokens_scored == N
        other = quality(scorer, record(split, request=3))
        assert other.delta_nll == pytest.approx(whole.delta_nll, abs=1e-12)
        cut = quality(scorer, record(split, generated=2))
        clip = scorer.scenario.reward.delta_nll_clip
        assert cut.delta_nll == pytest.approx((2 * clean[action] + (N - 2) * clip) / N, abs=1e-12)
        assert quality(scorer, record(split, generated=0)).delta_nll == clip
    assert scorer.evaluations == 0
    lossy = record(1, lost=4)
    assert scorer.must_ask(lossy)
    assert quality(scorer, lossy).delta_nll > clean[0] + 0.05
    assert scorer.evaluations == 1
    assert clean.tolist() != scorer.clean_delta_nll("test").tolist()
    assert len(list(cache.glob("*.json"))) == 6


def test_a_negative_cost_is_charged_as_none(small_scorer: Scorer, cache: Path) -> None:
    """By chance coarse weights may predict a text better; the reward takes that for no loss."""
    scorer = Scorer(small_scenario(), small_scorer.model)
    worse = scorer.clean("train")
    better = tuple(type(clean)(-0.25, 0.01, clean.kl, clean.top1_agreement, clean.windows) for clean in worse)
    scorer._clean["train"] = better
    score = scorer.score(record(1), seed=1, replicate=0, previous_split=-1, part="train")
    assert score.quality.delta_nll == pytest.approx(-0.25)
    assert score.outcome[1] == score.terms["quality"] == 0.0
    assert not score.asked


def test_what_was_measured_serves_the_next_scorer(small_scorer: Scorer, cache: Path) -> None:
    first = Scorer(small_scenario(), small_scorer.model).clean("train")
    again = Scorer(small_scenario(), small_scorer.model)
    assert again.clean("train") == first
    assert again.evaluator("train").cache_passes == 0
    coded = Scorer(small_scenario(model={"codec": "int4"}), small_scorer.model).clean("train")
    assert coded[0].delta_nll != first[0].delta_nll
    assert coded[2] == first[2]  # all local sends nothing


@pytest.mark.parametrize(
    "sections",
    [{"model": {"quantise": False}}, {"ue": {"weight_bits": 16, "device": "apple-m2"}}],
    ids=["quantise: false", "16 bits"],
)
def test_unquantised_weights_cost_nothing_and_are_not_measured(
    small_scorer: Scorer, cache: Path, sections: dict[str, dict[str, object]]
) -> None:
    """Requests that lost nothing are then scored on their own prompt, as half precision leaves it."""
    scorer = Scorer(small_scenario(**sections), small_scorer.model)
    assert scorer.clean_delta_nll("train").tolist() == [0.0] * len(scorer.deployment.splits)
    assert scorer.evaluator("train").cache_passes == 0
    assert not cache.exists()
    assert quality(scorer, record(32)).delta_nll == 0.0
    assert 0 < abs(quality(scorer, record(1)).delta_nll) < 0.01
    assert scorer.evaluations == 1
    assert not scorer.must_ask(record(1))


def test_the_edge_has_weights_of_its_own(small_scorer: Scorer, cache: Path) -> None:
    phone = Scorer(small_scenario(), small_scorer.model).clean_delta_nll("train")
    both = Scorer(small_scenario(edge={"weight_bits": 4}), small_scorer.model).clean_delta_nll("train")
    assert both[2] == phone[2]
    assert both[0] != phone[0]
    only = small_scenario(edge={"weight_bits": 4}, ue={"weight_bits": 16, "device": "apple-m2"})
    edge = Scorer(only, small_scorer.model).clean_delta_nll("train")
    assert edge[-1] == 0.0
    assert edge[0] > 0.05
