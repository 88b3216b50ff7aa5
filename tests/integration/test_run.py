"""`splitsim run` as a user calls it: a process, its output, its folder, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.running import command, select_nothing, simulators, splitsim, write_scenario

pytestmark = [pytest.mark.ns3, pytest.mark.model]

COLUMNS = {
    "reward",
    "reward_ci",
    "regret",
    "ttft_s",
    "tpot_s",
    "latency_p95_s",
    "delta_nll",
    "ue_energy_j",
    "failure_rate",
    "mean_split",
    "split_shares",
    "share",
    "simulated_decisions",
    "real_evaluations",
    "tuning_contexts",
}
POLICIES = {"random", "all-local", "min-split", "best-static", "surrogate-argmax", "ppo-imagination"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of seed 7 and one of seed 8."""
    folder = tmp_path_factory.mktemp("runs")
    scenario = write_scenario(folder)
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        options = ["--budget", "6", "--seed", str(seed), "--out", folder / name, "--json"]
        if name == "c":  # its scenario is as small as a quick look already, so only the words change
            options.append("--quick")
        done = splitsim("run", scenario, *options)
        assert done.returncode == 0, done.stderr
        (folder / f"{name}.json").write_text(done.stdout.splitlines()[-1])
    return {name: folder / name for name in "abc"}


def test_a_quick_look_says_so_wherever_it_is_read(runs: dict[str, Path]) -> None:
    for name, quick in (("a", False), ("c", True)):
        assert json.loads((runs[name] / "summary.json").read_text())["quick"] == quick
        assert ("--quick" in json.loads((runs[name] / "meta.json").read_text())["command"]) == quick
        assert ("<h1>quick look: small</h1>" in (runs[name] / "report.html").read_text()) == quick


def test_at_its_own_weights_a_run_is_what_its_summary_says(runs: dict[str, Path]) -> None:
    done = splitsim("report", runs["a"], "--weights", "--json")
    assert done.returncode == 0, done.stderr
    as_run = json.loads(done.stdout.splitlines()[-1])["readings"][0]
    summary = json.loads((runs["a"] / "summary.json").read_text())
    assert as_run["best_static"]["split"] == summary["best_static_split"]
    for name, metrics in (summary["policies"] | {"oracle": summary["oracle"]}).items():
        found = as_run["oracle"] if name == "oracle" else as_run["policies"][name]
        assert found["reward"] == pytest.approx(metrics["reward"], abs=1e-9)
        assert found["reward_ci"] == pytest.approx(metrics["reward_ci"], abs=1e-9)


def test_the_last_line_is_one_json_object_with_every_figure(runs: dict[str, Path]) -> None:
    summary = json.loads((runs["a"].parent / "a.json").read_text())
    assert set(summary["policies"]) >= POLICIES
    for metrics in summary["policies"].values():
        assert set(metrics) >= COLUMNS
        assert metrics["reward_ci"][0] <= metrics["reward"] <= metrics["reward_ci"][1]
    assert {"oracle_over_best_static", "pair_share", "decisions", "wall_s"} <= set(summary)
    assert set(summary["references"]) == {"best-pair", "causal-ceiling"}
    # Beside the access point nothing is lost, so nothing need be asked.
    assert summary["policies"]["surrogate-argmax"]["real_evaluations"] == 0
    assert summary["evaluations"]["train"]["decisions"] == 6


def test_one_seed_gives_one_table_and_another_seed_another(runs: dict[str, Path]) -> None:
    a, b, c = (pd.read_parquet(runs[name] / "decisions.parquet") for name in "abc")
    assert (runs["a"] / "decisions.parquet").read_bytes() == (runs["b"] / "decisions.parquet").read_bytes()
    pd.testing.assert_frame_equal(a, b, check_exact=True)
    assert len(a) == len(c)
    assert not a["latency_s"].equals(c["latency_s"])


def test_the_folder_has_what_a_user_looks_for(runs: dict[str, Path]) -> None:
    run = runs["a"]
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "meta.json", "decisions.parquet", "summary.json", "report.html", "plots"} <= names
    assert {p.stem for p in (run / "plots").glob("*.png")} >= {"map", "timeline", "regret", "surrogate"}
    meta = json.loads((run / "meta.json").read_text())
    assert meta["status"] == "finished"
    assert "--seed 7" in meta["command"]
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64") >= 4
    assert "ppo-imagination" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_time_of_every_token_of_the_live_policies_is_kept(runs: dict[str, Path]) -> None:
    run, keys = runs["a"], ["policy", "seed", "replicate", "decision"]
    decisions = pd.read_parquet(run / "decisions.parquet")
    decisions = decisions[decisions["phase"] == "test"].set_index(keys)
    tokens = pd.read_parquet(run / "tokens.parquet").groupby(keys)
    parts = tokens[["ue_s", "uplink_s", "resend_s", "edge_s", "rest_s"]].sum()
    assert set(parts.index) == set(decisions.index)
    decisions = decisions.loc[parts.index]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(decisions["latency_s"].to_numpy(), abs=1e-6)
    assert tokens["resent"].sum().tolist() == decisions["retries"].tolist()
    # What the tables say that the edge computed is what the simulator counted.
    finished = ~decisions["failed"].to_numpy()
    edge_s = decisions["edge_compute_s"].to_numpy()[finished]
    assert parts["edge_s"].to_numpy()[finished] == pytest.approx(edge_s, abs=1e-6)
    assert edge_s.max() > 0


def test_training_tuning_and_testing_share_no_seed(runs: dict[str, Path]) -> None:
    frame = pd.read_parquet(runs["a"] / "decisions.parquet")
    seeds = frame.groupby("phase")["seed"].agg(set)
    assert not seeds["train"] & seeds["test"]
    assert not seeds["tune"] & seeds["oracle"]
    assert seeds["test"] == seeds["oracle"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "nowhere.yaml"], "no such file"),
        (["run", "default", "--budget", "0"], "budget"),
        (["run", "default", "--budget", "many"], "budget"),
        (["run", "default", "--seed", "-1"], "seed"),
        (["run", "default", "--policies", "best"], "--policies = 'best'"),
        (["run", "default", "--surrogate", "linear"], "valid: --buy all"),
        (
            ["run", "default", "--surrogate", "oracle", "--buy", "all"],
            "surrogate 'oracle' is not known; valid: ensemble, ",
        ),
        (["run", "default", "--buy", "none"], "'--buy': Value error, 'none' is not one of"),
        (["run", "default", "--out", "/proc/nowhere"], "/proc/nowhere"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_one_message_and_status_two(arguments: list[str], expected: str) -> None:
    done = splitsim(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = splitsim("run", write_scenario(tmp_path), "--out", tmp_path)
    assert done.returncode == 2
    assert "thesis.tex" in done.stderr or "small.yaml" in done.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPLITSIM_CACHE", str(tmp_path / "empty"))
    done = splitsim("run", write_scenario(tmp_path), "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "fetch it with: splitsim models fetch smollm2-135m" in done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) > 0


def started(scenario: Path, out: Path) -> subprocess.Popen[str]:
    """A run that has got as far as its first finished training decisions."""
    process = subprocess.Popen(
        command("run", scenario, "--budget", "100000", "--out", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    # Logs of a second episode mean that the first one's decisions are finished.
    deadline = time.monotonic() + 90
    while len(list((out / "logs" / "train-surrogate-thompson").glob("*"))) < 2 or not simulators(process.pid):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the run never reached its second episode"
        select_nothing(0.05)
    return process


def end(process: subprocess.Popen[str]) -> str:
    """Wait for the end; stderr."""
    try:
        return process.communicate(timeout=10)[1]
    finally:
        process.kill()


def test_a_killed_simulator_ends_the_run_with_its_last_words(tmp_path: Path) -> None:
    process = started(write_scenario(tmp_path), tmp_path / "run")
    children = simulators(process.pid)
    children[0].kill()
    stderr = end(process)
    assert process.returncode == 1
    assert "SIGKILL" in stderr
    assert "splitsim-ns3 --config=" in stderr  # the command that reproduces it
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    kept = pd.read_parquet(tmp_path / "run" / "decisions.parquet")
    assert len(kept) >= 4
    assert json.loads((tmp_path / "run" / "meta.json").read_text())["status"] == "failed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_is_finished(tmp_path: Path, number: signal.Signals) -> None:
    process = started(write_scenario(tmp_path), tmp_path / "run")
    children = simulators(process.pid)
    os.kill(process.pid, number)
    stderr = end(process)
    assert process.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert not [child for child in children if child.is_running() and child.status() != "zombie"]
    assert len(pd.read_parquet(tmp_path / "run" / "decisions.parquet")) >= 4


def test_a_killed_run_leaves_no_simulator(tmp_path: Path) -> None:
    process = started(write_scenario(tmp_path), tmp_path / "run")
    children = simulators(process.pid)
    process.kill()
    process.communicate()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert gone


@pytest.mark.slow
def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path)
    process = started(scenario, tmp_path / "run")
    second = splitsim("run", scenario, "--out", tmp_path / "run")
    assert second.returncode == 2
    assert "another run is using it" in second.stderr
    process.kill()
    process.communicate()
