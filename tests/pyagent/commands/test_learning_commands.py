"""`splitsim record`, `train`, `compare` and `demo`: what they print, and what they refuse."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest


def splitsim(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyagent.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=170,
    )


COSTS = ("decisions", "evaluations", "tuning_contexts")


@pytest.mark.slow
def test_train_says_what_was_learned_and_goes_on(tmp_path: Path) -> None:
    arguments = ("train", "default", "--out", "t", "--decisions", "45", "--json")
    first = splitsim(*arguments, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["decisions"] == 45
    assert 0 < found["evaluations"] <= 12
    assert found["share"] < 1.2
    again = splitsim(*arguments, cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1] == (
        "splitsim: --out = t: holds a training; valid: another folder, or --resume"
    )
    assert json.loads(splitsim(*arguments, "--resume", cwd=tmp_path).stdout) == found


def test_compare_ranks_and_writes_what_it_shows(tmp_path: Path) -> None:
    done = splitsim(
        *("compare", "default", "--policies", "random,threshold,linucb", "--seeds", "2"),
        *("--decisions", "40", "--out", "c", "--json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "c" / "ranking.json").read_text()) | {"confirmation": None}
    names = list(found["policies"])
    # The yardsticks are in every comparison.
    yardsticks = {"best-static", "threshold", "best-pair", "causal-ceiling", "oracle"}
    assert set(names) == {"random", "linucb", *yardsticks}
    rewards = [found["policies"][name]["reward"] for name in names]
    assert rewards == sorted(rewards, reverse=True)
    assert found["static"] < found["oracle"]
    # A rule in the words of docs/policies.md.
    threshold, static = found["policies"]["threshold"], found["policies"]["best-static"]
    rule = re.fullmatch(r"\w+ < \S+( \S+)? -> (\d+), else (\d+)", threshold["rule"])
    assert rule is not None
    assert set(threshold["split_shares"]) >= set(rule.groups()[1:])
    assert sum(threshold["split_shares"].values()) == pytest.approx(1)
    ((split, share),) = static["split_shares"].items()
    assert (static["rule"], share) == (f"always {split}", 1)
    assert found["policies"]["random"]["rule"].startswith("one of 1, ")
    assert all(warning.startswith("linucb ") for warning in found["warnings"])  # nobody else learned
    assert (tmp_path / "c" / "learning.png").stat().st_size > 10_000
    assert (tmp_path / "c" / "learning.pdf").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("compare", "nowhere"),
            "dataset 'nowhere': no such file, and none of that name ships; valid: default, "
            "factory-obstacles, tram-replay",
        ),
        (
            ("compare", "default", "--policies", "ppo,best"),
            "--policies = 'best': no such policy; valid: all, random",
        ),
        (("train", "text.parquet"), "dataset text.parquet: is no recorded dataset"),
        (
            ("record", "default", "--test-replicates", "5"),
            "--test-replicates = 5: valid: an even number, 4 or more",
        ),
        (("record", "nothing.yaml"), "nothing.yaml"),
        (("imagine", "."), ""),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "text.parquet").write_text("seed,reward\n")
    done = splitsim(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("splitsim: ")
    assert message in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.parquet"]


@pytest.mark.slow
def test_demo_trains_and_ranks_without_ns3_and_without_a_model(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyagent.cli", "demo", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=170,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SPLITSIM_NS3": str(tmp_path / "none")},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    policies = found["policies"]
    assert policies["oracle"]["share"] == pytest.approx(1)
    assert policies["best-static"]["share"] == pytest.approx(0, abs=1e-9)
    assert policies["best-pair"]["share"] == found["pair_share"]
    assert policies["surrogate-argmax"]["share"] > policies["random"]["share"]
    assert policies["threshold"]["share"] > policies["best-static"]["share"]
    # A rule gets as many contexts as the learner gets decisions, and pays for every action at each of them.
    splits = policies["oracle"]["decisions"] / (120 * 4)
    spent = {name: [policies[name][cost] for cost in COSTS] for name in ("threshold", "surrogate-argmax")}
    assert spent["threshold"][::2] == [300 * splits, 300]
    assert spent["surrogate-argmax"][::2] == [300, 0]
    assert spent["surrogate-argmax"][1] < spent["threshold"][1] / 2
    for name, policy in policies.items():
        share = (policy["reward"] - found["static"]) / (found["oracle"] - found["static"])
        assert policy["share"] == pytest.approx(share), name
        assert all(policy[cost] >= 0 for cost in COSTS), name


def test_compare_fits_a_terminal_of_100_characters(tmp_path: Path) -> None:
    arguments = ("compare", "default", "--policies", "random,two-threshold", "--seeds", "2", "--decisions")
    done = splitsim(*arguments, "60", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table, _, remarks = done.stdout.partition("oracle over best static split")
    assert max(map(len, table.splitlines())) <= 100
    assert "\u2026" not in table  # nothing was cut off
    assert " [" in remarks.splitlines()[0]
