"""The journal of a run: what it keeps comes back to the bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from llm_split.quality import QualityResult
from pyagent.campaign.collect import Decision, Job
from pyagent.campaign.journal import Journal, JournalError
from pyagent.policies.random import RandomPolicy
from tests.fuzz.samples import LAYERS, delivery, state


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal", LAYERS)


def test_a_training_episode_comes_back_to_the_bit(journal):
    rng = np.random.default_rng(0)
    states = [state(rng, i) for i in range(4)]
    decisions = [Decision(states[i], i % 3, delivery(rng, i)) for i in range(3)]
    answers = {7: QualityResult(rng.random(), float("nan"), 0.5, float("inf"), 3.0, 1.0, 2, False)}
    journal.keep_training("mine", 0, states, decisions, answers)
    (episode,) = journal.training("mine")
    assert episode.begin() == states[0]
    for i, decision in enumerate(decisions):
        record, after, over = episode.decide(decision.action)
        assert record == decision.record
        assert after == states[i + 1]
        assert over == (i == 2)
    assert repr(episode.answers) == repr(answers)  # nan equals nan there
    assert journal.training("other") == []


def test_another_choice_than_then_is_refused(journal):
    rng = np.random.default_rng(1)
    states = [state(rng, i) for i in range(2)]
    journal.keep_training("mine", 0, states, [Decision(states[0], 1, delivery(rng, 0))], {})
    (episode,) = journal.training("mine")
    episode.begin()
    with pytest.raises(JournalError, match="another split is chosen than before"):
        episode.decide(2)


def test_only_finished_jobs_have_rows(journal):
    job = Job("tune", "static-1", 5, 0, lambda: RandomPolicy((1, 2)))
    assert journal.rows(job) is None
    rows = [{"phase": "tune", "reward": -0.1 / 3, "loss": float("nan"), "failed": True, "fail_reason": ""}]
    journal.keep_rows(job, rows)
    pd.testing.assert_frame_equal(pd.DataFrame(journal.rows(job)), pd.DataFrame(rows), check_exact=True)
    assert journal.rows(Job("tune", "static-1", 6, 0, job.make_policy)) is None


def test_tokens_are_kept_beside_the_rows_of_a_job(journal):
    job = Job("test", "random", 5, 0, lambda: RandomPolicy((1, 2)))
    assert journal.tokens(job) == []
    tokens = [{"token": 0, "ue_s": 0.1 / 3, "resent": 1}, {"token": 1, "ue_s": 0.2, "resent": 0}]
    journal.keep_tokens(job, tokens)
    assert journal.rows(job) is None
    assert journal.tokens(job) == tokens


def test_a_damaged_file_is_named(journal, tmp_path):
    rng = np.random.default_rng(2)
    states = [state(rng, i) for i in range(2)]
    journal.keep_training("mine", 0, states, [Decision(states[0], 1, delivery(rng, 0))], {})
    path = tmp_path / "journal" / "train-mine-0.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(JournalError, match=r"train-mine-0\.json: can't be read"):
        journal.training("mine")
