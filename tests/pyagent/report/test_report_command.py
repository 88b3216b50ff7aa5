"""`splitsim report`: which file it writes, its JSON, and one line for a wrong folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pyagent.cli import app
from pyagent.commands import report as command
from pyagent.errors import UserError


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _plots_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyagent.plots.draw_plots", lambda run: [])  # they are in the fixture already


def test_a_runs_report_is_written_again(run: Path) -> None:
    (run / "report.html").write_text("old")
    done = report(run)
    assert done.exit_code == 0
    assert done.output == f"{run}/report.html\n"
    assert "<h1>synthetic</h1>" in (run / "report.html").read_text()


def test_what_is_missing_is_said(run: Path) -> None:
    (run / "predictions.parquet").unlink()
    (run / "plots" / "surrogate.png").unlink()
    done = report(run, "--out", run.parent / "other.html")
    assert done.output.splitlines() == [
        "no surrogate: there is no predictions.parquet",
        str(run.parent / "other.html"),
    ]


def test_json_has_path_figures_and_numbers(run: Path) -> None:
    found = json.loads(report(run, "--json").output)
    assert found["path"] == f"{run}/report.html"
    assert {"map", "track", "token-times", "latency", "regret"} <= set(found["figures"])
    assert found["missing"] == {}
    assert found["policies"]["threshold"]["targets"]["ttft_s"]["target"] == 0.5


def test_several_runs_make_one_page(
    reported_run: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = report(reported_run, run, "--json")
    assert json.loads(done.output)["path"] == str(command.COMPARISON)
    assert "<h1>2 runs compared</h1>" in Path(command.COMPARISON).read_text()


@pytest.mark.parametrize("others", [0, 1])
def test_a_wrong_folder_is_named_in_one_line(reported_run: Path, tmp_path: Path, others: int) -> None:
    done = report(*[reported_run] * others, tmp_path / "nowhere")
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"run folder {tmp_path}/nowhere: no such folder")
    assert "\n" not in str(done.exception)


def test_an_out_that_cannot_be_written_is_named(run: Path) -> None:
    done = report(run, "--out", "/proc/nowhere/report.html")
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith("--out = /proc/nowhere/report.html: can't be written")
