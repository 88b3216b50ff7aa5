"""The Python API: what a notebook calls, on a dataset that ships and once live."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stable_baselines3 import PPO

import pyagent
from pyagent import api
from pyagent.dataset import Dataset
from pyagent.errors import UserError
from pyagent.learning.on_table import judge
from pyagent.learning.references import CEILING, PAIR
from pyagent.policies.best_static import BestStaticPolicy
from pyagent.reward import TERMS
from pyagent.scenario.load import ScenarioError
from tests.conftest import SMALL

REFERENCES = (PAIR, CEILING)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return pyagent.load_dataset("default")


def good_link(features: dict[str, float], splits: tuple[int, ...]) -> int:
    return splits[0] if features["snr_db"] > 15 else splits[-1]


class Best:
    """The split that was best in tuning."""

    best = 0

    def tune(self, features: list[dict[str, float]], splits: tuple[int, ...], rewards: np.ndarray) -> None:
        assert len(features) == len(rewards)
        self.best = splits[int(rewards.mean(0).argmax())]

    def split(self, features: dict[str, float], splits: tuple[int, ...]) -> int:
        return self.best or splits[0]


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> pyagent.Evaluation:
    return pyagent.evaluate(dataset, {"good-link": good_link, "best": Best()})


def test_the_examples_are_right() -> None:
    done = doctest.testmod(api)
    assert done.attempted >= 12
    assert not done.failed


def test_importing_the_package_loads_neither_torch_nor_pandas() -> None:
    code = "import sys, pyagent; print({'torch', 'pandas', 'matplotlib', 'pyagent.api'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = pyagent.simulate


def test_rewards_are_those_of_the_table_and_the_sum_of_their_terms(
    dataset: Dataset, found: pyagent.Evaluation
) -> None:
    rows = found.frame.query("phase == 'test'")
    terms = rows[[f"term_{term}" for term in TERMS]].sum(axis=1)
    np.testing.assert_allclose(terms, rows.reward, atol=1e-12)
    # The same policy by the way that `splitsim compare` judges.
    chosen, splits = rows[rows.policy == "best"], found.summary["splits"]
    (split,) = set(chosen.split)
    expected, _ = judge(BestStaticPolicy(splits.index(split), len(splits)), dataset)
    assert chosen.reward.mean() == pytest.approx(expected, abs=1e-12)
    assert found.table.reward["best"] == pytest.approx(expected, abs=1e-12)


def test_a_switch_is_paid_for_where_the_split_changes(dataset: Dataset, found: pyagent.Evaluation) -> None:
    rows = found.frame.query("policy == 'good-link'").sort_values(["seed", "replicate", "decision"])
    before = rows.groupby(["seed", "replicate"]).split.shift()
    switched = before.notna() & (before != rows.split)
    assert 0 < switched.sum() < len(rows)
    np.testing.assert_allclose(rows.term_switching, np.where(switched, -dataset.switching_cost, 0.0))
    # It decided on what it saw: after its own last action.
    fast = rows.obs_snr_db > 15
    assert set(rows[fast].split) == {1}
    assert set(rows[~fast].split) == {32}


def test_the_table_has_the_oracle_on_top_and_every_policy_below(found: pyagent.Evaluation) -> None:
    table = found.table
    assert table.index[0] == "oracle"
    assert set(table.index) == {"oracle", "good-link", "best", *api.AGAINST, *REFERENCES}
    assert table.reward.iloc[1:].is_monotonic_decreasing
    assert (table.reward_low <= table.reward).all()
    assert (table.reward <= table.reward_high).all()
    assert table.regret["random"] > table.regret["threshold"] > 0
    assert table.real_evaluations["threshold"] > 0
    # A rule from elsewhere says nothing of what it took; one that is tuned here took what the threshold took.
    spent = ["simulated_decisions", "real_evaluations", "tuning_contexts"]
    assert table.loc["good-link", spent].isna().all()
    assert list(table.loc["best", spent]) == list(table.loc["threshold", spent])
    assert list(table.loc["threshold", ["simulated_decisions", "tuning_contexts"]]) == [240 * 5, 240]
    assert list(table.loc["random", spent]) == [0, 0, 0]
    assert found.note == "quality proxy: smollm2-135m for llama-2-7b"


def test_a_figure_is_drawn_or_says_what_is_missing(found: pyagent.Evaluation) -> None:
    axes = found.figure().axes
    ranked = (
        found.table.drop(["oracle", *REFERENCES])
        .sort_values(["reward", "policy"], ascending=[False, True])
        .index
    )  # "best" ties
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(ranked)
    with pytest.raises(UserError, match="figure 'map': this evaluation has no data for it"):
        found.figure("map")
    with pytest.raises(UserError, match="figure 'pie': no such figure; valid: map, "):
        found.figure("pie")


def test_what_was_saved_is_the_run_folder(found: pyagent.Evaluation, tmp_path: Path) -> None:
    saved = found.save(tmp_path / "kept")
    frame = pd.read_parquet(saved / "decisions.parquet")
    pd.testing.assert_frame_equal(frame, found.frame)
    assert list(pd.read_csv(saved / "table.csv")["policy"]) == list(found.table.index)
    with pytest.raises(UserError, match="kept: can't be written"):
        found.save(tmp_path / "kept")


def test_a_trained_policy_is_the_one_that_was_evaluated(dataset: Dataset) -> None:
    policy = pyagent.train(dataset, decisions=20, seed=4)
    again = pyagent.evaluate(dataset, {"mine": policy}, against=["surrogate-argmax"], decisions=20, seed=4)
    assert again.table.reward["mine"] == again.table.reward["surrogate-argmax"]
    assert again.summary["paired"]["mine - surrogate-argmax"]["difference"] == 0


def test_an_algorithm_of_stable_baselines3_can_be_judged(dataset: Dataset) -> None:
    model = PPO("MlpPolicy", pyagent.make_env(dataset), n_steps=8, batch_size=8, seed=1)
    rows = pyagent.evaluate(dataset, {"sb3": model}, against=()).frame.query("policy == 'sb3'")
    context, info = pyagent.make_env(dataset, part="test").reset(options={"episode": 0, "replicate": 0})
    first = rows[(rows.seed == info["seed"]) & (rows.replicate == 0) & (rows.decision == 0)]
    assert first.action.item() == int(model.predict(context, deterministic=True)[0])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"requests": {"count": 7}}, ("requests", "count", 7)),
        ({"name": "other"}, ("name", None, "other")),
        ({"link": {"fading": {"model": "none"}}}, ("link", "technology", "wifi")),
        ({"mobility": {"model": "constant", "position_m": [1, 2, 3]}}, ("mobility", "position_m", (1, 2, 3))),
    ],
)
def test_sections_change_what_they_name(changes: dict, expected: tuple) -> None:
    section, field, value = expected
    old, new = pyagent.load_scenario("default"), pyagent.load_scenario("default", **changes)
    got = getattr(new, section)
    assert (got if field is None else getattr(got, field)) == value
    assert new.ue == old.ue
    assert pyagent.load_scenario(old, **changes) == new


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: pyagent.load_scenario("default", requests={"count": 0}), r"default: requests.count = 0"),
        (lambda d: pyagent.load_scenario("default", colour="red"), r"default: colour"),
        (lambda d: pyagent.load_scenario({"name": "x"}), r"scenario: mobility"),
        (lambda d: pyagent.load_dataset("nowhere"), r"valid: default, factory-obstacles, tram-replay"),
        (lambda d: pyagent.train(d, "magic"), r"policy 'magic': no such policy here; valid: random, "),
        (lambda d: pyagent.train(d, decisions=0), r"decisions = 0: valid: 1 or more"),
        (lambda d: pyagent.evaluate(d, against=()), r"nobody to evaluate"),
        (lambda d: pyagent.evaluate(d, {"random": good_link}), r"policy 'random': is a name of a baseline"),
        (lambda d: pyagent.evaluate(d, {"My rule": good_link}), r"policies\['My rule'\]: name = 'My rule'"),
        (lambda d: pyagent.evaluate(d, {"b": Best}), r"policies\['b'\]: is a class; give an object of it"),
        (
            lambda d: pyagent.evaluate(d, {"b": lambda features, splits: features["sinr"]}),
            r"policies\['b'\]: split raised UnknownFeatureError: .* 'sinr'; .* \(line \d+\)",
        ),
        (lambda d: pyagent.evaluate(d, {"b": 5}), r"policies\['b'\]: has neither split"),
        (lambda d: pyagent.evaluate(d, {"b": "my.txt"}), r"valid: FILE.py:Class or FILE.zip"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(dataset: Dataset, call, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        call(dataset)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ScenarioError) or "scenario" not in message


@pytest.mark.slow
@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.timeout(900)
def test_live_training_and_evaluation(tmp_path: Path) -> None:
    scenario = pyagent.load_scenario(SMALL)
    policy = pyagent.train(scenario, decisions=8, seed=3)
    found = pyagent.evaluate(
        scenario,
        {"learned": policy, "rule": good_link},
        against=["threshold", "min-split"],
        seed=3,
        out=tmp_path / "run",
    )
    assert set(found.table.index) == {"oracle", "learned", "rule", "threshold", "min-split", *REFERENCES}
    assert set(found.frame.phase) == {"tune", "oracle", "test"}
    learned = found.frame.query("policy == 'learned'")
    assert len(learned) == 8  # one seed, two replicates, four requests
    assert found.table.reward["learned"] == pytest.approx(learned.reward.mean())
    assert found.figure("map").axes
    assert (found.path / "report.html").is_file()
