"""Decision trees that explain what a policy played, on choices whose reason is known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from pyagent.envs.observation import NAMES
from pyagent.evaluation.explain import Told, explain, fit_tree, predict
from pyagent.evaluation.rules import StepRule

EPISODES, DECISIONS = 6, 40


@pytest.fixture
def rows() -> pd.DataFrame:
    """Six episodes of 40 decisions, the SNR uniform on 0 to 40 dB, RSRP 94 dB below it, the rest noise."""
    rng = np.random.default_rng(0)
    count = EPISODES * DECISIONS
    table = pd.DataFrame({f"obs_{name}": rng.uniform(0, 1, count) for name in NAMES})
    table["obs_snr_db"] = rng.uniform(0, 40, count)
    table["obs_rsrp_dbm"] = table["obs_snr_db"] - 94
    table["obs_queue_packets"] = rng.integers(0, 20, count).astype(float)
    return table.assign(policy="p", seed=np.repeat(range(EPISODES), DECISIONS), split=1)


def test_one_threshold_is_found_and_told_on_one_line(rows: pd.DataFrame) -> None:
    snr = rows["obs_snr_db"].to_numpy()
    rows["split"] = np.where(snr < 17, 32, 1)
    found = explain(rows, {})["p"]
    assert found.tree is not None
    # Between the two decisions next to 17 dB; RSRP says the same and is not asked for.
    assert snr[snr < 17].max() < found.tree.threshold < snr[snr >= 17].min()
    assert found.features == ("snr_db",)
    assert found.words == f"snr < {found.tree.threshold:.3g} dB -> 32, else 1"
    assert found.agreement == 1
    assert found.held_out > 0.95
    assert found.shares == {"1": (snr >= 17).mean(), "32": (snr < 17).mean()}


def test_two_features_make_two_levels(rows: pd.DataFrame) -> None:
    snr, queue = rows["obs_snr_db"].to_numpy(), rows["obs_queue_packets"].to_numpy()
    rows["split"] = np.where(snr >= 20, 1, np.where(queue < 10, 16, 32))
    found = explain(rows, {})["p"]
    assert found.features == ("snr_db", "queue_packets")
    assert found.tree is not None
    cut, below = found.tree.threshold, found.tree.below
    assert below is not None
    assert below.threshold == 9.5
    assert found.words == f"snr < {cut:.3g} dB -> (queue < 9.5 packets -> 16, else 32), else 1"
    few, many, high = ((rows["split"] == split).sum() for split in (16, 32, 1))
    assert list(found.tree.lines()) == [
        f"snr < {cut:.3g} dB:",
        f"  queue < 9.5 packets -> 16  ({few} of {few} decisions)",
        f"  else -> 32  ({many} of {many} decisions)",
        f"else -> 1  ({high} of {high} decisions)",
    ]
    assert (predict(found.tree, rows) == rows["split"]).all()
    assert found.tree.cuts("queue_packets") == [9.5]


def test_chance_is_not_explained_by_a_deep_tree(rows: pd.DataFrame) -> None:
    """The splits are drawn: what a tree says of other episodes is no better than the most frequent split."""
    rows["split"] = np.random.default_rng(1).choice([1, 8, 32], len(rows), p=[0.5, 0.3, 0.2])
    fit = fit_tree(rows, NAMES)
    assert fit.tree.share < 0.65
    assert fit.held_out < 0.55
    told = explain(rows, {"p": Told("drawn", chance=True)})["p"]
    assert (told.words, told.tree, told.agreement) == ("drawn", None, None)


def test_a_rule_is_checked_against_what_was_played(rows: pd.DataFrame) -> None:
    snr = rows["obs_snr_db"].to_numpy()
    rows["split"] = np.where(snr < 17, 32, 1)
    rows.loc[rows.index[:24], "split"] = 16  # a tenth is played against the rule
    told = Told("snr < 17 dB -> 32, else 1", StepRule("snr_db", (17.0,), (32, 1)))
    found = explain(rows, {"p": told})["p"]
    assert (found.tree, found.features) == (None, ("snr_db",))
    assert found.agreement == pytest.approx(0.9)
    words = explain(rows, {"p": Told("as I like")})["p"]  # can't be checked: a tree stands beside it
    assert words.words == f"as I like; fitted tree: {words.tree}"


def test_only_features_that_are_allowed_are_asked_for(rows: pd.DataFrame) -> None:
    rows["split"] = np.where(rows["obs_previous_split"] < 0.5, 32, 1)
    assert "previous_split" not in explain(rows, {})["p"].features
    assert explain(rows, {}, ["previous_split"])["p"].features == ("previous_split",)
    assert explain(rows.assign(obs_mcs=7.0), {}, ["mcs"])["p"].words.startswith("always ")


def test_every_number_is_in_the_json(rows: pd.DataFrame) -> None:
    rows["split"] = np.where(rows["obs_snr_db"] < 17, 32, 1)
    data = json.loads(json.dumps(explain(rows, {})["p"].to_json(), allow_nan=False))
    assert set(data) == {
        *("rule", "tree", "features", "agreement", "agreement_held_out", "decisions", "split_shares"),
        "by_snr",
    }
    assert (data["rule"], data["tree"]["feature"], data["tree"]["unit"]) == (None, "snr_db", "dB")
    assert (data["tree"]["below"]["split"], data["tree"]["above"]["split"]) == (32, 1)
    assert data["decisions"] == EPISODES * DECISIONS


def test_the_snr_alone_is_told_of_a_policy_that_decides_by_more(rows: pd.DataFrame) -> None:
    snr, queue = rows["obs_snr_db"].to_numpy(), rows["obs_queue_packets"].to_numpy()
    rows["split"] = np.where((snr < 20) | (queue > 17), 32, 1)
    found = explain(rows, {})["p"].by_snr
    assert found is not None
    assert found.threshold == pytest.approx(20, abs=0.5)  # 120 decisions on either side: 0.17 dB apart
    assert found.share == pytest.approx(((snr < 20) == (rows["split"] == 32)).mean(), abs=0.01)
    told = Told("less than 10 packets", StepRule("queue_packets", (10.0,), (1, 32)))
    rows["split"] = np.where(queue < 10, 1, 32)
    alone = explain(rows, {"p": told})["p"].by_snr  # a rule on another feature, too
    assert alone is None or alone.share < 0.7
    assert explain(rows.assign(split=8), {})["p"].by_snr is None


def test_a_single_episode_has_no_other_one(rows: pd.DataFrame) -> None:
    rows["split"] = np.where(rows["obs_snr_db"] < 17, 32, 1)
    found = explain(rows[rows["seed"] == 0], {})["p"]
    assert (found.held_out, found.agreement) == (None, 1)
    alone = explain(rows.head(1), {})["p"]
    assert alone.agreement == 1
