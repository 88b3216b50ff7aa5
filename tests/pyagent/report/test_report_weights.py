"""`splitsim report --weights` and the section of the page: the table, its JSON, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from pyagent.cli import app
from pyagent.commands.weights import with_weights
from pyagent.errors import UserError
from pyagent.plots.data import judged_rows
from pyagent.report import write_report
from pyagent.report.files import open_run
from pyagent.report.weights import NOT_TRAINED_AGAIN, reweighed
from tests.pyagent.plots.synthetic_run import HELD, POLICIES

READINGS = 14


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_the_json_has_every_reading_of_every_policy(reported_run: Path) -> None:
    done = report(reported_run, "--weights", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output.splitlines()[-1])
    assert told["path"] == str(reported_run)
    assert len(told["readings"]) == READINGS
    summary = json.loads((reported_run / "summary.json").read_text())["policies"]
    for reading in told["readings"]:
        assert set(reading["policies"]) == {*POLICIES, *HELD}
        for metrics in reading["policies"].values():
            low, high = metrics["reward_ci"]
            assert low <= metrics["reward"] <= high
        assert set(reading["static_splits"]) == {"1", "8", "16", "24", "32"}
    for name, metrics in told["readings"][0]["policies"].items():
        assert metrics["reward"] == pytest.approx(summary[name]["reward"])
    rows = judged_rows(reported_run, ["term_latency"])
    twice = (rows["reward"] + rows["term_latency"]).groupby(rows["policy"]).mean()
    latency = next(r for r in told["readings"] if r["name"] == "latency x2")
    assert latency["weights"]["latency"] == 1.0
    assert {name: m["reward"] for name, m in latency["policies"].items()} == pytest.approx(twice.to_dict())
    assert set(told["failures"]) == {*POLICIES, *HELD}
    assert told["failures"]["random"]["terms"]["failure"] == 1


def test_the_table_ranks_policies_and_names_what_swaps(reported_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in reported_run.rglob("*")}
    text = report("--weights", reported_run).output
    assert {path: path.stat().st_mtime_ns for path in reported_run.rglob("*")} == before
    found = reweighed(open_run(reported_run))
    for name, first in zip(found.found.policies, found.grid.rows, strict=False):
        assert re.search(rf"│ {name} +│ +{re.escape(first[1])} │", text)
    assert "failure once" in text
    assert "ppo-imagination - surrogate-argmax" in text
    flat = " ".join(text.split())
    assert found.found.verdict() in flat
    assert NOT_TRAINED_AGAIN in flat


def test_own_factors_are_one_column(reported_run: Path) -> None:
    told = json.loads(report(reported_run, "--weights", "latency=2,energy=0.5", "--json").output)
    assert [reading["name"] for reading in told["readings"]] == ["as run", "latency x2, energy x0.5"]
    assert told["readings"][1]["weights"]["latency"] == 1.0
    assert told["readings"][1]["weights"]["energy"] == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("speed=2", "--weights = 'speed=2': no such weight; valid: NAME=FACTOR"),
        ("latency", "--weights = 'latency': no such weight"),
        ("latency=fast", "--weights: latency = 'fast'; valid: a finite number >= 0"),
        ("latency=-1", "--weights: latency = '-1'; valid: a finite number >= 0"),
        ("latency=nan", "--weights: latency = 'nan'; valid: a finite number >= 0"),
    ],
)
def test_a_wrong_factor_is_one_line(reported_run: Path, value: str, words: str) -> None:
    done = report(reported_run, "--weights", value)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(words)
    assert "\n" not in str(done.exception)


def test_one_run_and_no_page(reported_run: Path, tmp_path: Path) -> None:
    for more, words in (([reported_run], "2 runs given"), (["--out", tmp_path / "x.html"], "--out given")):
        done = report(reported_run, *more, "--weights")
        assert isinstance(done.exception, UserError)
        assert words in str(done.exception)


def test_a_run_that_cannot_be_read_again_is_named(run: Path) -> None:
    path = run / "decisions.parquet"
    table = pd.read_parquet(path)
    table.assign(term_load=table["term_load"] - 1).to_parquet(path)
    done = report(run, "--weights")
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"run folder {run}: can't be read at other weights")
    assert "the logged terms do not sum to the logged reward" in str(done.exception)


def test_weights_takes_a_value_only_where_one_follows(tmp_path: Path) -> None:
    assert with_weights(["run", "--weights"]) == ["run", "--weights=each"]
    assert with_weights(["--weights", str(tmp_path)]) == ["--weights=each", str(tmp_path)]
    assert with_weights(["run", "--weights", "--json"]) == ["run", "--weights=each", "--json"]
    assert with_weights(["run", "--weights", "load=2"]) == ["run", "--weights", "load=2"]
    assert with_weights(["run", "--weights=load=2"]) == ["run", "--weights=load=2"]
    assert with_weights(["run", "--weights", "load"]) == ["run", "--weights", "load"]
    assert with_weights(["--weights", "tram-replay"]) == ["--weights=each", "tram-replay"]


def test_the_page_has_the_table_the_verdict_and_the_cost_of_failures(
    reported_run: Path, tmp_path: Path
) -> None:
    page = write_report(reported_run, tmp_path / "page.html").path.read_text(encoding="utf-8")
    section = page[page.index('<section id="reweighed">') : page.index('<section id="choosing">')]
    found = reweighed(open_run(reported_run))
    verdict = found.found.verdict().replace("'", "&#39;")
    assert f'<p class="big">{verdict}</p>' in section
    for row in [*found.grid.rows, *found.failure_grid.rows]:
        name, cells = row[0].replace("'", "&#39;"), row[1:]
        assert f'<th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) in section
    assert "charged three times" in section


def test_a_page_of_a_run_without_static_runs_says_what_is_left_out(run: Path) -> None:
    path = run / "decisions.parquet"
    table = pd.read_parquet(path)
    table[table["phase"] != "tune"].to_parquet(path)
    page = write_report(run).path.read_text(encoding="utf-8")
    assert "Best static split and oracle are not re-made" in page
    assert "tuned anew" not in page


def test_a_weight_of_0_is_not_read_again(run: Path) -> None:
    config = run / "config.yaml"
    config.write_text(f"{config.read_text()}reward: {{weights: {{load: 0}}}}\n")
    path = run / "decisions.parquet"
    table = pd.read_parquet(path)
    table.assign(reward=table["reward"] - table["term_load"], term_load=0.0).to_parquet(path)
    told = json.loads(report(run, "--weights", "--json").output)
    assert told["weights_of_0"] == ["load"]
    assert len(told["readings"]) == READINGS - 2
    assert "its weight is 0: load." in " ".join(report(run, "--weights").output.split())
