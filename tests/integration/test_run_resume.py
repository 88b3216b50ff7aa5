"""A run that is killed again and again, and resumed, ends as one that was left alone."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from safetensors.numpy import load_file

from tests.running import command, select_nothing, simulators, splitsim, write_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model, pytest.mark.slow]

FILES = ("decisions.parquet", "learning.parquet", "predictions.parquet", "oracle.parquet")
LONG_S = 400
WEAK = {"mobility": {"position_m": [122, 0, 1.5]}}


def arguments(scenario: Path, out: Path) -> list[str | Path]:
    who = "threshold,linucb,surrogate-argmax,planner"
    return ["run", scenario, "--budget", "12", "--seed", "3", "--policies", who, "--out", out]


def killed_with(finished: int, scenario: Path, out: Path) -> None:
    """Start or resume, and SIGKILL as soon as that many episodes are in the journal."""
    process = subprocess.Popen(
        command(*arguments(scenario, out), "--resume"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while len(list((out / "journal").glob("*.*"))) < finished:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run got no further"
        select_nothing(0.02)
    children = simulators(process.pid)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


@pytest.mark.timeout(1200)
def test_a_killed_run_resumes_to_what_an_undisturbed_one_finds(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, **WEAK)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = splitsim(*arguments(scenario, whole), "--json", timeout_s=LONG_S)
    assert done.returncode == 0, done.stderr
    for finished in (1, 4, 9):
        killed_with(finished, scenario, broken)
    resumed = splitsim(*arguments(scenario, broken), "--resume", "--json", timeout_s=LONG_S)
    assert resumed.returncode == 0, resumed.stderr
    for name in FILES:
        pd.testing.assert_frame_equal(
            pd.read_parquet(whole / name), pd.read_parquet(broken / name), check_exact=True
        )
    a, b = (load_file(folder / "checkpoint" / "surrogate.safetensors") for folder in (whole, broken))
    assert a.keys() == b.keys()
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    one, other = (json.loads(text.stdout.splitlines()[-1]) for text in (done, resumed))
    assert one["policies"] == other["policies"]
    assert one["policies"]["surrogate-argmax"]["real_evaluations"] > 0  # the link is lossy
    assert not (broken / "journal").exists()

    again = splitsim(*arguments(scenario, broken), "--resume", "--json", timeout_s=LONG_S)
    assert again.returncode == 0
    assert json.loads(again.stdout.splitlines()[-1])["wall_s"] == other["wall_s"]
    different = splitsim(*arguments(scenario, broken)[:-2], "--out", broken, "--resume", "--budget", "13")
    assert different.returncode == 2
    assert "had another command" in different.stderr
