"""`benchmarks.gallery`: verdicts, and rows of an earlier version."""

import json
from dataclasses import asdict
from pathlib import Path

from benchmarks.gallery import Row, _load, markdown

ROW = Row(
    scenario="made-up",
    technology="wifi",
    ues=1,
    seeds=2,
    replicates=4,
    decisions=40,
    tuning_contexts=80,
    splits=[1, 16, 32],
    loss=0.1,
    delay_ms=20.0,
    rate_mbps=50.0,
    covered=0.9,
    failed=0.1,
    sim_s_per_wall_s=10.0,
    static_split=32,
    static_reward=-1.0,
    oracle_reward=-0.6,
    gap=0.4,
    gap_low=0.1,
    gap_high=0.7,
    naive_gap=0.45,
    pair=[1, 32],
    pair_share=0.98,
    ceiling_share=0.9,
    wall_s=1.0,
)


def test_worth_learning_says_what_a_choice_between_two_splits_keeps():
    nothing = Row(**asdict(ROW) | {"gap_low": 0.0, "pair_share": None, "ceiling_share": None})
    assert (ROW.worth_learning, nothing.worth_learning) == (True, False)
    header, _, yes, no = markdown([ROW, nothing]).splitlines()
    assert yes.count("|") == no.count("|") == header.count("|")
    assert "| 1, 32: 98 % | 90 % | **yes**, a choice between two splits keeps 98 % |" in yes
    assert "| 1, 32: - | - | no: nothing to gain |" in no


def test_rows_of_an_earlier_version_are_measured_anew(tmp_path: Path):
    old = {"scenario": "old", "gain": 0.1}
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([old, asdict(ROW)]))
    assert _load(path) == {"made-up": ROW}
    assert _load(tmp_path / "none.json") == {}
