"""`splitsim evaluate` as a user calls it: an own policy on an own trace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pyagent.envs.observation import NAMES
from tests.conftest import small_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model]

POLICY = """\
class MyPolicy:
    best = 0

    def tune(self, features, splits, rewards):
        if {trouble}:
            raise RuntimeError("out of ideas")
        self.best = splits[rewards.mean(0).argmax()]

    def split(self, features, splits):
        return self.best or splits[0]

    def describe(self):
        return f"always {{self.best}}"
"""


def evaluate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    scenario = small_scenario(requests={"count": 2})
    (folder / "small.yaml").write_text(yaml.safe_dump(scenario.model_dump(mode="json")))
    (folder / "my.up").write_text("1\n3\n4\n")
    own = ["--policy", folder / "my.py:MyPolicy", "--trace", folder / "my.up", "--out", folder / "run"]
    return subprocess.run(
        [sys.executable, "-m", "pyagent.cli", "evaluate", folder / "small.yaml", *own, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def test_an_own_policy_is_ranked_on_an_own_trace(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(POLICY.format(trouble=False))
    done = evaluate(tmp_path, "--against", "min-split,threshold", "--json")
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary["policies"]) == {"my-policy", "min-split", "threshold"}
    assert set(summary["paired"]) == {"my-policy - min-split", "my-policy - threshold"}
    assert summary["guests"] == ["my-policy"]
    assert summary["policies"]["my-policy"]["split_shares"] == {str(summary["best_static_split"]): 1.0}
    # It played what the best static split is, so it earns as much: no warning.
    assert summary["warnings"] == []
    assert summary["rules"]["my-policy"]["text"] == f"always {summary['best_static_split']}"
    assert summary["rules"]["threshold"]["feature"] in {None, *NAMES}
    assert summary["threshold"]["feature"] in NAMES
    assert summary["policies"]["my-policy"]["real_evaluations"] == 0  # the link loses nothing
    assert summary["policies"]["my-policy"]["mean_split"] == summary["best_static_split"]
    assert set(summary["evaluations"]) == {"tune", "oracle", "test"}  # nobody trained
    decisions = pd.read_parquet(tmp_path / "run" / "decisions.parquet")
    assert (decisions["obs_phy_rate_mbps"].sub(9).abs() < 0.02).all()  # three packets in four ms
    assert {plot.stem for plot in (tmp_path / "run" / "plots").glob("*.png")} == {
        "timeline",
        "regret",
        "policies",
        "latency",
        "quality",
        "links",
        "weights",
    }
    assert "my-policy" in (tmp_path / "run" / "report.html").read_text()
    meta = json.loads((tmp_path / "run" / "meta.json").read_text())
    assert f"--policy {tmp_path}/my.py:MyPolicy --against min-split,threshold" in meta["command"]


def test_a_policy_that_fails_on_the_way_ends_the_run_with_its_line(tmp_path: Path) -> None:
    # On the run's own 2 decisions (1 seed, 2 requests), which the trial before the run doesn't have.
    (tmp_path / "my.py").write_text(POLICY.format(trouble="len(features) == 2"))
    done = evaluate(tmp_path, "--against", "none")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"splitsim: {tmp_path}/my.py:MyPolicy: tune raised RuntimeError: out of ideas (line 6)"
    assert json.loads((tmp_path / "run" / "meta.json").read_text())["status"] == "failed"
