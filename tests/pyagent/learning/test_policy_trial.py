"""A user's policy that learns in `tune`: its trial before the run, and what the trial must leave alone."""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np
import pytest

import pyagent
from pyagent.envs.observation import NAMES
from pyagent.policies.trial import DECISIONS, made_up_rewards
from pyagent.policies.user import PolicyError, load_policy, user_policy

SPLITS, LAYERS = (1, 16, 32), 32
LEARNS = """\
class Learns:
    tunings = []

    def tune(self, features, splits, rewards):
        assert len(features) == len(rewards) == len(rewards[:, 0]) and rewards.shape[1] == len(splits)
        self.tunings.append(len(features))
        type(self).last = len(features)
        self.best = splits[rewards.mean(0).argmax()]
        {in_tune}

    def split(self, features, splits):
        return {choice}

    def describe(self):
        return f"always {{self.best}}"
"""


def write(folder: Path, in_tune: str = "pass", choice: str = "self.best") -> str:
    (folder / "my.py").write_text(LEARNS.format(in_tune=in_tune, choice=choice))
    return "my.py:Learns"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_one_that_only_chooses_after_tuning_is_accepted_and_tuned_once(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path))
    policy.prepare(SPLITS, LAYERS)
    kind = type(policy._policy)
    # Neither the object nor its class, which copies share, know of the trial.
    assert not hasattr(policy._policy, "best")
    assert kind.tunings == []
    assert not hasattr(kind, "last")
    policy.tune(np.zeros((5, len(NAMES)), np.float32), np.tile([0.0, 2.0, 1.0], (5, 1)))
    assert policy.copy().act(np.zeros(len(NAMES), np.float32)) == 1  # the best column above
    assert kind.tunings == [5]
    assert kind.last == 5


def test_made_up_rewards_are_a_runs_in_shape_and_range_and_always_the_same() -> None:
    contexts, rewards = made_up_rewards(3)
    assert (contexts.shape, contexts.dtype) == ((DECISIONS, len(NAMES)), np.float32)
    assert (rewards.shape, rewards.dtype) == ((DECISIONS, 3), np.float64)
    assert contexts.min() >= 0
    assert contexts.max() <= 1
    assert rewards.max() <= 0  # a reward is minus a sum of prices
    assert np.unique(rewards).size == rewards.size
    assert np.array_equal(rewards, made_up_rewards(3)[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"in_tune": "rewards[99]"},
            "tune raised IndexError: index 99 is out of bounds for axis 0 with size 40 (line 9) "
            "(trial before the run: 40 decisions with made-up rewards)",
        ),
        (
            {"choice": "self.bets"},
            "split raised AttributeError: 'Learns' object has no attribute 'bets' (line 12) "
            "(trial before the run: tuned on made-up rewards)",
        ),
        (
            {"choice": "7"},
            "split returned 7; valid: one of 1, 16, 32 (trial before the run: tuned on made-up rewards)",
        ),
    ],
)
def test_a_mistake_of_one_that_learns_is_a_line_that_names_the_trial(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(write(tmp_path, **changes)).prepare(SPLITS, LAYERS)
    assert str(caught.value) == f"my.py:Learns: {message}"


class Unlucky:
    def tune(self, contexts: np.ndarray, rewards: np.ndarray) -> None:
        raise ArithmeticError("no luck")

    def act(self, context: np.ndarray, mask: np.ndarray) -> int:
        return 0


def test_in_python_a_mistake_is_no_chain_of_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPLITSIM_DEBUG", raising=False)
    with pytest.raises(PolicyError, match=r"tune raised ArithmeticError: no luck \(line \d+\)") as caught:
        pyagent.evaluate(pyagent.load_dataset("default"), {"unlucky": Unlucky()}, against=())
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count("Traceback") == 1
    monkeypatch.setenv("SPLITSIM_DEBUG", "1")
    with pytest.raises(PolicyError) as caught:
        user_policy("unlucky", Unlucky()).prepare(SPLITS, LAYERS)
    assert isinstance(caught.value.__cause__, ArithmeticError)
