"""`splitsim explain` on a run whose threshold plays 32 below 17 dB in 85 of 100 decisions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pyagent.cli import app
from pyagent.errors import UserError
from pyagent.evaluation.rules import StepRule
from tests.pyagent.plots.synthetic_run import POLICIES, write_run

RULE = StepRule("snr_db", (17.0,), (32, 1))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("explain") / "run")
    (run / "meta.json").write_text('{"status": "finished"}')
    summary = json.loads((run / "summary.json").read_text())
    summary["rules"] = {
        "threshold": RULE.to_json(),
        "random": {"text": "any", "chance": True},
        "x": {"text": 3},
    }
    (run / "summary.json").write_text(json.dumps(summary))
    return run


def explained(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def test_a_rule_is_printed_in_physical_units_with_its_agreement(finished: Path) -> None:
    done = explained(finished, "threshold")
    lines = done.output.splitlines()
    assert lines[0].startswith("threshold: ")
    assert lines[1] == "  rule: snr < 17 dB -> 32, else 1"
    # 15 % are drawn from five splits, one in five of them what the rule says: 88 % of 264 decisions,
    # with a deviation of two percent.
    share = int(lines[2].split(" % of 264 decisions")[0].split()[-1])
    assert 82 <= share <= 94


def test_every_policy_has_rule_or_tree_in_the_json(finished: Path) -> None:
    data = json.loads(explained(finished, "--json").output.splitlines()[-1])
    policies = data["policies"]
    assert set(policies) == {*POLICIES, "all-local", "min-split", "best-static"}
    assert policies["threshold"]["rule"] == str(RULE)
    assert policies["threshold"]["features"] == ["snr_db"]
    # It chooses as the threshold does, and nobody told it: the tree finds the cut.
    tree = policies["surrogate-argmax"]["tree"]
    assert policies["surrogate-argmax"]["rule"] is None
    assert (tree["feature"], tree["threshold"]) == ("snr_db", pytest.approx(17, abs=0.5))
    assert policies["random"]["agreement"] is None
    assert policies["min-split"]["tree"]["split"] == 1
    assert all(entry["rule"] or entry["tree"] for entry in policies.values())


def test_the_snr_alone_is_told_where_the_rule_asks_for_another_feature(
    finished: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    summary["rules"]["threshold"] = StepRule("distance_m", (20.0,), (1, 32)).to_json()
    (run / "summary.json").write_text(json.dumps(summary))
    *_, alone = explained(run, "threshold").output.splitlines()
    assert re.match(r"  by the SNR alone: snr < 17(\.\d)? dB -> 32, else 1  \(\d\d %\)", alone)


def test_a_tree_can_be_asked_for_one_feature(finished: Path) -> None:
    done = explained(finished, "ppo-imagination", "--features", "distance")
    assert "distance < " in done.output
    assert "snr" not in done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nobody"], r"POLICY = 'nobody': no policy of the run in .*; valid: ppo-imagination, random, "),
        (["--features", "snr,distanc"], r"'distanc'; did you mean distance_m\? valid: snr_db, "),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(
    finished: Path, arguments: list[str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        raise explained(finished, *arguments).exception  # type: ignore[misc]


def test_a_folder_without_decisions_is_named(finished: Path, tmp_path: Path) -> None:
    for name in ("meta.json", "summary.json", "config.yaml"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    with pytest.raises(UserError, match=f"run folder {tmp_path}: there is no decisions.parquet"):
        raise explained(tmp_path).exception  # type: ignore[misc]
    with pytest.raises(UserError, match="no such folder"):
        raise explained(tmp_path / "none").exception  # type: ignore[misc]
