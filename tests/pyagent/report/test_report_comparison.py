"""One page for several runs: what differs, paired differences, and when they can't be paired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pyagent.report import ReportError, compare_runs, write_comparison
from pyagent.report.comparison import FIGURES, MOST_RUNS, differences
from tests.pyagent.plots.synthetic_run import DECISIONS, SEEDS


def rewrite(run: Path, **changes: object) -> None:
    table = pd.read_parquet(run / "decisions.parquet")
    table.assign(**changes).to_parquet(run / "decisions.parquet")


@pytest.fixture
def better(run: Path) -> Path:
    """The same decisions, 0.1 better in all but one policy."""
    table = pd.read_parquet(run / "decisions.parquet")
    rewrite(run, reward=table["reward"] + 0.1 * (table["policy"] != "random"))
    return run


def test_configurations_differ_field_by_field() -> None:
    first = {"a": {"b": 1, "c": [1, 2]}, "sites": [{"x": 0}, {"x": 5}], "same": "s"}
    second = {"a": {"b": 2, "c": [1, 2]}, "sites": [{"x": 0}, {"x": 6}], "same": "s", "new": None}
    assert differences([first, second]) == [
        ("a.b", ["1", "2"]),
        ("sites[1].x", ["5", "6"]),
        ("new", ["not set", "null"]),
    ]


def test_the_same_decisions_are_compared_in_pairs(reported_run: Path, better: Path) -> None:
    comparison = compare_runs([better, reported_run])
    (pairing,) = comparison.pairings
    assert pairing.title == "A - B"
    for policy, found in pairing.found.items():
        assert found["difference"] == pytest.approx(0.0 if policy == "random" else 0.1)
        assert found["difference_ci"] == pytest.approx([found["difference"]] * 2)
        assert found["decisions"] == DECISIONS * len(SEEDS)
    assert comparison.differences == []


def test_the_page_has_every_table_and_curve(reported_run: Path, better: Path, tmp_path: Path) -> None:
    config = (better / "config.yaml").read_text()
    (better / "config.yaml").write_text(f"{config}evaluation: {{test_seeds: 9}}\n")
    written = write_comparison(compare_runs([reported_run, better]), tmp_path / "both.html")
    assert written.figures == list(FIGURES)
    page = written.path.read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == len(FIGURES)
    assert '<th scope="row">evaluation.test_seeds</th><td>not set</td><td>9</td>' in page
    assert '<th scope="row">threshold</th><td>-0.100 [-0.100, -0.100]</td>' in page
    assert "://" not in page


def test_other_scenarios_are_not_paired(reported_run: Path, run: Path) -> None:
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("count: 22", "count: 21"))
    (pairing,) = compare_runs([reported_run, run]).pairings
    assert pairing.grid is None
    assert pairing.why_not == "the scenarios differ in requests.count"


def test_other_test_seeds_are_not_paired(reported_run: Path, run: Path) -> None:
    rewrite(run, seed=pd.read_parquet(run / "decisions.parquet")["seed"] + 50)
    (pairing,) = compare_runs([reported_run, run]).pairings
    assert pairing.why_not == "they share no test seed (the runs' seeds differ)"


def test_an_old_run_without_decisions_is_still_compared(
    reported_run: Path, run: Path, tmp_path: Path
) -> None:
    (run / "decisions.parquet").unlink()
    comparison = compare_runs([reported_run, run])
    assert comparison.pairings[0].why_not == "there is no decisions.parquet"
    written = write_comparison(comparison, tmp_path / "both.html")
    assert written.missing == {"latency": "there is no decisions.parquet"}


def test_numbers_of_the_page_are_json(reported_run: Path, run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"budget": 80}))
    numbers = json.loads(json.dumps(compare_runs([reported_run, run]).to_json()))
    assert numbers["differences"] == {"run.budget": {"A": "160", "B": "80"}}
    assert set(numbers["policies"]) == {"A", "B"}
    assert numbers["paired"]["A - B"]["threshold"]["difference"] == 0


def test_too_many_runs_are_refused(reported_run: Path) -> None:
    with pytest.raises(ReportError, match=f"at most {MOST_RUNS}"):
        compare_runs([reported_run] * (MOST_RUNS + 1))


def test_runs_of_one_name_are_told_apart(reported_run: Path, tmp_path: Path) -> None:
    shutil.copytree(reported_run, tmp_path / "again" / "run")
    comparison = compare_runs([reported_run, tmp_path / "again" / "run"])
    assert comparison.labels == ["A", "B"]
